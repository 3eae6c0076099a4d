//! Additive increase, multiplicative decrease.

use std::time::Duration;

use crate::{InvalidParameter, LimitAlgorithm, Reason, Window, WindowConfig};

/// Adds one after a good window, multiplies by a factor after a bad one.
///
/// A window is bad if more than [`with_overload_ratio`](Self::with_overload_ratio) of its samples
/// ended in overload or, where [`with_max_latency`](Self::with_max_latency) is set, if its mean
/// latency is above that. After a good window the limit grows only if it was in use: at least half
/// of it must have been in flight, or an idle service would open its limit without bound.
///
/// Source: D. Chiu and R. Jain, "Analysis of the increase and decrease algorithms for congestion
/// avoidance in computer networks", 1989; factor and half-in-use rule as in `AIMDLimit` of
/// Netflix's `concurrency-limits`, here once per window instead of once per sample, so that one
/// burst of failures is one decrease.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Aimd {
    limit: f64,
    decrease_factor: f64,
    overload_ratio: f64,
    max_latency: Option<Duration>,
    window: WindowConfig,
}

impl Aimd {
    /// Starts at `initial` operations and, by default, shrinks to 90 % after a window in which
    /// anything ended in overload.
    #[must_use]
    pub fn new(initial: u32) -> Self {
        Self {
            limit: f64::from(initial),
            decrease_factor: 0.9,
            overload_ratio: 0.0,
            max_latency: None,
            window: WindowConfig::default(),
        }
    }

    /// What a bad window multiplies the limit by, 0.5 to 0.99: below, one window halves the
    /// service; above, it never backs off.
    #[must_use]
    pub fn with_decrease_factor(mut self, factor: f64) -> Self {
        self.decrease_factor = factor;
        self
    }

    /// The share of overloaded samples, 0 to 1, above which a window is bad.
    #[must_use]
    pub fn with_overload_ratio(mut self, ratio: f64) -> Self {
        self.overload_ratio = ratio;
        self
    }

    /// The mean latency above which a window is bad.
    #[must_use]
    pub fn with_max_latency(mut self, latency: Duration) -> Self {
        self.max_latency = Some(latency);
        self
    }

    /// When windows close.
    #[must_use]
    pub fn with_window(mut self, window: WindowConfig) -> Self {
        self.window = window;
        self
    }
}

impl LimitAlgorithm for Aimd {
    fn check(&self) -> Result<(), InvalidParameter> {
        InvalidParameter::check("decrease_factor", self.decrease_factor, 0.5, 0.99)?;
        InvalidParameter::check("overload_ratio", self.overload_ratio, 0.0, 1.0)
    }

    fn limit(&self) -> f64 {
        self.limit
    }

    fn set_limit(&mut self, limit: f64) {
        self.limit = limit;
    }

    fn window(&self) -> Option<WindowConfig> {
        Some(self.window)
    }

    fn on_window(&mut self, window: &Window) -> Reason {
        let too_slow = self.max_latency.is_some_and(|max| window.mean_latency > max);
        if window.overload_ratio() > self.overload_ratio || too_slow {
            self.limit *= self.decrease_factor;
            if too_slow { Reason::Queue } else { Reason::Overload }
        } else if f64::from(window.max_in_flight) * 2.0 >= self.limit {
            self.limit += 1.0;
            Reason::Growth
        } else {
            Reason::Unused
        }
    }
}
