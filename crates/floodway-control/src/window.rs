//! Samples gathered over a stretch of time, the unit in which limit algorithms see the world.

use std::time::Duration;

use crate::{Outcome, Sample};

/// When a window may close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowConfig {
    min_duration: Duration,
    min_samples: u32,
}

impl WindowConfig {
    /// A window closes with the first sample for which both bounds hold: at least `min_duration`
    /// since it opened, and at least `min_samples` in it (0 counts as 1).
    #[must_use]
    pub const fn new(min_duration: Duration, min_samples: u32) -> Self {
        Self { min_duration, min_samples }
    }

    /// The shortest time a window covers.
    #[must_use]
    pub const fn min_duration(&self) -> Duration {
        self.min_duration
    }

    /// The fewest samples a window holds.
    #[must_use]
    pub const fn min_samples(&self) -> u32 {
        self.min_samples
    }
}

impl Default for WindowConfig {
    /// One second and ten samples: the window of Netflix's `concurrency-limits`
    /// (`WindowedLimit`: `minWindowTime` 1 s, `windowSize` 10).
    fn default() -> Self {
        Self::new(Duration::from_secs(1), 10)
    }
}

/// A closed window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// From the opening of the window to its last sample.
    pub duration: Duration,
    /// Operations that ended with [`Outcome::Success`].
    pub successes: u32,
    /// Operations that ended with [`Outcome::Overload`].
    pub overloads: u32,
    /// Mean latency of the successes; zero if there were none.
    pub mean_latency: Duration,
    /// Smallest latency of the successes; zero if there were none.
    pub min_latency: Duration,
    /// Most operations in flight that any sample saw.
    pub max_in_flight: u32,
}

impl Window {
    /// Share of the samples that ended in overload, 0 to 1.
    #[must_use]
    pub fn overload_ratio(&self) -> f64 {
        let samples = f64::from(self.successes) + f64::from(self.overloads);
        if samples > 0.0 { f64::from(self.overloads) / samples } else { 0.0 }
    }
}

/// Gathers samples and hands out a [`Window`] whenever one closes.
#[derive(Clone, Debug)]
pub struct WindowCollector {
    config: WindowConfig,
    open: Option<Open>,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    since: Duration,
    successes: u32,
    overloads: u32,
    latency_sum: Duration,
    min_latency: Duration,
    max_in_flight: u32,
}

impl WindowCollector {
    /// An empty collector.
    #[must_use]
    pub const fn new(config: WindowConfig) -> Self {
        Self { config, open: None }
    }

    /// Adds a sample that ended at `now` (since any fixed origin) and returns the window that it
    /// closes, if it does.
    ///
    /// A window opens when the earliest of its samples *began*, so it never covers less time than
    /// any of them ran. Samples with [`Outcome::Ignore`] are skipped.
    pub fn record(&mut self, now: Duration, sample: Sample) -> Option<Window> {
        if sample.outcome == Outcome::Ignore {
            return None;
        }
        let open = self.open.get_or_insert(Open {
            since: now.saturating_sub(sample.latency),
            successes: 0,
            overloads: 0,
            latency_sum: Duration::ZERO,
            min_latency: Duration::MAX,
            max_in_flight: 0,
        });
        open.since = open.since.min(now.saturating_sub(sample.latency));
        open.max_in_flight = open.max_in_flight.max(sample.in_flight);
        if sample.outcome == Outcome::Success {
            open.successes += 1;
            open.latency_sum = open.latency_sum.saturating_add(sample.latency);
            open.min_latency = open.min_latency.min(sample.latency);
        } else {
            open.overloads += 1;
        }

        let duration = now.saturating_sub(open.since);
        let samples = open.successes + open.overloads;
        if duration < self.config.min_duration || samples < self.config.min_samples {
            return None;
        }
        let closed = self.open.take()?;
        Some(Window {
            duration,
            successes: closed.successes,
            overloads: closed.overloads,
            mean_latency: closed.latency_sum.checked_div(closed.successes).unwrap_or_default(),
            min_latency: if closed.successes > 0 { closed.min_latency } else { Duration::ZERO },
            max_in_flight: closed.max_in_flight,
        })
    }
}
