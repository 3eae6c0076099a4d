//! Whether a limiter enforces its limit.

use std::str::FromStr;

use floodway_metrics::catalogue::limiter::MODE;

use crate::UnknownMode;

/// Whether a limiter enforces its limit.
///
/// Can be switched while running: put a limiter in [`Shadow`](Self::Shadow), watch
/// `floodway_limiter_shadow_rejected_total` for a week, then enforce.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mode {
    /// Everybody passes. Permits are still counted, so that a switch to `Enforce` knows who is in
    /// flight; the limit does not move.
    Off,
    /// Everybody passes, and whoever `Enforce` would have refused is counted. The algorithm learns
    /// as it would.
    Shadow,
    /// The limit holds.
    #[default]
    Enforce,
}

impl Mode {
    /// Every mode, in the order of the values of the metric label `mode`.
    pub const ALL: [Self; 3] = [Self::Off, Self::Shadow, Self::Enforce];

    /// The value of the metric label `mode`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        MODE.values[self.index()]
    }

    pub(super) const fn index(self) -> usize {
        self as usize
    }

    pub(super) fn from_index(index: u64) -> Self {
        Self::ALL.into_iter().find(|mode| mode.index() as u64 == index).unwrap_or_default()
    }
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Mode {
    type Err = UnknownMode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|mode| mode.as_str() == text);
        known.ok_or_else(|| UnknownMode { mode: text.into() })
    }
}
