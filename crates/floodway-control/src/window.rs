//! Samples gathered over a stretch of time, the unit in which limit algorithms see the world.

mod collector;
mod histogram;

pub(crate) use collector::WindowCollector;

use std::time::Duration;

/// When a window may close, and which operations it counts.
///
/// An algorithm is asked for one whenever a window opens, so it may ask for another kind each
/// time: long windows while nothing happens, a [`cohort`](Self::cohort) while it probes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WindowConfig {
    pub(crate) min_duration: Duration,
    pub(crate) min_samples: u32,
    pub(crate) max_duration: Duration,
    pub(crate) max_error: f64,
    pub(crate) end: Duration,
    /// For a cohort, how long to wait for the operations that are still out.
    pub(crate) patience: Option<Duration>,
}

impl WindowConfig {
    /// A window closes with the first sample for which both bounds hold: at least `min_duration`
    /// since it opened, and at least `min_samples` in it (0 counts as 1).
    #[must_use]
    pub const fn new(min_duration: Duration, min_samples: u32) -> Self {
        Self {
            min_duration,
            min_samples,
            max_duration: Duration::MAX,
            max_error: f64::INFINITY,
            end: Duration::MAX,
            patience: None,
        }
    }

    /// A window over the operations that *start* in it, all of them: after the conditions of
    /// [`new`](Self::new) hold it takes no more in, and closes when those it took have ended,
    /// whatever their outcome, or after `patience`.
    ///
    /// A plain window counts what ends in it, and so also what began under the limit before; and
    /// if it is short, it counts fast operations and misses slow ones.
    #[must_use]
    pub const fn cohort(min_duration: Duration, min_samples: u32, patience: Duration) -> Self {
        let mut config = Self::new(min_duration, min_samples);
        config.patience = Some(patience);
        config
    }

    /// Closes after this long even if samples or precision are missing (but never without any
    /// sample).
    #[must_use]
    pub const fn with_max_duration(mut self, max_duration: Duration) -> Self {
        self.max_duration = max_duration;
        self
    }

    /// Stays open until the standard error of the mean latency is at most this fraction of it.
    #[must_use]
    pub const fn with_max_error(mut self, ratio: f64) -> Self {
        self.max_error = ratio;
        self
    }

    /// Closes at this time, in the controller's time, whatever else is missing; even empty.
    #[must_use]
    pub const fn with_end(mut self, end: Duration) -> Self {
        self.end = end;
        self
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
///
/// Not `#[non_exhaustive]`, so that the test of an algorithm can write one down:
/// `Window { successes: 9, ..Window::default() }`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Window {
    /// When it opened: when the one before it closed, or when the very first sample started.
    pub opened: Duration,
    /// When it closed: the time of the sample that closed it.
    pub closed: Duration,
    /// Operations that ended with [`Outcome::Success`](crate::Outcome::Success).
    pub successes: u32,
    /// Operations that ended with [`Outcome::Overload`](crate::Outcome::Overload).
    pub overloads: u32,
    /// Ends, of any outcome, before which somebody had queued or was refused for want of a permit.
    pub limited: u32,
    /// Mean latency of the successes; zero if there were none.
    pub mean_latency: Duration,
    /// Standard error of the mean latency, as if the samples were independent; zero for fewer than
    /// two.
    pub latency_error: Duration,
    /// Smallest latency of the successes; zero if there were none.
    pub min_latency: Duration,
    /// The latencies below which a tenth, two tenths, … nine tenths of the successes stayed, right
    /// to 1.6 %; zero if there were none.
    pub latency_deciles: [Duration; 9],
    /// Most permits out that any sample saw.
    pub max_in_flight: u32,
    /// Permits out, averaged over the samples.
    pub mean_in_flight: f64,
}

impl Window {
    /// From its opening to its last sample.
    #[must_use]
    pub const fn duration(&self) -> Duration {
        self.closed.saturating_sub(self.opened)
    }

    /// Share of the samples that ended in overload, 0 to 1.
    #[must_use]
    pub fn overload_ratio(&self) -> f64 {
        let samples = f64::from(self.successes) + f64::from(self.overloads);
        if samples > 0.0 { f64::from(self.overloads) / samples } else { 0.0 }
    }

    /// Operations per second that ended, in success or overload.
    #[must_use]
    pub fn throughput(&self) -> f64 {
        let seconds = self.duration().as_secs_f64();
        let samples = f64::from(self.successes) + f64::from(self.overloads);
        if seconds > 0.0 { samples / seconds } else { 0.0 }
    }
}
