//! The limiter's numbers.

use std::sync::atomic::{AtomicU64, Ordering};

use floodway_control::{Estimates, Priority, ProbeResult};
use floodway_metrics::{
    Buckets, Collector, Counter, Histogram, Integral, catalogue::limiter as catalogue,
};

use super::{mode::Mode, rejected::RejectReason};
use crate::Outcome;

/// How much a limiter measures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Instrumentation {
    /// Counts, durations and integrals: two clock reads and four more additions per permit
    /// than [`Counts`](Self::Counts).
    #[default]
    Full,
    /// Counts alone: no clock is read for a permit that is free. Histograms of durations and
    /// integrals over time are then not exported.
    Counts,
}

/// Positions of the values of the label `direction`.
pub(super) const UP: usize = 0;
pub(super) const DOWN: usize = 1;

/// Positions of the values of the label `cause` that are not the algorithm's.
pub(super) const CAUSE_OPERATOR: usize = 6;
pub(super) const CAUSE_CEILING: usize = 7;
pub(super) const CAUSE_OTHER: usize = 8;
const CAUSES: usize = catalogue::CAUSE.values.len();

/// Positions of the values of the label `result` of nested requests.
pub(super) const LENT: usize = 0;
pub(super) const NOT_LENT: usize = 1;

const REASONS: usize = RejectReason::ALL.len() * Priority::COUNT;

/// What only happens, as opposed to what is: the counts of permits and waiters live in the state
/// word and the queue, where they are enforced.
///
/// Admissions without a wait are not counted where they happen. They are what has completed or is
/// out and did not come through the queue, which saves an addition per permit.
#[derive(Debug, Default)]
pub(super) struct Cells {
    pub(super) acquired_queued: Counter,
    /// The most that [`Cells::acquired_immediate`] has answered.
    acquired_immediate: AtomicU64,
    pub(super) rejected: Counter<REASONS>,
    pub(super) shadow_rejected: Counter<{ catalogue::SHADOW_REASON.values.len() }>,
    pub(super) cancelled: Counter,
    pub(super) nested: Counter<{ catalogue::NESTED_RESULT.values.len() }>,
    /// By [`Outcome::index`]; successes only where durations are not measured, or the histogram of
    /// hold times would count them a second time.
    completed: Counter<{ Outcome::ALL.len() }>,
    /// The most successes that [`completed`](Self::completed) has answered.
    succeeded: AtomicU64,
    limit_changes: Counter<{ 2 * CAUSES }>,
    /// `None` with [`Instrumentation::Counts`].
    pub(super) timings: Option<Timings>,
}

#[derive(Debug)]
pub(super) struct Timings {
    /// Waits of permits that were queued for, as their callers receive them. Those that were free
    /// waited zero and are not recorded twice.
    pub(super) queued_wait: Histogram,
    pub(super) hold: Histogram,
    pub(super) permits: Integral,
    pub(super) queued: Integral,
    pub(super) saturated: Integral,
}

/// What the limiter knows besides its cells.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Levels {
    pub(super) limit: u32,
    pub(super) limit_min: u32,
    pub(super) limit_max: u32,
    pub(super) mode: Mode,
    pub(super) in_flight: u32,
    /// Operations that hold the permits in flight; fewer where some weigh more than 1.
    pub(super) operations: u64,
    pub(super) queued: usize,
    pub(super) queue_capacity: usize,
    pub(super) estimates: Estimates,
    pub(super) adaptive: bool,
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

    /// Counts the end of an operation that held its permits for `held` nanoseconds.
    #[inline]
    pub(super) fn complete(&self, outcome: Outcome, held: u64) {
        match &self.timings {
            Some(timings) => {
                timings.hold.record(held);
                if outcome != Outcome::Success {
                    self.completed.increment(outcome.index());
                }
            }
            None => self.completed.increment(outcome.index()),
        }
    }

    /// Counts a refusal; returns how many like it the calling thread's shard had before.
    #[inline]
    pub(super) fn reject(&self, reason: RejectReason, priority: Priority) -> u64 {
        self.rejected.fetch_increment(reason.index() * Priority::COUNT + priority.index())
    }

    pub(super) fn limit_changed(&self, direction: usize, cause: usize) {
        self.limit_changes.increment(direction * CAUSES + cause);
    }

    /// Operations that ended, by outcome.
    pub(super) fn completed(&self) -> [u64; Outcome::ALL.len()] {
        let mut completed = self.completed.values();
        if let Some(timings) = &self.timings {
            let others: u64 = completed.iter().sum();
            // What ends badly while this reads may be in the histogram and not among the others yet:
            // a success for an instant. The maximum keeps the count from running backwards.
            let now = timings.hold.count().saturating_sub(others);
            let succeeded = self.succeeded.fetch_max(now, Ordering::Relaxed).max(now);
            completed[Outcome::Success.index()] = succeeded;
        }
        completed
    }

    /// Operations that were admitted without a wait, from those that are out.
    ///
    /// `completed` has to be read before `operations`, and an operation counts as completed after
    /// its permits came back: so an operation may be missed for an instant and is never counted
    /// twice, and the maximum keeps the count from running backwards.
    fn acquired_immediate(&self, completed: u64, operations: u64) -> u64 {
        let now = (completed + operations).saturating_sub(self.acquired_queued.total());
        self.acquired_immediate.fetch_max(now, Ordering::Relaxed).max(now)
    }

    /// Reports everything; `levels` is called after the counts that have to be read first.
    pub(super) fn collect(&self, levels: impl FnOnce() -> Levels, out: &mut Collector) {
        let completed = self.completed();
        let levels = levels();
        let immediate = self.acquired_immediate(completed.iter().sum(), levels.operations);
        let acquired = [immediate, self.acquired_queued.total()];
        let floats = |counts: &[u64]| counts.iter().map(|n| *n as f64).collect::<Vec<_>>();

        out.number(&catalogue::LIMIT, f64::from(levels.limit));
        out.number(&catalogue::LIMIT_MIN, f64::from(levels.limit_min));
        out.number(&catalogue::LIMIT_MAX, f64::from(levels.limit_max));
        let modes = Mode::ALL.map(|mode| f64::from(u8::from(mode == levels.mode)));
        out.numbers(&catalogue::MODE_INFO, modes);
        out.number(&catalogue::IN_FLIGHT, f64::from(levels.in_flight));
        out.number(&catalogue::QUEUED, levels.queued as f64);
        out.number(&catalogue::QUEUE_CAPACITY, levels.queue_capacity as f64);
        out.numbers(&catalogue::ACQUIRED, floats(&acquired));
        out.numbers(&catalogue::REJECTED, floats(&self.rejected.values()));
        out.numbers(&catalogue::SHADOW_REJECTED, floats(&self.shadow_rejected.values()));
        out.number(&catalogue::CANCELLED, self.cancelled.total() as f64);
        out.numbers(&catalogue::NESTED, floats(&self.nested.values()));
        out.numbers(&catalogue::COMPLETED, floats(&completed));
        out.numbers(&catalogue::LIMIT_CHANGES, floats(&self.limit_changes.values()));
        if levels.adaptive {
            collect_estimates(&levels.estimates, out);
        }
        let Some(timings) = &self.timings else {
            return;
        };
        out.number(&catalogue::PERMIT_SECONDS, timings.permits.seconds(levels.now));
        out.number(&catalogue::QUEUED_SECONDS, timings.queued.seconds(levels.now));
        out.number(&catalogue::SATURATED_SECONDS, timings.saturated.seconds(levels.now));
        let wait = timings.queued_wait.value_with_zeros(immediate);
        out.histogram(&catalogue::WAIT_DURATION, wait);
        out.histogram(&catalogue::HOLD_DURATION, timings.hold.value());
    }
}

fn collect_estimates(estimates: &Estimates, out: &mut Collector) {
    let seconds = |latency: Option<std::time::Duration>| latency.unwrap_or_default().as_secs_f64();
    let boolean = |truth: bool| f64::from(u8::from(truth));
    out.number(&catalogue::WINDOWS, estimates.windows as f64);
    out.number(&catalogue::LIMITED, boolean(estimates.limit_bound));
    out.number(&catalogue::BASELINE_LATENCY, seconds(estimates.baseline_latency));
    out.number(&catalogue::WINDOW_LATENCY, seconds(estimates.window_latency));
    out.number(&catalogue::BACKEND_QUEUE, estimates.queue.unwrap_or_default());
    out.number(&catalogue::INVALID_LIMITS, estimates.invalid_limits as f64);
    out.number(&catalogue::PROBING, boolean(estimates.probing));
    let probes = ProbeResult::ALL.map(|result| estimates.probes[result.index()] as f64);
    out.numbers(&catalogue::PROBES, probes);
}
