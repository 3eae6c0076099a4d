//! How fast a queue drains.

use std::time::Duration;

/// The mean interval between grants while somebody waits.
///
/// In whole nanoseconds: this runs under the queue's lock, once per grant.
#[derive(Debug, Default)]
pub(super) struct Drain {
    last_grant: Option<Duration>,
    /// 0 while unknown.
    mean_nanos: u64,
}

impl Drain {
    /// The weight of a new interval in the exponential mean is 1/16: enough to smooth single slow
    /// operations, few enough to follow a limit that moves.
    const SHIFT: u32 = 4;

    #[inline]
    pub(super) fn note_grant(&mut self, now: Duration, weight: u32) {
        let Some(last) = self.last_grant.replace(now) else {
            return;
        };
        let nanos = u64::try_from(now.saturating_sub(last).as_nanos()).unwrap_or(u64::MAX);
        let interval = if weight > 1 { nanos / u64::from(weight) } else { nanos };
        self.mean_nanos = match self.mean_nanos {
            0 => interval,
            mean => mean - (mean >> Self::SHIFT) + (interval >> Self::SHIFT),
        }
        .max(1);
    }

    /// Somebody begins to wait: the time until the first grant counts too. Else a queue that never
    /// holds more than one would never correct what was measured in a bad time, and that may be
    /// why it holds no more.
    #[inline]
    pub(super) fn resume(&mut self, now: Duration) {
        self.last_grant = Some(now);
    }

    /// Nobody waits: the time until the next grant will say nothing.
    #[inline]
    pub(super) const fn pause(&mut self) {
        self.last_grant = None;
    }

    /// The mean interval between grants of one permit, if any was waited for.
    #[inline]
    pub(super) fn interval(&self) -> Option<Duration> {
        (self.mean_nanos > 0).then(|| Duration::from_nanos(self.mean_nanos))
    }
}
