//! What an item and a handing-over cost, as measured.

use std::time::Duration;

/// Work for each unit of overhead: 95 % of the time is work.
const WORK_PER_OVERHEAD: f64 = 19.0;

/// Weight of a chunk in the averages, and of a handing-over in the overhead.
const CHUNK_WEIGHT: f64 = 0.2;
const OVERHEAD_WEIGHT: f64 = 0.125;

/// Nanoseconds. No chunk is worth being cut shorter than this, however cheap it is to hand over: a
/// clock could not tell.
const LEAST_TARGET: f64 = 1_000.0;

/// What a [`ChunkSizer`](crate::ChunkSizer) believes, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ChunkEstimate {
    /// How long an item takes; `None` before the first chunk.
    pub item_time: Option<Duration>,
    /// What handing a chunk to a worker costs.
    pub overhead: Duration,
    /// How long a chunk takes, of the last ones, without the overhead.
    pub chunk_time: Option<Duration>,
    /// How many items a chunk had, of the last ones.
    pub chunk_items: Option<f64>,
    /// Overhead as a share of the time of the last chunks with it, 0 to 1.
    pub overhead_share: Option<f64>,
}

/// All times in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    overhead: f64,
    /// Averages per chunk; no items before the first.
    time: f64,
    items: f64,
}

impl Cost {
    pub(super) fn new(overhead: Duration) -> Self {
        Self { overhead: nanos(overhead), time: 0.0, items: 0.0 }
    }

    pub(super) fn set_overhead(&mut self, overhead: Duration) {
        self.overhead = nanos(overhead);
    }

    pub(super) fn record_overhead(&mut self, overhead: Duration) {
        self.overhead += (nanos(overhead) - self.overhead) * OVERHEAD_WEIGHT;
    }

    pub(super) fn record(&mut self, items: usize, time: Duration) {
        if items == 0 {
            return;
        }
        // A chunk that took no time was too short for the clock.
        let (items, time) = (items as f64, nanos(time).max(1.0));
        if self.items == 0.0 {
            (self.items, self.time) = (items, time);
        }
        self.items += (items - self.items) * CHUNK_WEIGHT;
        self.time += (time - self.time) * CHUNK_WEIGHT;
    }

    /// How long an item takes.
    pub(super) fn item(&self) -> Option<f64> {
        (self.items > 0.0).then(|| self.time / self.items)
    }

    /// What handing over a chunk costs.
    pub(super) fn overhead(&self) -> f64 {
        self.overhead
    }

    /// How long a chunk has to take to be worth its overhead.
    pub(super) fn target(&self) -> f64 {
        (WORK_PER_OVERHEAD * self.overhead).max(LEAST_TARGET)
    }

    pub(super) fn estimate(&self) -> ChunkEstimate {
        let measured = self.items > 0.0;
        let all = self.overhead + self.time;
        ChunkEstimate {
            item_time: self.item().map(duration),
            overhead: duration(self.overhead),
            chunk_time: measured.then(|| duration(self.time)),
            chunk_items: measured.then_some(self.items),
            overhead_share: (measured && all > 0.0).then(|| self.overhead / all),
        }
    }
}

/// Not by way of `as_nanos`, as 128 bits take longer than all the rest.
pub(super) fn nanos(time: Duration) -> f64 {
    time.as_secs() as f64 * 1e9 + f64::from(time.subsec_nanos())
}

/// Rounds to nanoseconds. `as` stops at the ends of the range, at some 584 years.
pub(super) fn duration(nanos: f64) -> Duration {
    Duration::from_nanos(nanos.round() as u64)
}
