//! Admission, release and hand-off.
//!
//! The fast path is one compare-and-swap on the state word. The slow path is the queue's lock.
//! They meet in the `queued` flag, which is set exactly while the queue is not empty and changes
//! only under the lock:
//!
//! - A newcomer joins the queue by setting the flag with a compare-and-swap on a state in which no
//!   permit was free. A release that came before changed that state, so the swap fails and the
//!   newcomer looks again; a release that comes after sees the flag and takes the lock. No wake
//!   is lost.
//! - While the flag is set, only the hand-off admits, in order. It compares count and limit at
//!   each admission, so a smaller limit holds however many permits come back.

mod limiting;
#[cfg(all(test, floodway_loom))]
mod loom_tests;
mod waiting;

use std::{fmt, time::Duration};

use floodway_control::Sample;
use floodway_metrics::{Collector, Source};

pub(super) use self::{limiting::Control, waiting::Admission};
use super::{
    cells::{Cells, IMMEDIATE, Levels},
    permit::Granted,
    queue::{Queue, WaitQueue},
    rejected::{RejectReason, Rejected},
    state::{MAX_PERMITS, ONE_IN_FLIGHT, State},
};
use crate::{
    Clock, Outcome,
    sync::{AtomicU64, Mutex, Ordering},
};

/// What to answer when nothing is known about how fast permits come back: the smallest value that
/// the `Retry-After` header can carry.
const UNKNOWN_RETRY_AFTER: Duration = Duration::from_secs(1);

/// Nobody needs to be told to come back later than this.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);

pub(super) struct Core {
    name: String,
    state: AtomicU64,
    waiters: Mutex<WaitQueue>,
    queue: Queue,
    cells: Cells,
    clock: Clock,
    control: Mutex<Control>,
    /// Whether the algorithm looks at samples.
    adaptive: bool,
    /// Mean nanoseconds between grants to waiters; 0 while unknown.
    grant_interval: AtomicU64,
}

impl Core {
    pub(super) fn new(
        name: String,
        queue: Queue,
        cells: Cells,
        clock: Clock,
        control: Control,
    ) -> Self {
        Self {
            name,
            state: AtomicU64::new(State::new(control.effective_limit()).0),
            waiters: Mutex::default(),
            queue,
            cells,
            clock,
            adaptive: control.controller.is_adaptive(),
            control: Mutex::new(control),
            grant_interval: AtomicU64::new(0),
        }
    }

    /// Begins to count saturated time where a limiter is born with a ceiling of 0.
    pub(super) fn born(&self) {
        if self.state().is_saturated()
            && let Some(timings) = &self.cells.timings
        {
            timings.saturated.begin(self.clock.now());
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn state(&self) -> State {
        State(self.state.load(Ordering::Acquire))
    }

    /// Takes a free permit, if nobody waits; else returns why not.
    #[inline]
    pub(super) fn try_acquire(&self) -> Result<Granted, State> {
        let mut state = self.state.load(Ordering::Relaxed);
        while State(state).admits() {
            // Acquire pairs with the Release of the release that made room: what the previous
            // holder did happens before what this one does.
            match self.state.compare_exchange_weak(
                state,
                state + ONE_IN_FLIGHT,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Ok(self.admitted(State(state), IMMEDIATE)),
                Err(current) => state = current,
            }
        }
        Err(State(state))
    }

    /// Counts an admission that moved the state on from `before`.
    #[inline]
    fn admitted(&self, before: State, path: usize) -> Granted {
        self.cells.acquired.increment(path);
        let Some(timings) = &self.cells.timings else {
            return Granted { at: 0 };
        };
        let at = self.clock.now();
        timings.permits.begin(at);
        if State(before.0 + ONE_IN_FLIGHT).is_saturated() {
            timings.saturated.begin(at);
        }
        Granted { at }
    }

    /// Takes a permit back and passes it on.
    #[inline]
    pub(super) fn release(&self, granted: Granted, outcome: Outcome) {
        self.cells.completed.increment(outcome.index());
        let mut now = 0;
        if let Some(timings) = &self.cells.timings {
            now = self.clock.now();
            timings.permits.end(now);
            timings.hold.record(now.saturating_sub(granted.at));
        }
        let before = State(self.state.fetch_sub(ONE_IN_FLIGHT, Ordering::AcqRel));
        if before.is_saturated()
            && !State(before.0 - ONE_IN_FLIGHT).is_saturated()
            && let Some(timings) = &self.cells.timings
        {
            timings.saturated.end(now);
        }
        if before.is_queued() {
            self.hand_off();
        }
        // Last, because an algorithm is foreign code: if it panics, nobody is left waiting.
        if self.adaptive {
            let sample = Sample {
                started: Duration::from_nanos(granted.at),
                weight: 1,
                in_flight: before.in_flight(),
                limited: before.is_saturated() || before.is_queued(),
                outcome,
            };
            self.sample(now, sample);
        }
    }

    /// Counts a refusal and says when to come back.
    pub(super) fn reject(&self, reason: RejectReason) -> Rejected {
        self.cells.rejected.increment(reason.index());
        let state = self.state();
        Rejected {
            reason,
            retry_after: self.retry_after(state),
            limit: state.limit(),
            in_flight: state.in_flight(),
        }
    }

    /// How long the queue as it is now takes to drain, and one more.
    fn retry_after(&self, state: State) -> Duration {
        let ahead = if state.is_queued() { self.queued() } else { 0 };
        let interval = match self.grant_interval.load(Ordering::Relaxed) {
            0 => {
                let hold = self.cells.timings.as_ref().and_then(|timings| timings.hold.mean());
                // With all permits out, one comes back every hold time / limit on average.
                hold.map(|nanos| Duration::from_nanos(nanos) / state.limit().max(1))
            }
            nanos => Some(Duration::from_nanos(nanos)),
        };
        interval.map_or(UNKNOWN_RETRY_AFTER, |interval| {
            interval
                .saturating_mul(u32::try_from(ahead + 1).unwrap_or(u32::MAX))
                .min(MAX_RETRY_AFTER)
        })
    }
}

impl Source for Core {
    fn collect(&self, out: &mut Collector) {
        let state = self.state();
        let (limit_min, limit_max) = {
            let control = self.control();
            // A limit without bounds moves only by hand: it is its own range. Where ceilings alone
            // decide, the least of them is.
            let own = match control.controller.limit() {
                MAX_PERMITS => state.limit(),
                own => own,
            };
            match control.controller.bounds() {
                (1, MAX_PERMITS) => (own, own),
                bounds => bounds,
            }
        };
        let levels = Levels {
            limit: state.limit(),
            limit_min,
            limit_max,
            in_flight: state.in_flight(),
            queued: self.queued(),
            queue_capacity: self.queue.capacity,
            now: self.clock.now(),
        };
        self.cells.collect(levels, out);
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field("name", &self.name)
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
