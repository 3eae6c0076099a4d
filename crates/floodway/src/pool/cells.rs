//! What a pool limiter counts.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use floodway_control::{HoldBand, POOL_BANDS, PoolEvidence};
use floodway_metrics::{Buckets, Counter, Histogram, HistogramValue};

pub(super) struct Cells {
    pub(super) timeouts: Counter,
    pub(super) errors: Counter,
    pub(super) rejections: Counter<{ super::cause::NESTED + 1 }>,
    pub(super) trimmed: Counter,
    pub(super) abandoned: Counter,
    pub(super) implausible: Counter,
    pub(super) wait: Histogram,
    pub(super) usage: Histogram,
    /// By how full the pool was when they began: how many, the sums of connections in use, and of
    /// nanoseconds.
    holds: Counter<POOL_BANDS>,
    in_use: Counter<POOL_BANDS>,
    held: Counter<POOL_BANDS>,
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
            implausible: Counter::new(),
            wait: Histogram::new(Buckets::DURATIONS),
            usage: Histogram::new(Buckets::DURATIONS),
            holds: Counter::new(),
            in_use: Counter::new(),
            held: Counter::new(),
            p99_hold: AtomicU64::new(0),
        }
    }

    /// Books a connection that was held for `nanos`; `in_use` of `usable` were when it was handed out,
    /// itself included.
    pub(super) fn book_use(&self, nanos: u64, in_use: u32, usable: u32) {
        self.usage.record(nanos);
        let band = PoolEvidence::band(in_use, usable);
        self.holds.increment(band);
        self.in_use.add(band, u64::from(in_use));
        self.held.add(band, nanos);
    }

    pub(super) fn bands(&self) -> [HoldBand; POOL_BANDS] {
        let (holds, in_use, held) = (self.holds.values(), self.in_use.values(), self.held.values());
        std::array::from_fn(|band| HoldBand {
            holds: holds[band],
            in_use_sum: in_use[band],
            held: Duration::from_nanos(held[band]),
        })
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
