//! The limiter: who may run now.

mod acquire;
mod builder;
mod ceiling;
mod cells;
mod core;
mod handle;
mod map;
mod misuse;
mod mode;
mod nested;
mod partition;
mod permit;
mod queue;
mod rejected;
mod state;
mod watch;

use std::{fmt, sync::Arc, time::Duration};

use floodway_metrics::HistogramValue;

use self::core::Core;
pub(crate) use self::{acquire::Lender, ceiling::Bounded, misuse::Site, permit::Loose};
pub use self::{
    acquire::{Acquire, Acquiring},
    builder::LimiterBuilder,
    ceiling::{Ceiling, CeilingTerm},
    cells::Instrumentation,
    handle::LimiterHandle,
    map::{LimiterMap, LimiterMapBuilder},
    mode::Mode,
    nested::Entered,
    permit::Permit,
    queue::Queue,
    rejected::{RejectReason, Rejected},
    state::MAX_PERMITS,
};
use crate::{LimitError, Priority, UnknownPartition};

/// Lets a bounded number of operations run at once and the next few wait; refuses the rest.
///
/// A counting semaphore at heart, with what a semaphore lacks: a wait queue that is bounded by
/// length and by deadline, refusals that say why and when to come back, a limit that can shrink
/// while permits are out, and numbers from birth.
///
/// Waiters are served by priority and then in the order that the [`Queue`] says, by default first
/// come, first served. Nobody overtakes them: while somebody waits, newcomers queue even if a permit
/// is free at that instant.
///
/// Cloning is cheap and gives the same limiter. Use [`PoolLimiter`](crate::PoolLimiter) where the
/// bound is the size of a connection pool, and `floodway-tower`'s `LimiterLayer` to put a limiter
/// in front of a service.
///
/// # Cost
///
/// An uncontended acquire and release is two atomic operations on one word and some counters,
/// without lock or allocation, under a limit that does not adapt. An adaptive one takes a short lock
/// at each release; `cargo xtask bench limiter` prints it beside tokio's semaphore.
///
/// # Examples
///
/// ```
/// use floodway::{Limiter, Outcome, RejectReason};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let limiter = Limiter::builder("thumbnails").limit(1).build()?;
/// let permit = limiter.acquire().await?;
/// let refused = limiter.try_acquire().unwrap_err();
/// assert_eq!(refused.reason, RejectReason::NoPermit);
/// permit.complete(Outcome::Success);
/// assert_eq!(limiter.in_flight(), 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Limiter {
    core: Arc<Core>,
    /// Whom permits are booked to.
    partition: u16,
}

impl Limiter {
    /// Starts to describe a limiter called `name`, which is its label on every metric.
    pub fn builder(name: impl Into<String>) -> LimiterBuilder {
        LimiterBuilder::new(name.into())
    }

    /// Waits for a permit, in the queue and no longer than the queue allows.
    ///
    /// Use [`acquire_with`](Self::acquire_with) to bring a deadline.
    ///
    /// # Errors
    ///
    /// [`Rejected`] if there is no place in the queue, or no queue; if the wait exceeded
    /// [`Queue::max_wait`] or would have; if the queue shed the caller or gave its place to another;
    /// or if the limiter was closed. See [`RejectReason`].
    ///
    /// # Panics
    ///
    /// If it has to wait outside a tokio runtime with time enabled.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up the place in the queue, and gives back a permit that was
    /// granted but not yet received. A caller that starts again starts at the end of the queue.
    #[inline]
    #[track_caller]
    pub fn acquire(&self) -> Acquiring {
        self.acquire_with(Acquire::new())
    }

    /// Waits for a permit as `request` says.
    ///
    /// # Errors
    ///
    /// As for [`acquire`](Self::acquire), and if the deadline of the request passes.
    ///
    /// # Cancel safety
    ///
    /// As for [`acquire`](Self::acquire).
    #[inline]
    #[track_caller]
    pub fn acquire_with(&self, request: Acquire) -> Acquiring {
        Acquiring::new(Arc::clone(&self.core), request, self.partition, Site::here())
    }

    /// Takes a permit if one is free and nobody waits.
    ///
    /// # Errors
    ///
    /// [`Rejected`] with [`RejectReason::NoPermit`] or [`RejectReason::Closed`].
    #[inline]
    #[track_caller]
    pub fn try_acquire(&self) -> Result<Permit, Rejected> {
        self.try_acquire_with(Acquire::new())
    }

    /// Takes as many permits as `request` says, if they are free and nobody waits. A deadline in
    /// it makes no difference, unless it has passed.
    ///
    /// # Errors
    ///
    /// As for [`try_acquire`](Self::try_acquire), and [`RejectReason::Weight`],
    /// [`RejectReason::Deadline`] and [`RejectReason::Nested`].
    #[inline]
    #[track_caller]
    pub fn try_acquire_with(&self, request: Acquire) -> Result<Permit, Rejected> {
        let want = request.want(self.partition);
        let site = Site::here();
        let core = &self.core;
        if core.refuses_late(request.deadline) {
            return Err(core.reject(RejectReason::Deadline, want.priority));
        }
        let answer = match nested::lender(core) {
            Some((loans, outer)) => loans
                .ask(want, outer, site)
                .map_err(|refused| refused.unwrap_or(RejectReason::NoPermit)),
            None => core
                .try_acquire(want)
                .map(|granted| (granted, None))
                .map_err(|state| state.refusal(want.weight)),
        };
        match answer {
            Ok((granted, nesting)) => Ok(Permit::nested(Arc::clone(core), granted, nesting, site)),
            Err(reason) => Err(core.reject(reason, want.priority)),
        }
    }

    /// Takes permits that are free, from `lender` first; a refusal is not counted as one.
    #[inline]
    #[track_caller]
    pub(crate) fn admit_now(&self, request: Acquire, lender: Option<&Lender>) -> Option<Permit> {
        let want = request.want(self.partition);
        let site = Site::here();
        let core = &self.core;
        let (granted, nesting) = match lender {
            Some(Lender { loans, outer }) if !loans.is_over() => {
                loans.ask(want, *outer, site).ok()?
            }
            _ => (core.try_acquire(want).ok()?, None),
        };
        Some(Permit::nested(Arc::clone(core), granted, nesting, site))
    }

    /// Takes a permit that is free and nobody waits for, outside of any operation that would lend its
    /// own; a refusal is not counted as one.
    #[inline]
    pub(crate) fn admit_at_once(&self, site: Site) -> Option<Permit> {
        if nested::is_inside() {
            return None;
        }
        let granted = self.core.try_acquire(Acquire::new().want(self.partition)).ok()?;
        Some(Permit::new(Arc::clone(&self.core), granted, site))
    }

    /// Waits for permits, asking `lender` first.
    #[track_caller]
    pub(crate) fn admit(&self, request: Acquire, lender: Option<&Lender>) -> Acquiring {
        self.acquire_with(request).lent_by(lender)
    }

    /// The operation of this limiter inside which the calling code runs, if it does.
    pub(crate) fn lender(&self) -> Option<Lender> {
        nested::lender(&self.core).map(|(loans, outer)| Lender { loans, outer })
    }

    /// Counts a refusal that was decided elsewhere.
    pub(crate) fn refuse(&self, reason: RejectReason) -> Rejected {
        self.core.reject(reason, Priority::Normal)
    }

    /// How long permits were waited for that were not free, where durations are measured.
    pub(crate) fn queued_waits(&self) -> Option<HistogramValue> {
        self.core.cells().timings.as_ref().map(|timings| timings.queued_wait.value())
    }

    /// A refusal of who has not asked for a permit, or has one; not counted.
    pub(crate) fn uncounted_refusal(
        &self,
        reason: RejectReason,
        retry_after: Duration,
    ) -> Rejected {
        Rejected { reason, retry_after, limit: self.limit(), in_flight: self.in_flight() }
    }

    /// The limit that the algorithm has chosen, whatever the ceilings are.
    #[must_use]
    pub fn algorithm_limit(&self) -> u32 {
        self.core.algorithm_limit()
    }

    /// Tells limiters apart, in an order that all agree on.
    pub(crate) fn address(&self) -> usize {
        Arc::as_ptr(&self.core) as usize
    }

    /// Runs `operation` under a permit; it is not polled before it has one.
    ///
    /// Where `operation` asks this limiter for another permit, in the same task, it is lent this
    /// one: see [`Permit::scope`].
    ///
    /// Completion counts as [`Outcome::Success`](crate::Outcome), whatever the output. To say
    /// otherwise, [`acquire`](Self::acquire) a permit and [`complete`](Permit::complete) it.
    ///
    /// # Errors
    ///
    /// As for [`acquire`](Self::acquire); `operation` is dropped without having been polled.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops `operation` and gives the permit back.
    #[track_caller]
    pub fn run<F: Future>(
        &self,
        operation: F,
    ) -> impl Future<Output = Result<F::Output, Rejected>> + use<F> {
        Self::run_under(self.acquire(), operation)
    }

    async fn run_under<F: Future>(
        acquiring: Acquiring,
        operation: F,
    ) -> Result<F::Output, Rejected> {
        let mut permit = acquiring.await?;
        let output = permit.scope(operation).await;
        permit.complete(crate::Outcome::Success);
        Ok(output)
    }

    /// This limiter for callers of the partition called `name`: the permits they take are booked
    /// to it. Give each of them their own.
    ///
    /// # Errors
    ///
    /// If the limiter was built without such a [partition](LimiterBuilder::partition).
    pub fn partition(&self, name: &str) -> Result<Self, UnknownPartition> {
        let partition = self.core.partitions().find(self.name(), name)?;
        Ok(Self { core: Arc::clone(&self.core), partition })
    }

    /// The partition that permits are booked to, if the limiter has any.
    #[must_use]
    pub fn partition_name(&self) -> Option<&str> {
        self.core.partitions().name(self.partition)
    }

    /// The limiter as an operator sees it: to read and change while it runs.
    #[must_use]
    pub fn handle(&self) -> LimiterHandle {
        LimiterHandle::new(Arc::clone(&self.core))
    }

    /// Changes the limit of the algorithm, at once and for as long as the algorithm leaves it.
    ///
    /// A larger limit admits waiters before this returns. With a smaller one nothing new is
    /// admitted until enough permits have come back; those that are out are not interrupted.
    /// Ceilings still apply: see [`limit`](Self::limit).
    ///
    /// # Errors
    ///
    /// If `limit` is outside the bounds; see [`LimiterBuilder::bounds`].
    pub fn set_limit(&self, limit: u32) -> Result<(), LimitError> {
        self.core.set_limit(limit)
    }

    /// Refuses everything from now on, waiters included. Permits that are out stay valid, and are
    /// lent to what is nested in their operations.
    pub fn close(&self) {
        self.core.close();
    }

    /// Whether [`close`](Self::close) was called.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.core.state().is_closed()
    }

    /// The name given at build time.
    #[must_use]
    pub fn name(&self) -> &str {
        self.core.name()
    }

    /// How many permits may be out now: the algorithm's limit or the lowest ceiling.
    #[must_use]
    pub fn limit(&self) -> u32 {
        self.core.limit()
    }

    /// How many permits are out now. Above [`limit`](Self::limit) after it shrank, until enough
    /// have come back.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.core.state().in_flight()
    }

    /// How many callers wait now.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.core.queued()
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limiter")
            .field("name", &self.name())
            .field("limit", &self.limit())
            .field("in_flight", &self.in_flight())
            .field("queued", &self.queued())
            .finish()
    }
}
