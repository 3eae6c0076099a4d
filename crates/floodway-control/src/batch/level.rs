//! Whether batches of every size got slower or faster, and stayed so.

// All constants: docs/decisions/0011-batch-sizes.md.

/// Typical residuals that are no sign of a shift, and the sum of what exceeds them that is one.
const SLACK: f64 = 2.0;
const SHIFT: f64 = 12.0;

/// The most that one residual counts, in typical ones.
const CLIP: f64 = 4.0;

/// The least typical residual, so that a downstream without noise does not shift all the time.
const LEAST: f64 = 0.05;

/// Cumulative sums of residuals, upward and downward, after [Page][page].
///
/// Deaf to the slowness that comes and goes, and to single outliers; hears it when a batch takes
/// some twice as long from one moment to the next.
///
/// [page]: https://doi.org/10.1093/biomet/41.1-2.100
#[derive(Clone, Debug, Default)]
pub(super) struct Level {
    up: f64,
    down: f64,
}

impl Level {
    /// Takes the residual of a batch, where a `typical` one is usual; whether that is a shift.
    pub(super) fn shifted(&mut self, residual: f64, typical: f64) -> bool {
        let normal = (residual / typical.max(LEAST)).clamp(-CLIP, CLIP);
        self.up = (self.up + normal - SLACK).max(0.0);
        self.down = (self.down - normal - SLACK).max(0.0);
        let shifted = self.up.max(self.down) > SHIFT;
        if shifted {
            *self = Self::default();
        }
        shifted
    }
}
