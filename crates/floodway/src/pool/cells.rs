//! What a pool limiter counts.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use floodway_metrics::{Buckets, Counter, Histogram, HistogramValue};

pub(super) struct Cells {
    pub(super) timeouts: Counter,
    pub(super) errors: Counter,
    pub(super) rejections: Counter<{ super::cause::NESTED + 1 }>,
    pub(super) trimmed: Counter,
    pub(super) abandoned: Counter,
    pub(super) wait: Histogram,
    pub(super) usage: Histogram,
    /// Nanoseconds within which 99 % of the connections came back, as of the last look.
    p99_hold: AtomicU64,
}

impl Cells {
    pub(super) fn new() -> Self {
        Self {
            timeouts: Counter::new(),
            errors: Counter::new(),
            rejections: Counter::new(),
            trimmed: Counter::new(),
            abandoned: Counter::new(),
            wait: Histogram::new(Buckets::DURATIONS),
            usage: Histogram::new(Buckets::DURATIONS),
            p99_hold: AtomicU64::new(0),
        }
    }

    /// Looks at the hold times since `before`, if there are enough.
    pub(super) fn refresh_p99_hold(&self, before: &HistogramValue) {
        if let Some(p99) = self.usage.value().since(before).quantile(0.99) {
            self.p99_hold.store((p99 * 1e9) as u64, Ordering::Relaxed);
        }
    }

    pub(super) fn p99_hold(&self) -> Duration {
        Duration::from_nanos(self.p99_hold.load(Ordering::Relaxed))
    }
}
