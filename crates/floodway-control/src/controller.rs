//! The algorithm, its bounds and its windows as one pure state machine.

use std::{fmt, time::Duration};

use crate::{
    Decision, Direction, Estimates, LimitAlgorithm, Reason, Sample, window::WindowCollector,
};

/// Turns finished operations into a limit: an algorithm, the windows that it asks for, and the
/// bounds that it stays in.
///
/// Costs about 12 ns per sample, and what the algorithm costs once per window. After the first
/// sample nothing is allocated.
pub struct Controller {
    algorithm: Box<dyn LimitAlgorithm>,
    bounds: (u32, u32),
    adaptive: bool,
    collector: WindowCollector,
    window_latency: Option<Duration>,
    limit_bound: bool,
    windows: u64,
    invalid_limits: u64,
}

impl Controller {
    /// Keeps the limit of `algorithm` inside `bounds`, the least and the most permits; a maximum
    /// below the minimum counts as the minimum.
    #[must_use]
    pub fn new(algorithm: Box<dyn LimitAlgorithm>, bounds: (u32, u32)) -> Self {
        let mut controller = Self {
            adaptive: algorithm.window().is_some(),
            algorithm,
            bounds: ordered(bounds),
            collector: WindowCollector::default(),
            window_latency: None,
            limit_bound: false,
            windows: 0,
            invalid_limits: 0,
        };
        controller.clamp(f64::from(bounds.0));
        controller
    }

    /// Whether the algorithm looks at samples. If not, none need be reported.
    #[must_use]
    pub const fn is_adaptive(&self) -> bool {
        self.adaptive
    }

    /// The limit in whole permits, rounded down.
    #[must_use]
    pub fn limit(&self) -> u32 {
        // A limit is at least the minimum, and a float turns into an integer by saturating.
        (self.algorithm.limit() as u32).clamp(self.bounds.0, self.bounds.1)
    }

    /// The least and the most permits.
    #[must_use]
    pub const fn bounds(&self) -> (u32, u32) {
        self.bounds
    }

    /// Moves the limit from outside, into the bounds.
    pub fn set_limit(&mut self, limit: u32) {
        let limit = limit.clamp(self.bounds.0, self.bounds.1);
        self.algorithm.set_limit(f64::from(limit));
    }

    /// Replaces the bounds and moves the limit into them.
    pub fn set_bounds(&mut self, bounds: (u32, u32)) {
        self.bounds = ordered(bounds);
        self.clamp(f64::from(self.bounds.0));
    }

    /// Learns from an operation that ended at `now`, and says what the window did that closed with
    /// it, if one did.
    ///
    /// `now` is the time since the Unix epoch when the process began, and monotonic from there:
    /// limiters of several replicas then measure the same backend at the same moments. Nothing
    /// else depends on the origin. Samples may arrive slightly out of order.
    pub fn on_sample(&mut self, now: Duration, sample: Sample) -> Option<Decision> {
        let algorithm = &mut self.algorithm;
        let window = self.collector.record(now, &sample, || algorithm.window())?;
        self.windows += 1;
        self.limit_bound = window.limited > 0;
        if window.successes > 0 {
            self.window_latency = Some(window.mean_latency);
        }
        let (before, previous) = (self.limit(), self.algorithm.limit());
        let reason = self.algorithm.on_window(&window);
        let reason = self.clamp(previous).unwrap_or(reason);
        if let Some(config) = self.algorithm.window() {
            self.collector.open(now, config);
        }
        let direction = match self.limit().cmp(&before) {
            std::cmp::Ordering::Less => Direction::Down,
            std::cmp::Ordering::Equal => Direction::Hold,
            std::cmp::Ordering::Greater => Direction::Up,
        };
        Some(Decision { direction, reason })
    }

    /// What is believed now.
    #[must_use]
    pub fn estimates(&self) -> Estimates {
        let mut estimates = self.algorithm.estimates();
        estimates.window_latency = self.window_latency;
        estimates.limit_bound = self.limit_bound;
        estimates.windows = self.windows;
        estimates.invalid_limits = self.invalid_limits;
        estimates
    }

    /// Puts a limit that is not a number back to `previous` and one outside the bounds to the
    /// nearer one, and says which of the two it had to do.
    fn clamp(&mut self, previous: f64) -> Option<Reason> {
        let limit = self.algorithm.limit();
        let mut reason = None;
        if !limit.is_finite() {
            self.invalid_limits += 1;
            self.algorithm.set_limit(previous);
            reason = Some(Reason::Invalid);
        }
        let limit = self.algorithm.limit();
        let (min, max) = (f64::from(self.bounds.0), f64::from(self.bounds.1));
        self.algorithm.clamp(min, max);
        if !(min..=max).contains(&limit) {
            reason = reason.or(Some(Reason::Bounds));
        }
        reason
    }
}

fn ordered((min, max): (u32, u32)) -> (u32, u32) {
    (min, max.max(min))
}

impl fmt::Debug for Controller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Controller")
            .field("limit", &self.algorithm.limit())
            .field("bounds", &self.bounds)
            .field("windows", &self.windows)
            .finish_non_exhaustive()
    }
}
