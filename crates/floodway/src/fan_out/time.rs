//! The clocks that end a fan-out, and the one timer of a slot or a set of them.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::{StopReason, slot::NEVER};

/// One timer for many points in time, of which only the earliest matters.
///
/// It is not moved when a later one becomes the earliest: it fires too early once, which costs
/// less than moving it for every item.
#[derive(Default)]
pub(super) struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    armed: Option<u64>,
}

impl Timer {
    /// Ready once `due` has come, in nanoseconds since `origin`. Both follow tokio's clock, as its
    /// timers do.
    pub(super) fn poll(
        &mut self,
        context: &mut Context<'_>,
        due: u64,
        origin: Instant,
    ) -> Poll<u64> {
        if due == NEVER {
            return Poll::Pending;
        }
        loop {
            if self.armed.is_none_or(|armed| due < armed) {
                let now = since(origin);
                if due <= now {
                    return Poll::Ready(now);
                }
                let at = origin + Duration::from_nanos(due);
                match &mut self.sleep {
                    Some(sleep) => sleep.as_mut().reset(at),
                    None => self.sleep = Some(Box::pin(sleep_until(at))),
                }
                self.armed = Some(due);
            }
            let fired = self.sleep.as_mut().is_some_and(|s| s.as_mut().poll(context).is_ready());
            if !fired {
                return Poll::Pending;
            }
            // It may have been armed for an earlier point: look again.
            self.armed = None;
        }
    }
}

/// Nanoseconds of tokio's clock.
pub(super) fn since(origin: Instant) -> u64 {
    u64::try_from(origin.elapsed().as_nanos()).unwrap_or(NEVER)
}

type Cancelled = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What ends a fan-out from outside: its deadline, somebody who cancels it, the end of its grace.
pub(super) struct Stopper {
    deadline: Option<Pin<Box<Sleep>>>,
    cancelled: Option<Cancelled>,
    grace: Option<Duration>,
    grace_left: Option<Pin<Box<Sleep>>>,
}

impl Stopper {
    pub(super) fn new(
        deadline: Option<Instant>,
        cancelled: Option<Cancelled>,
        grace: Option<Duration>,
    ) -> Self {
        let deadline = deadline.map(|deadline| Box::pin(sleep_until(deadline)));
        Self { deadline, cancelled, grace, grace_left: None }
    }

    /// Whether somebody has to watch it.
    pub(super) const fn is_needed(&self) -> bool {
        self.deadline.is_some() || self.cancelled.is_some() || self.grace.is_some()
    }

    /// Why to stop now, if there is a reason.
    pub(super) fn poll_stop(&mut self, context: &mut Context<'_>) -> Option<StopReason> {
        if let Some(cancelled) = &mut self.cancelled {
            // One that panics cannot say any more when to stop: better now than never.
            let poll = AssertUnwindSafe(|| cancelled.as_mut().poll(context).is_ready());
            if catch_unwind(poll).unwrap_or(true) {
                self.cancelled = None;
                return Some(StopReason::Cancelled);
            }
        }
        if let Some(deadline) = &mut self.deadline
            && deadline.as_mut().poll(context).is_ready()
        {
            self.deadline = None;
            return Some(StopReason::Deadline);
        }
        None
    }

    /// After a stop: whether what still runs has to go now.
    pub(super) fn poll_grace(&mut self, context: &mut Context<'_>) -> bool {
        let Some(grace) = self.grace else {
            return true;
        };
        let left = self.grace_left.get_or_insert_with(|| Box::pin(sleep(grace)));
        left.as_mut().poll(context).is_ready()
    }
}
