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

mod handing;
mod lease;
mod limiting;
#[cfg(all(test, floodway_loom))]
mod loom_tests;
mod rejecting;
mod releasing;
mod waiting;
mod watching;

use std::{fmt, sync::Arc, time::Duration};

use floodway_control::Priority;
use floodway_metrics::{Collector, Source};
use slab::Slab;
use tokio::time::Instant;

use self::lease::LeaseEnd;
pub(super) use self::{
    limiting::Control,
    waiting::{Admission, Waiting},
    watching::{Alarm, Expired},
};
use super::{
    cells::{Cells, Levels},
    mode::Mode,
    nested::Nesting,
    partition::Partitions,
    permit::Granted,
    queue::Queue,
    state::{State, UNLIMITED},
};
use crate::{
    Clock,
    sync::{AtomicU64, Mutex, Ordering, PoisonError},
};

/// What a caller asks for, apart from time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Want {
    pub(super) weight: u32,
    pub(super) priority: Priority,
    pub(super) partition: u16,
}

#[cfg(all(test, floodway_loom))]
impl Want {
    pub(super) const ONE: Self = Self { weight: 1, priority: Priority::Normal, partition: 0 };
}

pub(super) struct Core {
    name: String,
    state: AtomicU64,
    /// Permits out beyond one per operation, so that operations can be counted.
    extra_weight: AtomicU64,
    partitions: Partitions,
    waiting: Mutex<Waiting>,
    /// Of the queue, for who must not take its lock; 0 if nobody may wait.
    queue_capacity: AtomicU64,
    /// Of the queue, in nanoseconds.
    queue_max_wait: AtomicU64,
    cells: Arc<Cells>,
    clock: Clock,
    control: Mutex<Control>,
    /// The limit, also while it is not enforced.
    limit: AtomicU64,
    mode: AtomicU64,
    /// Until when the limit holds.
    lease: LeaseEnd,
    /// Whether the algorithm looks at samples.
    adaptive: bool,
    /// Whether durations are measured.
    timed: bool,
    /// Whether somebody was held back since the last sample.
    held_back: AtomicU64,
    /// Mean nanoseconds between permits that come free, for rejections; 0 while unknown.
    interval: AtomicU64,
    /// When permits were last seen to be in use, in nanoseconds of the clock; 0 where durations are
    /// not measured.
    busy_at: AtomicU64,
    /// Until when all moments at which permits come free are promised to who was refused.
    promised: AtomicU64,
    /// The time of the queue minus that of the clock, in nanoseconds, as of the last waiter.
    queue_offset: AtomicU64,
    /// Where the time of the queue begins: it follows tokio's clock, as deadlines do.
    origin: Instant,
    /// Where the time of the clock begins, since the Unix epoch.
    born: Duration,
    /// What permits have lent and borrowed, each with when the permit was granted.
    nestings: Mutex<Slab<(u64, Nesting)>>,
    #[cfg(debug_assertions)]
    holders: super::misuse::Holders,
}

impl Core {
    pub(super) fn new(
        name: String,
        queue: &Queue,
        partitions: Partitions,
        cells: Arc<Cells>,
        clock: Clock,
        control: Control,
    ) -> Self {
        let limit = control.effective_limit();
        let enforced = if control.mode == Mode::Enforce { limit } else { UNLIMITED };
        Self {
            name,
            state: AtomicU64::new(State::new(enforced).0),
            extra_weight: AtomicU64::new(0),
            waiting: Mutex::new(Waiting::new(queue, &partitions.guarantees())),
            queue_capacity: AtomicU64::new(queue.effective_capacity()),
            queue_max_wait: AtomicU64::new(queue.max_wait_nanos()),
            partitions,
            timed: cells.timings.is_some(),
            cells,
            born: clock.unix_origin(),
            clock,
            limit: AtomicU64::new(u64::from(limit)),
            mode: AtomicU64::new(control.mode.index() as u64),
            lease: LeaseEnd::default(),
            adaptive: control.controller.is_adaptive(),
            control: Mutex::new(control),
            held_back: AtomicU64::new(0),
            interval: AtomicU64::new(0),
            busy_at: AtomicU64::new(0),
            promised: AtomicU64::new(0),
            queue_offset: AtomicU64::new(0),
            origin: Instant::now(),
            nestings: Mutex::default(),
            #[cfg(debug_assertions)]
            holders: super::misuse::Holders::default(),
        }
    }

    /// Begins to count saturated time where a limiter is born with a ceiling of 0.
    pub(super) fn born(&self) {
        if self.state().is_saturated()
            && let Some(timings) = &self.cells.timings
        {
            timings.saturated.begin(self.clock.now(), 1);
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) const fn partitions(&self) -> &Partitions {
        &self.partitions
    }

    pub(super) const fn cells(&self) -> &Arc<Cells> {
        &self.cells
    }

    /// Keeps what a permit has lent and borrowed, and when it was granted; returns where.
    pub(super) fn keep_nesting(&self, at: u64, nesting: Nesting) -> u64 {
        let mut nestings = self.nestings.lock().unwrap_or_else(PoisonError::into_inner);
        nestings.insert((at, nesting)) as u64
    }

    /// Hands out what was kept at `key`.
    #[cold]
    pub(super) fn take_nesting(&self, key: u64) -> (u64, Nesting) {
        let mut nestings = self.nestings.lock().unwrap_or_else(PoisonError::into_inner);
        nestings.remove(key as usize)
    }

    #[cfg(debug_assertions)]
    pub(super) const fn holders(&self) -> &super::misuse::Holders {
        &self.holders
    }

    pub(super) fn state(&self) -> State {
        State(self.state.load(Ordering::Acquire))
    }

    /// Takes free permits, if nobody waits; else returns why not.
    #[inline]
    pub(super) fn try_acquire(&self, want: Want) -> Result<Granted, State> {
        let at = self.look_at_lease();
        let mut state = self.state.load(Ordering::Relaxed);
        while State(state).admits(want.weight) && want.weight > 0 {
            match self.take(state, want, at) {
                Ok(granted) => return Ok(granted),
                Err(current) => state = current,
            }
        }
        Err(State(state))
    }

    /// Lets a lease end whose time is over. Returns the time in nanoseconds if it had to look at it,
    /// else 0.
    #[inline]
    fn look_at_lease(&self) -> u64 {
        if self.lease.is_none() {
            return 0;
        }
        let now = self.clock.now();
        if self.lease.is_over(now) {
            self.lapse();
        }
        now
    }

    /// Moves the state on from `state` by one admission, unless it has moved already. `at` is the time,
    /// or 0 if nobody has looked.
    #[inline]
    fn take(&self, state: u64, want: Want, at: u64) -> Result<Granted, u64> {
        // Before the permits are out, and taken back after: operations are never overcounted.
        if want.weight > 1 {
            self.extra_weight.fetch_add(u64::from(want.weight - 1), Ordering::Relaxed);
        }
        let next = State(state).plus(want.weight);
        // Acquire pairs with the Release of the release that made room: what the previous holder
        // did happens before what this one does. Release lets who counts operations see the extra
        // weight no later than the permits.
        let moved =
            self.state.compare_exchange_weak(state, next.0, Ordering::AcqRel, Ordering::Relaxed);
        match moved {
            Ok(_) => Ok(self.admitted(next, want, at)),
            Err(current) => {
                self.forget_extra(want.weight);
                Err(current)
            }
        }
    }

    /// Books an admission that moved the state to `after`.
    #[inline]
    fn admitted(&self, after: State, want: Want, looked_at: u64) -> Granted {
        let Want { weight, partition, .. } = want;
        self.partitions.add(partition, weight);
        if after.limit() == UNLIMITED {
            self.note_shadow(after, weight);
        }
        let mut at = 0;
        if let Some(timings) = self.timings() {
            at = if looked_at == 0 { self.clock.now() } else { looked_at };
            timings.permits.begin(at, weight);
            if after.is_saturated() {
                timings.saturated.begin(at, 1);
                self.busy_at.store(at, Ordering::Relaxed);
            }
        }
        Granted::new(at, weight, partition)
    }

    /// Takes note that the limit held somebody back.
    fn note_held_back(&self) {
        if self.adaptive && self.held_back.load(Ordering::Relaxed) == 0 {
            self.held_back.store(1, Ordering::Relaxed);
        }
    }

    /// Whether anybody may wait.
    pub(super) fn has_queue(&self) -> bool {
        self.queue_capacity.load(Ordering::Relaxed) > 0
    }

    pub(super) fn queue_max_wait(&self) -> Duration {
        Duration::from_nanos(self.queue_max_wait.load(Ordering::Relaxed))
    }

    /// Until when who begins to wait now may do so.
    pub(super) fn latest_deadline(&self, wish: Option<Instant>) -> Instant {
        let latest = Instant::now() + self.queue_max_wait();
        wish.map_or(latest, |wish| wish.min(latest))
    }

    /// Tokio's clock since the limiter was born.
    fn queue_time(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.origin)
    }

    /// Takes note of the time of the queue, so that others can tell it from the limiter's clock.
    fn set_queue_time(&self, now: Duration) {
        let nanos = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        self.queue_offset.store(nanos.wrapping_sub(self.clock.now()), Ordering::Relaxed);
    }

    /// The time of the queue by the limiter's clock, which costs a fifth of a look at tokio's; off
    /// by what the two have drifted apart since the last waiter came.
    fn queue_time_now(&self) -> Duration {
        let offset = self.queue_offset.load(Ordering::Relaxed);
        Duration::from_nanos(self.clock.now().wrapping_add(offset))
    }

    /// Operations that hold permits.
    fn operations(&self) -> u64 {
        // A heavy operation has its extra weight counted before its permits and until after. Read
        // on both sides, so that one which comes or goes in between is not taken for many.
        let before = self.extra_weight.load(Ordering::Acquire);
        let in_flight = self.state().in_flight();
        let after = self.extra_weight.load(Ordering::Acquire);
        u64::from(in_flight).saturating_sub(before.max(after))
    }

    pub(super) fn levels(&self) -> Levels {
        let (limit_min, limit_max, estimates) = {
            let control = self.control();
            let (min, max) = control.range();
            (min, max, control.controller.estimates())
        };
        Levels {
            limit: self.limit(),
            limit_min,
            limit_max,
            mode: self.mode(),
            in_flight: self.state().in_flight(),
            operations: self.operations(),
            queued: self.queued(),
            queue_capacity: self.queue_capacity.load(Ordering::Relaxed) as usize,
            estimates,
            adaptive: self.adaptive,
            now: self.clock.now(),
        }
    }
}

impl Source for Core {
    fn collect(&self, out: &mut Collector) {
        self.cells.collect(|| self.levels(), out);
    }
}

/// In a map the cells outlive the limiter, which a ceiling of 0 keeps saturated with no permit out.
impl Drop for Core {
    fn drop(&mut self) {
        if self.state().is_saturated()
            && let Some(timings) = self.timings()
        {
            timings.saturated.end(self.clock.now(), 1);
        }
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
