//! Joining the queue, leaving it, and passing permits on.

use std::task::Waker;

use floodway_control::{Class, Refusal, Ticket, WaitQueue, WaitRequest};
use tokio::{runtime, time::Instant};

use super::{
    super::{
        permit::Granted,
        queue::{Fate, Queue, Waiter},
        rejected::RejectReason,
        state::{CLOSED, QUEUED, State},
    },
    Core, Want,
    watching::{Alarm, Watch},
};
use crate::{
    Outcome,
    sync::{MutexGuard, Ordering, PoisonError},
};

/// The queue and who watches its deadlines.
#[derive(Debug)]
pub(in crate::limiter) struct Waiting {
    pub(in crate::limiter) queue: WaitQueue<Waiter>,
    /// Whether anybody may wait at all.
    pub(in crate::limiter) enabled: bool,
    pub(in crate::limiter) watch: Option<Watch>,
}

/// What came of joining the queue.
#[derive(Debug)]
pub(in crate::limiter) enum Admission {
    Granted(Granted),
    /// The caller owns the ticket. Then it wakes the loser, if its place was taken from somebody,
    /// and hands off what there is room for.
    Queued {
        ticket: Ticket,
        deadline: Instant,
        alarm: Alarm,
        loser: Option<Waker>,
    },
    Refused(RejectReason),
}

impl Waiting {
    pub(super) fn new(queue: &Queue, partitions: &[f64]) -> Self {
        let Queue { config, enabled } = *queue;
        Self { queue: WaitQueue::new(config, partitions), enabled, watch: None }
    }

    /// Seals the fate of a waiter that has left its line, and returns whom to tell.
    pub(super) fn seal(&mut self, ticket: Ticket, fate: Fate) -> Option<Waker> {
        let waiter = self.queue.payload_mut(ticket);
        waiter.fate = fate;
        waiter.waker.take()
    }
}

impl Core {
    /// Joins the queue, unless a permit has become free or the caller is refused.
    pub(in crate::limiter) fn enqueue(
        &self,
        want: Want,
        deadline: Option<Instant>,
        runtime: runtime::Id,
        waker: &Waker,
    ) -> Admission {
        let now = self.queue_time(Instant::now());
        self.set_queue_time(now);
        let request = WaitRequest {
            class: Class { partition: want.partition, priority: want.priority },
            weight: want.weight,
            deadline: deadline.map(|deadline| self.queue_time(deadline)),
        };
        // Cloned before and, if it is not needed, dropped after the lock: a waker is foreign code.
        let waker = waker.clone();
        let mut waiting = self.waiting();
        let mut state = self.state.load(Ordering::Relaxed);
        let displaced = loop {
            if State(state).is_closed() {
                return Admission::Refused(RejectReason::Closed);
            }
            if want.weight == 0 || !State(state).fits_limit(want.weight) {
                return Admission::Refused(RejectReason::Weight);
            }
            if State(state).admits(want.weight) {
                match self.take(state, want, 0) {
                    Ok(granted) => return Admission::Granted(granted),
                    Err(current) => state = current,
                }
                continue;
            }
            if !waiting.enabled {
                return Admission::Refused(RejectReason::NoPermit);
            }
            if let Some(refusal) = waiting.queue.refusal(now, &request) {
                return Admission::Refused(match refusal {
                    Refusal::Full => RejectReason::QueueFull,
                    Refusal::Unmeetable => RejectReason::Unmeetable,
                });
            }
            // Acquire as in `take`; the flag makes every release from now on come by the lock.
            match self.state.compare_exchange_weak(
                state,
                state | QUEUED,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) if waiting.queue.len() >= waiting.queue.config().capacity => {
                    break waiting.queue.displaced_by(now, request.class);
                }
                Ok(_) => break None,
                Err(current) => state = current,
            }
        };
        let loser = displaced.and_then(|ticket| {
            waiting.queue.leave(ticket);
            self.end_wait();
            waiting.seal(ticket, Fate::Refused(RejectReason::Displaced))
        });
        self.begin_wait();
        let waiter = Waiter { fate: Fate::Waiting, waker: Some(waker) };
        let ticket = waiting.queue.join(now, &request, waiter);
        let deadline = waiting.queue.deadline(now, request.deadline);
        let alarm = waiting.alarm(runtime, deadline);
        drop(waiting);
        self.note_held_back();
        Admission::Queued { ticket, deadline: self.origin + deadline, alarm, loser }
    }

    fn begin_wait(&self) {
        if let Some(timings) = &self.cells.timings {
            timings.queued.begin(self.clock.now(), 1);
        }
    }

    pub(super) fn end_wait(&self) {
        if let Some(timings) = &self.cells.timings {
            timings.queued.end(self.clock.now(), 1);
        }
    }

    /// What became of a waiter, who takes it and leaves; while nothing has, `waker` is told when
    /// it does, and whether there is a watch is returned too.
    pub(in crate::limiter) fn poll_waiter(&self, ticket: Ticket, waker: &Waker) -> (Fate, bool) {
        // Wakers are cloned and dropped outside the lock.
        let mut fresh = None;
        loop {
            let mut waiting = self.waiting();
            let watched = waiting.watch.is_some();
            let waiter = waiting.queue.payload_mut(ticket);
            if !matches!(waiter.fate, Fate::Waiting) {
                let waiter = waiting.queue.free(ticket);
                drop(waiting);
                return (waiter.fate, watched);
            }
            if waiter.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
                return (Fate::Waiting, watched);
            }
            let Some(fresh) = fresh.take() else {
                drop(waiting);
                fresh = Some(waker.clone());
                continue;
            };
            let _old = waiter.waker.replace(fresh);
            drop(waiting);
            return (Fate::Waiting, watched);
        }
    }

    /// Ends a wait on behalf of its owner; `Waiting` if nothing had become of it.
    pub(in crate::limiter) fn remove_waiter(&self, ticket: Ticket) -> Fate {
        let mut waiting = self.waiting();
        let waiter = waiting.queue.free(ticket);
        let left = matches!(waiter.fate, Fate::Waiting);
        if left {
            self.unflag_if_empty(&waiting);
            self.end_wait();
        }
        drop(waiting);
        if left {
            // It may have been the heavy one that others could not pass.
            self.hand_off_if_room();
        }
        waiter.fate
    }

    /// Ends a wait whose owner went away.
    pub(in crate::limiter) fn abandon_waiter(&self, ticket: Ticket) {
        match self.remove_waiter(ticket) {
            Fate::Granted(granted, waited) => {
                self.release(granted, 0, Outcome::Ignore);
                self.note_wait(waited);
            }
            // Refused before the owner could hear of it: it went away all the same.
            Fate::Waiting | Fate::Refused(_) => self.cells.cancelled.increment(0),
        }
    }

    /// Lets newcomers pass again. Under the queue's lock.
    pub(super) fn unflag_if_empty(&self, waiting: &Waiting) {
        if waiting.queue.is_empty() {
            self.state.fetch_and(!QUEUED, Ordering::Relaxed);
        }
    }

    pub(in crate::limiter) fn close(&self) {
        self.state.fetch_or(CLOSED, Ordering::AcqRel);
        loop {
            let mut waiting = self.waiting();
            let Some(ticket) = waiting.queue.any() else {
                return;
            };
            waiting.queue.leave(ticket);
            let waker = waiting.seal(ticket, Fate::Refused(RejectReason::Closed));
            self.end_wait();
            self.unflag_if_empty(&waiting);
            drop(waiting);
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    /// How many wait.
    pub(in crate::limiter) fn queued(&self) -> usize {
        self.waiting().queue.len()
    }

    pub(super) fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Nothing under this lock can panic halfway through a change.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
