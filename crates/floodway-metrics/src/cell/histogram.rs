//! A fixed-bucket histogram that records with two atomic additions.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, Ordering},
};

use super::shard::Sharded;
use crate::{
    Buckets, HistogramValue,
    buckets::MAX_BOUNDS,
    exemplar::{Exemplars, TraceSource, trace_source},
};

/// Counts observations in the buckets of the catalogue entry.
#[derive(Debug)]
pub struct Histogram {
    buckets: &'static Buckets,
    shards: Sharded<Cells>,
    /// Empty until something is recorded while there is a source of traces.
    exemplars: OnceLock<Arc<Exemplars>>,
}

#[derive(Debug, Default)]
struct Cells {
    /// Observations above the bound before and up to their own, `+Inf` after the last.
    counts: [AtomicU64; MAX_BOUNDS + 1],
    sum: AtomicU64,
}

impl Histogram {
    /// Empty.
    ///
    /// # Panics
    ///
    /// If `buckets` has more than 16 bounds.
    #[must_use]
    pub fn new(buckets: &'static Buckets) -> Self {
        assert!(buckets.bounds.len() <= MAX_BOUNDS, "at most {MAX_BOUNDS} bucket bounds");
        let buckets = buckets.in_force();
        Self { buckets, shards: Sharded::new(), exemplars: OnceLock::new() }
    }

    /// Records `value`, in the unit of the bounds (nanoseconds for durations).
    #[inline]
    pub fn record(&self, value: u64) {
        self.add(value, 1, value);
    }

    /// Records `count` values of which only the `total` is known, in the bucket of their mean. The
    /// sum stays exact. Nothing if `count` is 0.
    #[inline]
    pub fn record_many(&self, count: u64, total: u64) {
        if let Some(mean) = total.checked_div(count) {
            self.add(mean, count, total);
        }
    }

    #[inline]
    fn add(&self, value: u64, count: u64, total: u64) {
        let shard = self.shards.here();
        let bucket = self.buckets.bounds.partition_point(|bound| *bound < value);
        shard.add(&shard.cells.counts[bucket], count);
        shard.add(&shard.cells.sum, total);
        if let Some(source) = trace_source() {
            self.exemplify(bucket, value, source);
        }
    }

    #[inline(never)]
    fn exemplify(&self, bucket: usize, value: u64, source: TraceSource) {
        let buckets = self.buckets.bounds.len() + 1;
        let exemplars = self.exemplars.get_or_init(|| Arc::new(Exemplars::new(buckets)));
        exemplars.offer(bucket, source, || value as f64 / self.buckets.per_unit);
    }

    /// How many values were recorded so far.
    #[must_use]
    pub fn count(&self) -> u64 {
        let cells = self.shards.iter().flat_map(|cells| &cells.counts);
        cells.map(|cell| cell.load(Ordering::Relaxed)).sum()
    }

    /// The mean of what was recorded so far, in the unit of the bounds; `None` while empty.
    #[must_use]
    pub fn mean(&self) -> Option<u64> {
        let (mut count, mut sum) = (0u64, 0u64);
        for cells in self.shards.iter() {
            count += cells.counts.iter().map(|cell| cell.load(Ordering::Relaxed)).sum::<u64>();
            sum = sum.wrapping_add(cells.sum.load(Ordering::Relaxed));
        }
        sum.checked_div(count)
    }

    /// What was recorded so far.
    #[must_use]
    pub fn value(&self) -> HistogramValue {
        self.value_with_zeros(0)
    }

    /// As [`value`](Self::value), with `zeros` more observations of 0.
    ///
    /// A caller that counts its zeros elsewhere need not record them twice.
    #[must_use]
    pub fn value_with_zeros(&self, zeros: u64) -> HistogramValue {
        let bounds = self.buckets.bounds.len();
        let mut cumulative = vec![0u64; bounds + 1];
        cumulative[0] = zeros;
        let mut sum = 0u64;
        for cells in self.shards.iter() {
            for (total, count) in cumulative.iter_mut().zip(&cells.counts) {
                *total += count.load(Ordering::Relaxed);
            }
            sum = sum.wrapping_add(cells.sum.load(Ordering::Relaxed));
        }
        for bucket in 1..=bounds {
            cumulative[bucket] += cumulative[bucket - 1];
        }
        HistogramValue {
            buckets: self.buckets,
            cumulative,
            sum: sum as f64 / self.buckets.per_unit,
            exemplars: self.exemplars.get().cloned().into_iter().collect(),
        }
    }
}
