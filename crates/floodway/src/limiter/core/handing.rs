//! Passing permits on to those who wait.

use std::{task::Waker, time::Duration};

use floodway_control::{Next, Ticket, Verdict};

use super::{
    super::{queue::Fate, rejected::RejectReason, state::State},
    Core, Waiting, Want,
};
use crate::sync::Ordering;

impl Core {
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
        self.look_at_lease();
        // Before the lock, which is short compared with a look at the clock.
        let now = self.queue_time_now();
        let mut waiting = self.waiting();
        let state = self.state();
        let limit = state.limit();
        let in_use = |partition| self.partitions.in_use(partition, state.in_flight());
        let Next { ticket, weight, class } = waiting.queue.next(now, limit, in_use)?;
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
            match self.take(state, want, 0) {
                Ok(granted) => {
                    let waited = waiting.queue.grant(now, ticket);
                    self.note_queued_grant(waiting);
                    return Some(Fate::Granted(granted, waited));
                }
                Err(current) => state = current,
            }
        }
    }

    /// Counts a grant under the queue's lock, so that whoever reads the permits that are out and
    /// then how many wait finds it counted.
    fn note_queued_grant(&self, waiting: &Waiting) {
        self.cells.acquired_queued.increment(0);
        if let Some(interval) = waiting.queue.interval() {
            self.interval.store(nanos(interval).max(1), Ordering::Relaxed);
        }
    }

    /// Records the wait for a grant. By whoever waited, outside of the queue's lock and with the
    /// permit in safe hands: the histogram asks foreign code in which trace this thread is.
    #[cold]
    pub(in crate::limiter) fn note_wait(&self, waited: Duration) {
        if let Some(timings) = &self.cells.timings {
            timings.queued_wait.record(nanos(waited));
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
