//! The future that waits for a permit.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::time::{Instant, Sleep, sleep_until};

use super::{
    core::{Admission, Core},
    permit::{Granted, Permit},
    queue::Fate,
    rejected::{RejectReason, Rejected},
};

/// How a permit is asked for.
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct Acquire {
    pub(super) deadline: Option<Instant>,
}

impl Acquire {
    /// With no wishes: the queue's longest wait is the only deadline.
    pub const fn new() -> Self {
        Self { deadline: None }
    }

    /// Refuses once `deadline` has passed, if [`Queue::max_wait`](crate::Queue::max_wait) does
    /// not come first. A deadline that has passed already is refused without a permit.
    pub const fn deadline(mut self, deadline: Instant) -> Self {
        self.deadline = Some(deadline);
        self
    }
}

/// Resolves to a [`Permit`] or [`Rejected`].
///
/// Made by [`Limiter::acquire`](crate::Limiter::acquire); joins the queue when first polled.
/// Dropping it leaves the queue, see there.
#[must_use = "futures do nothing unless polled"]
pub struct Acquiring {
    /// Taken by the permit.
    core: Option<Arc<Core>>,
    request: Acquire,
    /// Boxed because few callers wait, and those that do not should not move a timer about.
    queued: Option<Box<Queued>>,
}

struct Queued {
    slot: usize,
    /// Armed after the slot is owned, because arming can panic.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Acquiring {
    #[inline]
    pub(super) fn new(core: Arc<Core>, request: Acquire) -> Self {
        Self { core: Some(core), request, queued: None }
    }

    #[inline]
    fn start(&mut self, context: &mut Context<'_>) -> Poll<Result<Granted, RejectReason>> {
        let core = self.core.as_ref().expect("polled after completion");
        if self.request.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Poll::Ready(Err(RejectReason::Deadline));
        }
        match core.try_acquire() {
            Ok(granted) => Poll::Ready(Ok(granted)),
            Err(_) => self.enqueue(context),
        }
    }

    #[cold]
    fn enqueue(&mut self, context: &mut Context<'_>) -> Poll<Result<Granted, RejectReason>> {
        let core = self.core.as_ref().expect("polled after completion");
        match core.enqueue(self.request.deadline, context.waker()) {
            Admission::Granted(granted) => Poll::Ready(Ok(granted)),
            Admission::Refused(reason) => Poll::Ready(Err(reason)),
            Admission::Queued { slot, deadline } => {
                let queued = self.queued.insert(Box::new(Queued { slot, timer: None }));
                queued.timer = Some(Box::pin(sleep_until(deadline)));
                queued.poll(core, context)
            }
        }
    }
}

impl Queued {
    fn poll(
        &mut self,
        core: &Core,
        context: &mut Context<'_>,
    ) -> Poll<Result<Granted, RejectReason>> {
        let mut fate = core.poll_waiter(self.slot, context.waker());
        if let Fate::Waiting = fate
            && let Some(timer) = &mut self.timer
            && timer.as_mut().poll(context).is_ready()
        {
            fate = Fate::Refused(RejectReason::Deadline);
        }
        match fate {
            Fate::Waiting => return Poll::Pending,
            Fate::Granted(_) | Fate::Refused(_) => {}
        }
        // A grant that came between the two looks counts.
        match core.remove_waiter(self.slot) {
            Fate::Granted(granted) => Poll::Ready(Ok(granted)),
            Fate::Refused(reason) => Poll::Ready(Err(reason)),
            Fate::Waiting => Poll::Ready(Err(RejectReason::Deadline)),
        }
    }
}

impl Future for Acquiring {
    type Output = Result<Permit, Rejected>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let outcome = match (&mut this.queued, &this.core) {
            (Some(queued), Some(core)) => queued.poll(core, context),
            _ => this.start(context),
        };
        let Poll::Ready(outcome) = outcome else {
            return Poll::Pending;
        };
        this.queued = None;
        let core = this.core.take().expect("polled after completion");
        Poll::Ready(match outcome {
            Ok(granted) => Ok(Permit::new(core, granted)),
            Err(reason) => Err(core.reject(reason)),
        })
    }
}

/// Leaves the queue, or gives back a permit that was granted and not received.
impl Drop for Acquiring {
    #[inline]
    fn drop(&mut self) {
        if let (Some(core), Some(queued)) = (&self.core, &self.queued) {
            core.abandon_waiter(queued.slot);
        }
    }
}

impl fmt::Debug for Acquiring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acquiring")
            .field("limiter", &self.core.as_ref().map(|core| core.name()))
            .field("queued", &self.queued.is_some())
            .finish_non_exhaustive()
    }
}
