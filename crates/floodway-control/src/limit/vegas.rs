//! A target for the queue, after TCP Vegas.

use std::time::Duration;

use crate::{Estimates, InvalidParameter, LimitAlgorithm, Reason, Window, WindowConfig};

/// The range of [`Vegas::next_jitter`]: a probe comes after half to all of its interval.
const JITTER: (f64, f64) = (0.5, 1.0);

/// Keeps the number of operations that wait downstream in a small range.
///
/// It takes the lowest window latency for the latency without a queue, and
/// `limit × (1 − lowest / current)` for the queue. With `g = max(1, ⌊log10 limit⌋)`: below `g` the
/// limit grows by `6 g`, below `3 g` by `g`, above `6 g` or after an overload it shrinks by `g`;
/// it stays while less than half of it is in use. Now and then the lowest latency is forgotten.
///
/// Prefer [`AnchoredGradient`](crate::AnchoredGradient), which measures the latency without a
/// queue instead of hoping to meet it: the one window that Vegas relearns from is as crowded as
/// any other.
///
/// Source: `VegasLimit` of [Netflix concurrency-limits], with its default parameters and behind
/// its `WindowedLimit`, so that one lucky operation is not the baseline
/// ([issue 37](https://github.com/Netflix/concurrency-limits/issues/37)). The jitter of the probes
/// comes from a sequence and not from a generator of random numbers: an algorithm is pure.
///
/// [Netflix concurrency-limits]: https://github.com/Netflix/concurrency-limits
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Vegas {
    limit: f64,
    baseline: Duration,
    probe_multiplier: f64,
    windows: f64,
    jitter: f64,
    window: WindowConfig,
}

impl Vegas {
    /// Starts at `initial` permits; Netflix starts at 20.
    #[must_use]
    pub fn new(initial: u32) -> Self {
        Self {
            limit: f64::from(initial),
            baseline: Duration::ZERO,
            probe_multiplier: 30.0,
            windows: 0.0,
            jitter: JITTER.1,
            window: WindowConfig::default(),
        }
    }

    /// The lowest latency is forgotten after half to all of `multiplier × limit` windows, 1 to
    /// 1,000,000; 30 by default.
    #[must_use]
    pub fn with_probe_multiplier(mut self, multiplier: f64) -> Self {
        self.probe_multiplier = multiplier;
        self
    }

    /// When windows close.
    #[must_use]
    pub fn with_window(mut self, window: WindowConfig) -> Self {
        self.window = window;
        self
    }

    /// The next of a sequence that covers the range evenly: multiples of the golden ratio.
    fn next_jitter(&self) -> f64 {
        let (min, max) = JITTER;
        min + ((self.jitter - min) / (max - min) + 0.618_033_988_749_895).fract() * (max - min)
    }
}

impl LimitAlgorithm for Vegas {
    fn check(&self) -> Result<(), InvalidParameter> {
        InvalidParameter::check("probe_multiplier", self.probe_multiplier, 1.0, 1e6)
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
        let step = self.limit.log10().floor().max(1.0);
        let latency = window.mean_latency;
        if window.successes > 0 {
            self.windows += 1.0;
            let forget = self.windows >= self.jitter * self.probe_multiplier * self.limit;
            if forget {
                self.windows = 0.0;
                self.jitter = self.next_jitter();
            }
            if forget || self.baseline.is_zero() || latency < self.baseline {
                self.baseline = latency;
                return Reason::Steady;
            }
        }
        if window.overloads > 0 {
            self.limit -= step;
            return Reason::Overload;
        }
        if f64::from(window.max_in_flight) * 2.0 < self.limit {
            return Reason::Unused;
        }
        let queue = (self.limit * (1.0 - self.baseline.div_duration_f64(latency))).ceil();
        if queue <= step {
            self.limit += 6.0 * step;
            Reason::Growth
        } else if queue < 3.0 * step {
            self.limit += step;
            Reason::Growth
        } else if queue > 6.0 * step {
            self.limit -= step;
            Reason::Queue
        } else {
            Reason::Steady
        }
    }

    fn estimates(&self) -> Estimates {
        let lowest = (!self.baseline.is_zero()).then_some(self.baseline);
        Estimates { baseline_latency: lowest, ..Estimates::default() }
    }
}
