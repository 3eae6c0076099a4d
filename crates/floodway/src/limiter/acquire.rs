//! The future that waits for a permit.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use floodway_control::{Priority, Ticket};
use tokio::{
    runtime::Handle,
    time::{Instant, Sleep, sleep_until, timeout_at},
};

use super::{
    cells::LENT,
    core::{Admission, Alarm, Core, Want},
    misuse::Site,
    nested::{self, Nesting},
    permit::{Granted, Permit},
    queue::Fate,
    rejected::{RejectReason, Rejected},
    watch,
};

/// How a permit is asked for.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Acquire {
    pub(super) deadline: Option<Instant>,
    weight: u32,
    priority: Priority,
}

impl Acquire {
    /// One permit of normal priority; the queue's longest wait is the only deadline.
    pub const fn new() -> Self {
        Self { deadline: None, weight: 1, priority: Priority::Normal }
    }

    /// Refuses once `deadline` has passed, if [`Queue::max_wait`](crate::Queue::max_wait) does
    /// not come first. A deadline that has passed already is refused without a permit.
    pub const fn deadline(mut self, deadline: Instant) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// How many permits the operation needs; all are granted at once. Refused with
    /// [`RejectReason::Weight`] if it is 0 or above the limit.
    ///
    /// While an operation waits for its permits, lighter ones do not overtake it.
    pub const fn weight(mut self, permits: u32) -> Self {
        self.weight = permits;
        self
    }

    /// How much the operation matters, once it has to wait; by default
    /// [`Normal`](Priority::Normal).
    pub const fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    pub(super) const fn want(self, partition: u16) -> Want {
        Want { weight: self.weight, priority: self.priority, partition }
    }
}

impl Default for Acquire {
    fn default() -> Self {
        Self::new()
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
    want: Want,
    /// The caller's, until it is queued; then that of its wait.
    deadline: Option<Instant>,
    /// Its place in the queue, once it has one.
    ticket: Option<Ticket>,
    /// What few callers need and those that do not should not move about.
    rare: Option<Box<Rare>>,
    site: Site,
    /// Whether a task that holds a permit while it waits is reported.
    #[cfg(debug_assertions)]
    trusted: bool,
}

enum Rare {
    /// Has not asked yet, and is to ask who lent to the operation that it belongs to.
    Lender(Lender),
    /// A timer of its own, where nobody else watches the deadline.
    Timer(Pin<Box<Sleep>>),
    /// Waits until the permit that it runs inside of is not lent to others.
    Borrowing(Pin<Box<dyn Future<Output = Lent> + Send + Sync>>),
}

/// The operation that lends to those inside it, to be asked from elsewhere: by the tasks that it
/// spawned and waits for.
#[derive(Clone, Debug)]
pub(crate) struct Lender {
    pub(super) loans: Arc<nested::Loans>,
    pub(super) outer: Site,
}

type Lent = Result<(Granted, Nesting), RejectReason>;

/// A grant, and what is to be done about it once a permit holds it.
struct Received {
    granted: Granted,
    nesting: Option<Nesting>,
    /// For how long it was queued for, which is to be recorded.
    waited: Option<Duration>,
}

impl Received {
    const fn at_once(granted: Granted) -> Self {
        Self { granted, nesting: None, waited: None }
    }

    const fn after(granted: Granted, waited: Duration) -> Self {
        Self { granted, nesting: None, waited: Some(waited) }
    }

    fn inside((granted, nesting): (Granted, Nesting)) -> Self {
        Self { granted, nesting: Some(nesting), waited: None }
    }
}

type Answer = Result<Received, RejectReason>;

impl Acquiring {
    #[inline]
    pub(super) fn new(core: Arc<Core>, request: Acquire, partition: u16, site: Site) -> Self {
        let want = request.want(partition);
        Self {
            core: Some(core),
            want,
            deadline: request.deadline,
            ticket: None,
            rare: None,
            site,
            #[cfg(debug_assertions)]
            trusted: false,
        }
    }

    /// As asked for at `site`, by a part of this crate that knows what it does: nothing is reported
    /// where its task holds a permit already.
    pub(crate) fn on_behalf_of(mut self, site: Site) -> Self {
        self.site = site;
        #[cfg(debug_assertions)]
        {
            self.trusted = true;
        }
        self
    }

    /// Asks `lender` first, wherever it is polled.
    pub(super) fn lent_by(mut self, lender: Option<&Lender>) -> Self {
        self.rare = lender.map(|lender| Box::new(Rare::Lender(lender.clone())));
        self
    }

    /// All but the way of a caller without a deadline that finds a permit free.
    #[inline(never)]
    fn poll_slowly(&mut self, context: &mut Context<'_>) -> Poll<Result<Permit, Rejected>> {
        let lender = self.rare.take_if(|rare| matches!(**rare, Rare::Lender(_)));
        let answer = if let Some(Rare::Lender(Lender { loans, outer })) = lender.map(|rare| *rare)
            && !loans.is_over()
        {
            self.borrow(&loans, outer, context)
        } else if let Some(Rare::Borrowing(borrowing)) = self.rare.as_deref_mut() {
            borrowing.as_mut().poll(context).map(|lent| lent.map(Received::inside))
        } else if let Some(ticket) = self.ticket {
            self.poll_queued(ticket, context)
        } else {
            self.ask(context)
        };
        let Poll::Ready(answer) = answer else {
            return Poll::Pending;
        };
        self.ticket = None;
        self.rare = None;
        let core = self.core.take().expect("polled after completion");
        Poll::Ready(match answer {
            Ok(Received { granted, nesting, waited }) => {
                let permit = Permit::nested(core, granted, nesting, self.site);
                if let Some(waited) = waited {
                    permit.core().note_wait(waited);
                }
                Ok(permit)
            }
            Err(reason) => Err(core.reject(reason, self.want.priority)),
        })
    }

    fn core(&self) -> &Arc<Core> {
        self.core.as_ref().expect("polled after completion")
    }

    fn ask(&mut self, context: &mut Context<'_>) -> Poll<Answer> {
        if self.core().refuses_late(self.deadline) {
            return Poll::Ready(Err(RejectReason::Deadline));
        }
        if let Some((loans, outer)) = nested::lender(self.core()) {
            return self.borrow(&loans, outer, context);
        }
        match self.core().try_acquire(self.want) {
            Ok(granted) => Poll::Ready(Ok(Received::at_once(granted))),
            Err(_) => self.enqueue(context),
        }
    }

    fn borrow(
        &mut self,
        loans: &Arc<nested::Loans>,
        outer: Site,
        context: &mut Context<'_>,
    ) -> Poll<Answer> {
        let core = Arc::clone(self.core());
        match loans.ask(self.want, outer, self.site) {
            Ok((granted, nesting)) => {
                return Poll::Ready(Ok(Received { granted, nesting, waited: None }));
            }
            Err(Some(reason)) => return Poll::Ready(Err(reason)),
            Err(None) => {}
        }
        let weight = self.want.weight;
        let latest = core.latest_deadline(self.deadline);
        let loans = Arc::clone(loans);
        let mut borrowing: Pin<Box<dyn Future<Output = Lent> + Send + Sync>> =
            Box::pin(async move {
                match timeout_at(latest, loans.borrow(weight)).await {
                    Ok(Some(lent)) => {
                        core.cells().nested.increment(LENT);
                        Ok(lent)
                    }
                    Ok(None) => Err(RejectReason::Nested),
                    Err(_) => Err(RejectReason::Deadline),
                }
            });
        let lent = borrowing.as_mut().poll(context);
        if lent.is_pending() {
            self.rare = Some(Box::new(Rare::Borrowing(borrowing)));
        }
        lent.map(|lent| lent.map(Received::inside))
    }

    fn enqueue(&mut self, context: &mut Context<'_>) -> Poll<Answer> {
        let core = Arc::clone(self.core());
        let Ok(runtime) = Handle::try_current() else {
            let reason = core.state().refusal(self.want.weight);
            // Before joining: who panics here has no place in the queue to which a permit would go.
            assert!(
                reason != RejectReason::NoPermit || !core.has_queue(),
                "waiting for a permit needs a tokio runtime"
            );
            return Poll::Ready(Err(reason));
        };
        #[cfg(debug_assertions)]
        if !self.trusted {
            core.holders().check(core.name(), self.site);
        }
        match core.enqueue(self.want, self.deadline, runtime.id(), context.waker()) {
            Admission::Granted(granted) => Poll::Ready(Ok(Received::at_once(granted))),
            Admission::Refused(reason) => Poll::Ready(Err(reason)),
            Admission::Queued { ticket, deadline, alarm, loser } => {
                // Its place is this caller's from here on, whatever a waker of others does.
                self.ticket = Some(ticket);
                self.deadline = Some(deadline);
                if let Some(loser) = loser {
                    loser.wake();
                }
                // The turn may have come to somebody who fits where the one before did not: to this
                // caller, if it goes first, or to who was behind the displaced.
                core.hand_off_if_room();
                let alarm = watch::set(&core, &runtime, alarm);
                if matches!(alarm, Alarm::Own) {
                    self.rare = Some(Box::new(Rare::Timer(Box::pin(sleep_until(deadline)))));
                    return self.poll_queued(ticket, context);
                }
                Poll::Pending
            }
        }
    }

    fn poll_queued(&mut self, ticket: Ticket, context: &mut Context<'_>) -> Poll<Answer> {
        let core = self.core.as_ref().expect("polled after completion");
        let (fate, watched) = core.poll_waiter(ticket, context.waker());
        match fate {
            Fate::Granted(granted, waited) => {
                return Poll::Ready(Ok(Received::after(granted, waited)));
            }
            Fate::Refused(reason) => return Poll::Ready(Err(reason)),
            Fate::Waiting => {}
        }
        let deadline = self.deadline.unwrap_or_else(Instant::now);
        if !watched && self.rare.is_none() {
            self.rare = Some(Box::new(Rare::Timer(Box::pin(sleep_until(deadline)))));
        }
        let late = match self.rare.as_deref_mut() {
            Some(Rare::Timer(timer)) => timer.as_mut().poll(context).is_ready(),
            _ => deadline <= Instant::now(),
        };
        if !late {
            return Poll::Pending;
        }
        // Given up before it is freed: freeing wakes others, who may panic.
        self.ticket = None;
        // A grant that came between the two looks counts.
        match core.remove_waiter(ticket) {
            Fate::Granted(granted, waited) => Poll::Ready(Ok(Received::after(granted, waited))),
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
        let asks = this.ticket.is_none() && this.rare.is_none();
        if asks && this.deadline.is_none() && !nested::is_inside() {
            let core = this.core.as_ref().expect("polled after completion");
            if let Ok(granted) = core.try_acquire(this.want) {
                let core = this.core.take().expect("just used");
                return Poll::Ready(Ok(Permit::new(core, granted, this.site)));
            }
        }
        this.poll_slowly(context)
    }
}

/// Leaves the queue, or gives back a permit that was granted and not received.
impl Drop for Acquiring {
    #[inline]
    fn drop(&mut self) {
        if let (Some(ticket), Some(core)) = (self.ticket, &self.core) {
            core.abandon_waiter(ticket);
        }
    }
}

impl fmt::Debug for Acquiring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acquiring")
            .field("limiter", &self.core.as_ref().map(|core| core.name()))
            .field("queued", &self.ticket.is_some())
            .finish_non_exhaustive()
    }
}
