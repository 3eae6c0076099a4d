//! Refusing those whose deadline has passed.

use std::{sync::Arc, task::Waker, time::Duration};

use tokio::{runtime, sync::Notify, time::Instant};

use super::{
    super::{queue::Fate, rejected::RejectReason},
    Core, Waiting,
};

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

/// What a look at the deadlines came to.
pub(in crate::limiter) enum Expired {
    One(Option<Waker>),
    Until(Instant),
    Nobody,
}

impl Waiting {
    /// Who tells a waiter on `runtime` that `deadline` has passed.
    pub(super) fn alarm(&self, runtime: runtime::Id, deadline: Duration) -> Alarm {
        match &self.watch {
            None => Alarm::Start,
            Some(watch) if watch.runtime != runtime => Alarm::Own,
            Some(watch) if watch.at > deadline => Alarm::Nudge(Arc::clone(&watch.nudge)),
            Some(_) => Alarm::Set,
        }
    }
}

impl Core {
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
        // Taken, not cloned: a waker is foreign code. Whoever is woken leaves a new one.
        waiting.queue.for_each_waiting(|waiter| wakers.extend(waiter.waker.take()));
        drop(waiting);
        wakers.into_iter().for_each(Waker::wake);
    }
}
