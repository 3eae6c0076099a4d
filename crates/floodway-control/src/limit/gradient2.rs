//! The ratio of a long average of latency to the current one.

use std::time::Duration;

use crate::{Estimates, InvalidParameter, LimitAlgorithm, Reason, Window, WindowConfig};

/// The long average is a plain mean of so many windows before it becomes an exponential one.
const WARM_UP: u32 = 10;

/// How much of a new limit is taken over per window.
const SMOOTHING: f64 = 0.2;

/// Compares each window's latency with an average over hundreds of windows.
///
/// The limit moves a fifth of the way to `limit × g + 4`, where `g` is 1.5 × long average / window
/// latency, kept in 0.5 to 1; it stays while less than half of it is in use. A long average of
/// more than twice the window's latency falls by 5 % per window.
///
/// It ignores overloads, and the average follows a latency that stays bad: use it only in front of
/// a downstream that recovers by itself. Known: the limit climbs where latency rises slowly
/// ([pull request 134](https://github.com/Netflix/concurrency-limits/pull/134)), constant timeouts look
/// healthy ([issue 137](https://github.com/Netflix/concurrency-limits/issues/137)). Prefer
/// [`AnchoredGradient`](crate::AnchoredGradient).
///
/// Source: `Gradient2Limit` of
/// [Netflix concurrency-limits](https://github.com/Netflix/concurrency-limits), with its default
/// parameters; bounds are the limiter's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gradient2 {
    limit: f64,
    tolerance: f64,
    queue: f64,
    long_windows: u32,
    /// Seconds.
    long: f64,
    seen: u32,
    window: WindowConfig,
}

impl Gradient2 {
    /// Starts at `initial` permits; Netflix starts at 20.
    #[must_use]
    pub fn new(initial: u32) -> Self {
        Self {
            limit: f64::from(initial),
            tolerance: 1.5,
            queue: 4.0,
            long_windows: 600,
            long: 0.0,
            seen: 0,
            window: WindowConfig::default(),
        }
    }

    /// How many times the long average a window's latency may be, 1 to 10, before the limit
    /// shrinks; 1.5 by default.
    #[must_use]
    pub fn with_tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// How many permits more than latency asks for, 0 to 1,000; 4 by default.
    #[must_use]
    pub fn with_queue(mut self, queue: f64) -> Self {
        self.queue = queue;
        self
    }

    /// Over how many windows the long average goes, at least 10; 600 by default.
    #[must_use]
    pub fn with_long_windows(mut self, windows: u32) -> Self {
        self.long_windows = windows;
        self
    }

    /// When windows close.
    #[must_use]
    pub fn with_window(mut self, window: WindowConfig) -> Self {
        self.window = window;
        self
    }

    fn learn(&mut self, latency: f64) {
        self.seen = self.seen.saturating_add(1);
        let weight = if self.seen <= WARM_UP {
            1.0 / f64::from(self.seen)
        } else {
            2.0 / (f64::from(self.long_windows) + 1.0)
        };
        self.long += (latency - self.long) * weight;
        if self.long > 2.0 * latency {
            self.long *= 0.95;
        }
    }
}

impl LimitAlgorithm for Gradient2 {
    fn check(&self) -> Result<(), InvalidParameter> {
        InvalidParameter::check("tolerance", self.tolerance, 1.0, 10.0)?;
        InvalidParameter::check("queue", self.queue, 0.0, 1_000.0)?;
        let windows = f64::from(self.long_windows);
        InvalidParameter::check("long_windows", windows, f64::from(WARM_UP), f64::from(u32::MAX))
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
        if window.successes == 0 {
            return Reason::Steady;
        }
        let latency = window.mean_latency.as_secs_f64().max(f64::MIN_POSITIVE);
        self.learn(latency);
        if f64::from(window.max_in_flight) * 2.0 < self.limit {
            return Reason::Unused;
        }
        let gradient = (self.tolerance * self.long / latency).clamp(0.5, 1.0);
        let before = self.limit;
        self.limit += (gradient * self.limit + self.queue - self.limit) * SMOOTHING;
        if self.limit < before { Reason::Queue } else { Reason::Growth }
    }

    fn estimates(&self) -> Estimates {
        let long = (self.seen > 0).then(|| Duration::from_secs_f64(self.long));
        Estimates { baseline_latency: long, ..Estimates::default() }
    }
}
