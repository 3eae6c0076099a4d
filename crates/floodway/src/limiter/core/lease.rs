//! Until when a limit holds that somebody has lent.

// Not the modelled kind: who finds a time over asks again, and who sees a later one than before sees the
// limit that it belongs to, because the end is released after the limit and acquired before it.
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use crate::Clock;

/// Nanoseconds of the limiter's clock.
pub(super) struct LeaseEnd(AtomicU64);

const NEVER: u64 = u64::MAX;

impl LeaseEnd {
    /// The limit holds for so long from now on, or until somebody moves it.
    pub(super) fn set(&self, remaining: Option<Duration>, clock: &Clock) {
        let end = remaining.map_or(NEVER, |remaining| {
            // At least a millisecond, or who finds it over would find it so again at once.
            let remaining = remaining.max(Duration::from_millis(1));
            let nanos = u64::try_from(remaining.as_nanos()).unwrap_or(NEVER);
            clock.now().saturating_add(nanos)
        });
        self.0.store(end, Ordering::Release);
    }

    /// Whether no time is set.
    #[inline]
    pub(super) fn is_none(&self) -> bool {
        self.0.load(Ordering::Acquire) == NEVER
    }

    /// Whether the time is over.
    #[inline]
    pub(super) fn is_over(&self, now: u64) -> bool {
        now >= self.0.load(Ordering::Acquire)
    }
}

impl Default for LeaseEnd {
    fn default() -> Self {
        Self(AtomicU64::new(NEVER))
    }
}
