//! How fast a queue drains.

use std::time::Duration;

/// The mean interval between grants while somebody waits.
#[derive(Debug, Default)]
pub(super) struct Drain {
    last_grant: Option<Duration>,
    interval: Option<f64>,
}

impl Drain {
    /// An exponential mean over about the last sixteen grants: enough to smooth single slow
    /// operations, few enough to follow a limit that moves.
    const WEIGHT: f64 = 1.0 / 16.0;

    pub(super) fn note_grant(&mut self, now: Duration, weight: u32) {
        if let Some(last) = self.last_grant.replace(now) {
            let interval = now.saturating_sub(last).as_secs_f64() / f64::from(weight.max(1));
            let mean = self.interval.get_or_insert(interval);
            *mean += Self::WEIGHT * (interval - *mean);
        }
    }

    /// Somebody begins to wait: the time until the first grant counts too. Else a queue that never
    /// holds more than one would never correct what was measured in a bad time, and that may be
    /// why it holds no more.
    pub(super) fn resume(&mut self, now: Duration) {
        self.last_grant = Some(now);
    }

    /// Nobody waits: the time until the next grant will say nothing.
    pub(super) fn pause(&mut self) {
        self.last_grant = None;
    }

    /// The mean interval between grants of one permit, if any was waited for.
    pub(super) fn interval(&self) -> Option<Duration> {
        self.interval.map(Duration::from_secs_f64)
    }
}
