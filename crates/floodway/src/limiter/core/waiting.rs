//! Joining the queue, leaving it, and passing permits on.

use std::task::Waker;

use tokio::time::Instant;

use super::{
    super::{
        cells::{IMMEDIATE, QUEUED as PATH_QUEUED},
        permit::Granted,
        queue::{Fate, WaitQueue},
        rejected::RejectReason,
        state::{CLOSED, ONE_IN_FLIGHT, QUEUED, State},
    },
    Core,
};
use crate::{
    Outcome,
    sync::{MutexGuard, Ordering, PoisonError},
};

/// What came of joining the queue.
pub(in crate::limiter) enum Admission {
    Granted(Granted),
    Queued { slot: usize, deadline: Instant },
    Refused(RejectReason),
}

impl Core {
    /// Joins the queue, unless a permit has become free or the caller is refused.
    pub(in crate::limiter) fn enqueue(
        &self,
        deadline: Option<Instant>,
        waker: &Waker,
    ) -> Admission {
        // Cloned before and, if it is not needed, dropped after the lock: a waker is foreign code.
        let waker = waker.clone();
        let mut waiters = self.waiters();
        let mut state = self.state.load(Ordering::Relaxed);
        loop {
            if State(state).is_closed() {
                return Admission::Refused(RejectReason::Closed);
            }
            let next = if State(state).admits() {
                state + ONE_IN_FLIGHT
            } else if !self.queue.enabled {
                return Admission::Refused(RejectReason::NoPermit);
            } else if waiters.len() >= self.queue.capacity {
                return Admission::Refused(RejectReason::QueueFull);
            } else {
                state | QUEUED
            };
            match self.state.compare_exchange_weak(
                state,
                next,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) if State(state).admits() => {
                    return Admission::Granted(self.admitted(State(state), IMMEDIATE));
                }
                Ok(_) => break,
                Err(current) => state = current,
            }
        }
        let latest = Instant::now() + self.queue.max_wait;
        let deadline = deadline.map_or(latest, |deadline| deadline.min(latest));
        let since = self.begin_wait();
        let slot = waiters.push(waker, deadline, since);
        Admission::Queued { slot, deadline }
    }

    fn begin_wait(&self) -> u64 {
        let Some(timings) = &self.cells.timings else {
            return 0;
        };
        let now = self.clock.now();
        timings.queued.begin(now);
        now
    }

    fn end_wait(&self) {
        if let Some(timings) = &self.cells.timings {
            timings.queued.end(self.clock.now());
        }
    }

    /// What became of a waiter; while nothing has, `waker` is told when it does.
    pub(in crate::limiter) fn poll_waiter(&self, slot: usize, waker: &Waker) -> Fate {
        let (fate, known) = self.waiters().look(slot, waker);
        if known || !matches!(fate, Fate::Waiting) {
            return fate;
        }
        // Wakers are cloned and dropped outside the lock.
        let fresh = waker.clone();
        let (fate, _old) = self.waiters().replace_waker(slot, fresh);
        fate
    }

    /// Ends a wait on behalf of its owner; `Waiting` if nothing had become of it.
    pub(in crate::limiter) fn remove_waiter(&self, slot: usize) -> Fate {
        let (fate, _waker) = {
            let mut waiters = self.waiters();
            let removed = waiters.remove(slot);
            if let Fate::Waiting = removed.0 {
                self.unflag_if_empty(&waiters);
                self.end_wait();
            }
            removed
        };
        fate
    }

    /// Ends a wait whose owner went away.
    pub(in crate::limiter) fn abandon_waiter(&self, slot: usize) {
        match self.remove_waiter(slot) {
            Fate::Granted(granted) => self.release(granted, Outcome::Ignore),
            // Refused before the owner could hear of it: it went away all the same.
            Fate::Waiting | Fate::Refused(_) => self.cells.cancelled.increment(0),
        }
    }

    /// Admits waiters while there is room, and tells those whose deadline has passed.
    ///
    /// One lock per waiter rather than one for all: wakers run code of others, which must not
    /// happen under the lock, and collecting them would allocate.
    pub(super) fn hand_off(&self) {
        while let Some(waker) = self.settle_front() {
            waker.wake();
        }
    }

    /// Seals the fate of the first waiter, if there is room for it or its time is up.
    fn settle_front(&self) -> Option<Waker> {
        let mut waiters = self.waiters();
        let (since, deadline) = waiters.front()?;
        let now = Instant::now();
        let fate = if deadline <= now {
            Fate::Refused(RejectReason::Deadline)
        } else {
            let granted = self.admit_waiter(since)?;
            if let Some(interval) = waiters.note_grant(now) {
                let nanos = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX);
                self.grant_interval.store(nanos.max(1), Ordering::Relaxed);
            }
            Fate::Granted(granted)
        };
        self.end_wait();
        let waker = waiters.pop_front(fate);
        self.unflag_if_empty(&waiters);
        waker
    }

    /// Moves the state on for one waiter, if there is room. Under the queue's lock.
    fn admit_waiter(&self, since: u64) -> Option<Granted> {
        let mut state = self.state.load(Ordering::Relaxed);
        while !State(state).is_saturated() && !State(state).is_closed() {
            // Acquire as in `try_acquire`.
            match self.state.compare_exchange_weak(
                state,
                state + ONE_IN_FLIGHT,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => {
                    let granted = self.admitted(State(state), PATH_QUEUED);
                    if let Some(timings) = &self.cells.timings {
                        timings.queued_wait.record(granted.at.saturating_sub(since));
                    }
                    return Some(granted);
                }
                Err(current) => state = current,
            }
        }
        None
    }

    /// Lets newcomers pass again. Under the queue's lock.
    fn unflag_if_empty(&self, waiters: &WaitQueue) {
        if waiters.len() == 0 {
            self.state.fetch_and(!QUEUED, Ordering::Relaxed);
        }
    }

    pub(in crate::limiter) fn close(&self) {
        self.state.fetch_or(CLOSED, Ordering::AcqRel);
        loop {
            let mut waiters = self.waiters();
            if waiters.len() == 0 {
                return;
            }
            let waker = waiters.pop_front(Fate::Refused(RejectReason::Closed));
            self.end_wait();
            self.unflag_if_empty(&waiters);
            drop(waiters);
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    /// How many wait.
    pub(in crate::limiter) fn queued(&self) -> usize {
        self.waiters().len()
    }

    fn waiters(&self) -> MutexGuard<'_, WaitQueue> {
        // Nothing under this lock can panic halfway through a change.
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
