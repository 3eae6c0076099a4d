//! The right of one operation to hold several connections.

use std::{
    fmt,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use tokio::{
    sync::OwnedSemaphorePermit,
    task_local,
    time::{Instant, timeout_at},
};

use super::{
    ConnectionError, NestedAcquire, Pool, Pooled,
    gate::{Gate, SHORTLY},
    spare::Membership,
};
use crate::{Acquire, Limiter, Outcome, Permit, Priority, RejectReason, Rejected, limiter::Site};

/// The right of one operation to hold up to a number of connections at a time, obtained before it
/// holds any. Made by [`PoolLimiter::claim`](crate::PoolLimiter::claim).
///
/// Take connections with [`connection`](Self::connection); or run the operation in
/// [`scope`](Self::scope), inside which [`PoolLimiter::connection`](crate::PoolLimiter::connection)
/// takes them from the claim.
///
/// Connections may outlive the claim they were taken from. What it set aside comes back with the
/// last of them.
#[must_use = "a claim that is dropped at once was obtained for nothing"]
pub struct Claim<P: Pool> {
    gate: Arc<Gate<P>>,
    claimed: Arc<Claimed>,
}

impl<P: Pool> Claim<P> {
    pub(super) fn new(gate: Arc<Gate<P>>, claimed: Arc<Claimed>) -> Self {
        Self { gate, claimed }
    }

    /// Waits for a connection until `deadline`.
    ///
    /// # Errors
    ///
    /// [`ConnectionError::NestedAcquire`] at once if the claim holds as many as it may; otherwise
    /// as for [`PoolLimiter::connection`](crate::PoolLimiter::connection).
    ///
    /// # Cancel safety
    ///
    /// As for [`PoolLimiter::connection`](crate::PoolLimiter::connection).
    #[track_caller]
    pub fn connection(
        &self,
        deadline: Instant,
    ) -> impl Future<Output = Result<Pooled<P>, ConnectionError<P::Error>>> + Send + use<P> {
        let (gate, claimed) = (Arc::clone(&self.gate), Arc::clone(&self.claimed));
        let site = Site::here();
        async move { gate.connection_of(claimed, deadline, site).await }
    }

    /// Runs `operation` inside this claim: where it asks the same pool limiter for a connection, in
    /// the same task, it gets one of the claim's.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops `operation`.
    pub fn scope<F: Future>(&self, operation: F) -> impl Future<Output = F::Output> + use<P, F> {
        let frame = Frame {
            gate: self.gate.address(),
            claimed: Arc::clone(&self.claimed),
            outer: SCOPE.try_with(Arc::clone).ok(),
        };
        SCOPE.scope(Arc::new(frame), operation)
    }

    /// How many connections may be held at a time.
    #[must_use]
    pub fn weight(&self) -> u32 {
        self.claimed.weight
    }

    /// How many are held, or being obtained, now.
    #[must_use]
    pub fn held(&self) -> u32 {
        self.claimed.out.load(Ordering::Relaxed)
    }
}

impl<P: Pool> fmt::Debug for Claim<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim")
            .field("limiter", &self.gate.limiter.name())
            .field("weight", &self.weight())
            .field("held", &self.held())
            .finish()
    }
}

task_local! {
    static SCOPE: Arc<Frame>;
}

/// A claim that the task runs inside of.
struct Frame {
    gate: usize,
    claimed: Arc<Claimed>,
    outer: Option<Arc<Self>>,
}

/// The claim on the pool limiter at `gate` that the calling code runs inside of, if it does.
pub(super) fn current(gate: usize) -> Option<Arc<Claimed>> {
    SCOPE
        .try_with(|frame| {
            let mut frames = std::iter::successors(Some(frame), |frame| frame.outer.as_ref());
            frames.find(|frame| frame.gate == gate).map(|frame| Arc::clone(&frame.claimed))
        })
        .ok()
        .flatten()
}

/// What a claim and its connections share; over when the last of them is gone.
pub(super) struct Claimed {
    weight: u32,
    out: AtomicU32,
    terms: Terms,
    _live: Live,
    site: Site,
}

/// Counts a claim while it is held.
pub(super) struct Live(Arc<AtomicU32>);

impl Live {
    pub(super) fn new(count: &Arc<AtomicU32>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

enum Terms {
    /// All permits, from the beginning. `None` only while it is dropped.
    Exact(Option<Permit>),
    UpTo {
        membership: Membership,
        /// Of the limiter that counts claims.
        _counted: Permit,
        /// One connection is obtained after the other, so that whether there is one already, and
        /// whether it has the turn, is known.
        order: tokio::sync::Mutex<()>,
        means: Mutex<Means>,
    },
}

/// What stands behind the connections of a claim that took none beforehand.
///
/// Those that come back give up the spare first. So there is a permit of its own behind the first
/// that is left, and the spare, which is one less than the claim, is enough for the others.
#[derive(Default)]
struct Means {
    own: Vec<Permit>,
    spare: u32,
    /// While `spare` is not 0.
    turn: Option<OwnedSemaphorePermit>,
}

impl Claimed {
    pub(super) fn exact(weight: u32, permit: Permit, live: Live, site: Site) -> Arc<Self> {
        Self::new(weight, Terms::Exact(Some(permit)), live, site)
    }

    pub(super) fn up_to(
        weight: u32,
        counted: Permit,
        membership: Membership,
        live: Live,
        site: Site,
    ) -> Arc<Self> {
        let terms = Terms::UpTo {
            membership,
            _counted: counted,
            order: tokio::sync::Mutex::default(),
            means: Mutex::default(),
        };
        Self::new(weight, terms, live, site)
    }

    fn new(weight: u32, terms: Terms, live: Live, site: Site) -> Arc<Self> {
        Arc::new(Self { weight, out: AtomicU32::new(0), terms, _live: live, site })
    }

    /// The error of who asks for more than the claim has.
    pub(super) fn exceeded(&self, site: Site) -> NestedAcquire {
        NestedAcquire { weight: self.weight, outer: self.site.location(), inner: site.location() }
    }

    /// Counts a connection that is about to be obtained, unless there are as many as may be.
    pub(super) fn take(self: Arc<Self>) -> Result<Place, Arc<Self>> {
        let more = |out| (out < self.weight).then_some(out + 1);
        // The count protects nothing but itself.
        match self.out.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more) {
            Ok(_) => Ok(Place(self)),
            Err(_) => Err(self),
        }
    }
}

/// That all went well is said once for all permits that were taken together.
impl Drop for Claimed {
    fn drop(&mut self) {
        if let Terms::Exact(permit) = &mut self.terms
            && let Some(permit) = permit.take()
        {
            permit.complete(Outcome::Success);
        }
    }
}

/// One connection of a claim, counted.
pub(super) struct Place(Arc<Claimed>);

impl Place {
    /// Waits for the right to one connection.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives back what it has got.
    pub(super) async fn right(
        self,
        limiter: &Limiter,
        deadline: Instant,
    ) -> Result<Share, Rejected> {
        self.obtain(limiter, deadline).await?;
        Ok(Share { place: self, outcome: Outcome::Ignore })
    }

    async fn obtain(&self, limiter: &Limiter, deadline: Instant) -> Result<(), Rejected> {
        let Terms::UpTo { membership, order, means, .. } = &self.0.terms else {
            return Ok(());
        };
        let late = || limiter.uncounted_refusal(RejectReason::Deadline, SHORTLY);
        let _order = timeout_at(deadline, order.lock()).await.map_err(|_| late())?;
        let holds_one = {
            let mut means = lock(means);
            if means.turn.is_some() {
                means.spare += 1;
                return Ok(());
            }
            !means.own.is_empty()
        };
        let request = Acquire::new().deadline(deadline);
        if !holds_one {
            let permit = limiter.acquire_with(request).await?;
            lock(means).own.push(permit);
            return Ok(());
        }
        // Who holds a connection goes before those who hold none, and need not wait for the queue
        // if its turn comes.
        let mut turn = pin!(timeout_at(deadline, membership.turn()));
        let turn = tokio::select! {
            biased;
            permit = limiter.acquire_with(request.priority(Priority::High)) => match permit {
                Ok(permit) => {
                    lock(means).own.push(permit);
                    return Ok(());
                }
                Err(rejected) if rejected.reason == RejectReason::Closed => return Err(rejected),
                Err(_) => turn.await,
            },
            turn = &mut turn => turn,
        };
        let turn = turn.map_err(|_| late())?;
        let mut means = lock(means);
        means.spare += 1;
        means.turn = Some(turn);
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.out.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The right to one connection of a claim.
pub(super) struct Share {
    place: Place,
    outcome: Outcome,
}

impl Share {
    /// Gives the right back and says how its use ended.
    pub(super) fn complete(mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

/// On every path: the place would otherwise be taken for ever.
impl Drop for Share {
    fn drop(&mut self) {
        let Terms::UpTo { means, .. } = &self.place.0.terms else {
            return;
        };
        let mut means = lock(means);
        if means.spare == 0 {
            let own = means.own.pop();
            // Outside the lock: it wakes others.
            drop(means);
            if let Some(own) = own {
                own.complete(self.outcome);
            }
            return;
        }
        means.spare -= 1;
        let turn = if means.spare == 0 { means.turn.take() } else { None };
        drop(means);
        drop(turn);
    }
}

fn lock(means: &Mutex<Means>) -> MutexGuard<'_, Means> {
    means.lock().unwrap_or_else(PoisonError::into_inner)
}
