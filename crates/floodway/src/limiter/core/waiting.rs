//! Joining the queue, leaving it, and passing permits on.

use std::{sync::Arc, task::Waker, time::Duration};

use floodway_control::{Class, Next, Refusal, Ticket, Verdict, WaitQueue, WaitRequest};
use tokio::{runtime, sync::Notify, time::Instant};

use super::{
    super::{
        permit::Granted,
        queue::{Fate, Queue, Waiter},
        rejected::RejectReason,
        state::{CLOSED, QUEUED, State},
    },
    Core, Want,
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

/// A task that refuses waiters whose deadline has passed.
#[derive(Debug)]
pub(in crate::limiter) struct Watch {
    pub(in crate::limiter) runtime: runtime::Id,
    /// When it looks next.
    pub(in crate::limiter) at: Duration,
    /// Makes it look at once.
    pub(in crate::limiter) nudge: Arc<Notify>,
}

/// Who tells a waiter that its deadline has passed.
#[derive(Debug)]
pub(in crate::limiter) enum Alarm {
    /// The watch, which will come by in time.
    Set,
    /// The watch, once it has been told to look earlier.
    Nudge(Arc<Notify>),
    /// A watch that is to be started.
    Start,
    /// A timer of its own: the watch runs on another runtime, which nobody may be driving.
    Own,
}

/// What came of joining the queue.
#[derive(Debug)]
pub(in crate::limiter) enum Admission {
    Granted(Granted),
    Queued { ticket: Ticket, deadline: Instant, alarm: Alarm },
    Refused(RejectReason),
}

impl Waiting {
    pub(super) fn new(queue: &Queue, partitions: &[f64]) -> Self {
        let Queue { config, enabled } = *queue;
        Self { queue: WaitQueue::new(config, partitions), enabled, watch: None }
    }

    fn alarm(&self, runtime: runtime::Id, deadline: Duration) -> Alarm {
        match &self.watch {
            None => Alarm::Start,
            Some(watch) if watch.runtime != runtime => Alarm::Own,
            Some(watch) if watch.at > deadline => Alarm::Nudge(Arc::clone(&watch.nudge)),
            Some(_) => Alarm::Set,
        }
    }

    /// Seals the fate of a waiter that has left its line, and returns whom to tell.
    fn seal(&mut self, ticket: Ticket, fate: Fate) -> Option<Waker> {
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
                match self.take(state, want) {
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
        if let Some(loser) = loser {
            loser.wake();
        }
        // The turn may have come to somebody who fits where the one before did not: to a newcomer
        // that goes first, or to who was behind the displaced.
        self.hand_off_if_room();
        Admission::Queued { ticket, deadline: self.origin + deadline, alarm }
    }

    fn begin_wait(&self) {
        if let Some(timings) = &self.cells.timings {
            timings.queued.begin(self.clock.now(), 1);
        }
    }

    fn end_wait(&self) {
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
            Fate::Granted(granted) => self.release(granted, 0, Outcome::Ignore),
            // Refused before the owner could hear of it: it went away all the same.
            Fate::Waiting | Fate::Refused(_) => self.cells.cancelled.increment(0),
        };
    }

    pub(in crate::limiter) fn hand_off_if_room(&self) {
        let state = self.state();
        if state.is_queued() && !state.is_saturated() {
            self.hand_off();
        }
    }

    /// Admits waiters while there is room.
    ///
    /// One lock per waiter rather than one for all: wakers run code of others, which must not
    /// happen under the lock, and collecting them would allocate.
    pub(super) fn hand_off(&self) {
        while let Some((waker, more)) = self.settle_next() {
            if let Some(waker) = waker {
                waker.wake();
            }
            if !more {
                return;
            }
        }
    }

    /// Seals the fate of the waiter whose turn it is, if there is room for it. Returns whom to
    /// tell, and whether there may be more to do.
    fn settle_next(&self) -> Option<(Option<Waker>, bool)> {
        // Before the lock, which is short compared with a look at the clock.
        let now = self.queue_time(Instant::now());
        let mut waiting = self.waiting();
        let limit = self.state().limit();
        let Next { ticket, weight, class } =
            waiting.queue.next(now, limit, |partition| self.partitions.in_use(partition))?;
        let want = Want { weight, priority: class.priority, partition: class.partition };
        let fate = self.settle(&mut waiting, now, ticket, want)?;
        self.end_wait();
        let waker = waiting.seal(ticket, fate);
        self.unflag_if_empty(&waiting);
        // After a refusal the next one is looked at even without room: it may be refused too.
        let refused = matches!(fate, Fate::Refused(_));
        let more = !waiting.queue.is_empty() && (refused || !self.state().is_saturated());
        Some((waker, more))
    }

    /// Decides about the waiter whose turn it is; `None` if it has to go on waiting.
    fn settle(
        &self,
        waiting: &mut Waiting,
        now: Duration,
        ticket: Ticket,
        want: Want,
    ) -> Option<Fate> {
        let mut state = self.state.load(Ordering::Relaxed);
        let mut verdict = None;
        loop {
            if State(state).is_closed() {
                return None;
            }
            if !State(state).fits_limit(want.weight) {
                // The limit has shrunk below its weight: it would keep everybody out.
                waiting.queue.leave(ticket);
                return Some(Fate::Refused(RejectReason::Weight));
            }
            if !State(state).has_room(want.weight) {
                return None;
            }
            // Once per turn, because a discipline remembers what it has seen.
            let refused = match *verdict.get_or_insert_with(|| waiting.queue.judge(now, ticket)) {
                Verdict::Admit => None,
                Verdict::Late => Some(RejectReason::Deadline),
                Verdict::Shed => Some(RejectReason::Shed),
            };
            if let Some(reason) = refused {
                waiting.queue.leave(ticket);
                return Some(Fate::Refused(reason));
            }
            match self.take(state, want) {
                Ok(granted) => {
                    let waited = waiting.queue.grant(now, ticket);
                    self.note_queued_grant(waiting, waited);
                    return Some(Fate::Granted(granted));
                }
                Err(current) => state = current,
            }
        }
    }

    fn note_queued_grant(&self, waiting: &Waiting, waited: Duration) {
        self.cells.acquired_queued.increment(0);
        let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        if let Some(timings) = &self.cells.timings {
            timings.queued_wait.record(nanos(waited));
        }
        if let Some(interval) = waiting.queue.interval() {
            self.interval.store(nanos(interval).max(1), Ordering::Relaxed);
        }
    }

    /// Refuses one waiter whose deadline has passed and returns whom to tell; else when to look
    /// again, and nothing if nobody waits, in which case the watch is over.
    pub(in crate::limiter) fn expire_one(&self) -> Expired {
        let mut waiting = self.waiting();
        let Some((deadline, ticket)) = waiting.queue.first_deadline() else {
            waiting.watch = None;
            return Expired::Nobody;
        };
        if deadline > self.queue_time(Instant::now()) {
            if let Some(watch) = &mut waiting.watch {
                watch.at = deadline;
            }
            return Expired::Until(self.origin + deadline);
        }
        waiting.queue.leave(ticket);
        self.end_wait();
        let waker = waiting.seal(ticket, Fate::Refused(RejectReason::Deadline));
        self.unflag_if_empty(&waiting);
        Expired::One(waker)
    }

    /// Sets the watch, if there is none; else who tells a waiter on `runtime`.
    pub(in crate::limiter) fn start_watch(
        &self,
        runtime: runtime::Id,
    ) -> Result<Arc<Notify>, Alarm> {
        let mut waiting = self.waiting();
        if waiting.watch.is_some() {
            // It was set after the waiter joined, and begins with a look at everybody.
            return Err(waiting.alarm(runtime, Duration::MAX));
        }
        let nudge = Arc::new(Notify::new());
        let watch = Watch { runtime, at: Duration::ZERO, nudge: Arc::clone(&nudge) };
        waiting.watch = Some(watch);
        Ok(nudge)
    }

    /// The watch was dropped with its runtime: everybody who waits has to look after themselves.
    pub(in crate::limiter) fn lose_watch(&self) {
        let mut wakers = Vec::new();
        let mut waiting = self.waiting();
        waiting.watch = None;
        waiting.queue.for_each_waiting(|waiter| wakers.extend(waiter.waker.clone()));
        drop(waiting);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Lets newcomers pass again. Under the queue's lock.
    fn unflag_if_empty(&self, waiting: &Waiting) {
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

/// What a look at the deadlines came to.
pub(in crate::limiter) enum Expired {
    One(Option<Waker>),
    Until(Instant),
    Nobody,
}
