//! The limiter's numbers.

use floodway_metrics::{
    Buckets, Collector, Counter, Histogram, Integral, catalogue::limiter as catalogue,
};

use crate::Outcome;

/// How much a limiter measures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Instrumentation {
    /// Counts, durations and integrals: two clock reads and about five more atomic additions per
    /// permit than [`Counts`](Self::Counts).
    #[default]
    Full,
    /// Counts alone: no clock is read for a permit that is free. Histograms of durations and
    /// integrals over time are then not exported.
    Counts,
}

/// Positions of the values of the label `path`.
pub(super) const IMMEDIATE: usize = 0;
pub(super) const QUEUED: usize = 1;

/// Positions of the values of the label `direction`.
pub(super) const UP: usize = 0;
pub(super) const DOWN: usize = 1;

/// What only happens, as opposed to what is: the counts of permits and waiters live in the state
/// word and the queue, where they are enforced.
#[derive(Debug, Default)]
pub(super) struct Cells {
    pub(super) acquired: Counter<2>,
    pub(super) rejected: Counter<4>,
    pub(super) cancelled: Counter,
    pub(super) completed: Counter<{ Outcome::ALL.len() }>,
    pub(super) limit_changes: Counter<2>,
    /// `None` with [`Instrumentation::Counts`].
    pub(super) timings: Option<Timings>,
}

#[derive(Debug)]
pub(super) struct Timings {
    /// Waits of permits that were queued for. Those that were free waited zero and are not
    /// recorded twice: `acquired{path="immediate"}` counts them.
    pub(super) queued_wait: Histogram,
    pub(super) hold: Histogram,
    pub(super) permits: Integral,
    pub(super) queued: Integral,
    pub(super) saturated: Integral,
}

/// What the limiter knows besides its cells.
#[derive(Clone, Copy, Debug)]
pub(super) struct Levels {
    pub(super) limit: u32,
    pub(super) limit_min: u32,
    pub(super) limit_max: u32,
    pub(super) in_flight: u32,
    pub(super) queued: usize,
    pub(super) queue_capacity: usize,
    pub(super) now: u64,
}

impl Cells {
    pub(super) fn new(instrumentation: Instrumentation) -> Self {
        let timings = (instrumentation == Instrumentation::Full).then(|| Timings {
            queued_wait: Histogram::new(Buckets::DURATIONS),
            hold: Histogram::new(Buckets::DURATIONS),
            permits: Integral::new(),
            queued: Integral::new(),
            saturated: Integral::new(),
        });
        Self { timings, ..Self::default() }
    }

    pub(super) fn collect(&self, levels: Levels, out: &mut Collector) {
        let acquired = self.acquired.values();
        out.number(&catalogue::LIMIT, f64::from(levels.limit));
        out.number(&catalogue::LIMIT_MIN, f64::from(levels.limit_min));
        out.number(&catalogue::LIMIT_MAX, f64::from(levels.limit_max));
        out.number(&catalogue::IN_FLIGHT, f64::from(levels.in_flight));
        out.number(&catalogue::QUEUED, levels.queued as f64);
        out.number(&catalogue::QUEUE_CAPACITY, levels.queue_capacity as f64);
        out.numbers(&catalogue::ACQUIRED, acquired.map(|count| count as f64));
        out.numbers(&catalogue::REJECTED, self.rejected.values().map(|count| count as f64));
        out.number(&catalogue::CANCELLED, self.cancelled.total() as f64);
        out.numbers(&catalogue::COMPLETED, self.completed.values().map(|count| count as f64));
        out.numbers(&catalogue::LIMIT_CHANGES, self.limit_changes.values().map(|n| n as f64));
        let Some(timings) = &self.timings else {
            return;
        };
        out.number(&catalogue::PERMIT_SECONDS, timings.permits.seconds(levels.now));
        out.number(&catalogue::QUEUED_SECONDS, timings.queued.seconds(levels.now));
        out.number(&catalogue::SATURATED_SECONDS, timings.saturated.seconds(levels.now));
        let wait = timings.queued_wait.value_with_zeros(acquired[IMMEDIATE]);
        out.histogram(&catalogue::WAIT_DURATION, wait);
        out.histogram(&catalogue::HOLD_DURATION, timings.hold.value());
    }
}
