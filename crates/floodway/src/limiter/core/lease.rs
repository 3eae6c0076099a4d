//! Until when a limit holds that somebody has lent.

// Not the modelled kind: a limit that is good until a time is as good in every order in which threads
// learn of that time, because who finds it over asks again.
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
            let nanos = u64::try_from(remaining.as_nanos()).unwrap_or(NEVER);
            clock.now().saturating_add(nanos)
        });
        self.0.store(end, Ordering::Relaxed);
    }

    /// Whether no time is set.
    #[inline]
    pub(super) fn is_none(&self) -> bool {
        self.0.load(Ordering::Relaxed) == NEVER
    }

    /// Whether the time is over.
    #[inline]
    pub(super) fn is_over(&self, now: u64) -> bool {
        now >= self.0.load(Ordering::Relaxed)
    }
}

impl Default for LeaseEnd {
    fn default() -> Self {
        Self(AtomicU64::new(NEVER))
    }
}
