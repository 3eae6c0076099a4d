//! From a caller to a connection, or to a claim.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::Poll,
    time::Duration,
};

use floodway_control::PoolUse;
use tokio::time::{Instant, timeout_at};

use super::{
    super::{
        Claim, ConnectionError, PoolCause, Pooled, Weight,
        cause::{CONNECT_FAILING, FOREIGN},
        claim::{self, Claimed, Live, NoPlace},
        detached::Detached,
    },
    Gate, Pool, Right, Settled,
};
use crate::{Acquire, Outcome, RejectReason, Rejected, limiter::Site};

type Asked<P, T> = Result<T, ConnectionError<<P as Pool>::Error>>;

/// When to come back where nothing says how long it will take: the least time that is worth a
/// `Retry-After`.
pub(in crate::pool) const SHORTLY: Duration = Duration::from_secs(1);

/// Who asks, and since when.
#[derive(Clone, Copy)]
pub(super) struct Asking {
    /// In nanoseconds of the limiter's clock.
    pub(super) since: u64,
    pub(super) deadline: Instant,
    pub(super) site: Site,
}

impl<P: Pool> Gate<P> {
    pub(in crate::pool) async fn connection(
        self: Arc<Self>,
        deadline: Instant,
        site: Site,
    ) -> Asked<P, Pooled<P>> {
        if let Some(claimed) = claim::current(self.address()) {
            return self.connection_of(claimed, deadline, site).await;
        }
        let asking = self.ask(deadline, site)?;
        if let Some(permit) = self.limiter.admit_at_once(site) {
            return self.obtain(Right::Permit(permit), asking, asking.since).await;
        }
        let request = Acquire::new().deadline(deadline);
        match self.limiter.acquire_with(request).on_behalf_of(site).await {
            Ok(permit) => {
                let now = self.clock.now();
                self.obtain(Right::Permit(permit), asking, now).await
            }
            Err(rejected) => Err(self.refuse(rejected, asking)),
        }
    }

    /// One of the connections of a claim.
    pub(in crate::pool) async fn connection_of(
        self: Arc<Self>,
        claimed: Arc<Claimed>,
        deadline: Instant,
        site: Site,
    ) -> Asked<P, Pooled<P>> {
        let asking = self.ask(deadline, site)?;
        let late = || self.limiter.uncounted_refusal(RejectReason::Deadline, SHORTLY);
        let right = match claimed.place(deadline, site).await {
            Ok(place) => place.right(&self.limiter, deadline, site).await,
            Err(NoPlace::Late) => Err(late()),
            Err(NoPlace::Exceeded(nested)) => return Err(self.refuse_nested(nested)),
        };
        match right {
            Ok(share) => {
                let now = self.clock.now();
                self.obtain(Right::Share(share), asking, now).await
            }
            Err(rejected) => Err(self.refuse_share(rejected, asking)),
        }
    }

    pub(in crate::pool) async fn claim(
        self: Arc<Self>,
        weight: Weight,
        deadline: Instant,
        site: Site,
    ) -> Asked<P, Claim<P>> {
        if let Some(outer) = claim::current(self.address()) {
            return Err(self.refuse_nested(outer.exceeded(site)));
        }
        if self.limiter.is_closed() {
            let rejected = self.limiter.refuse(RejectReason::Closed);
            return Err(self.refuse_for(PoolCause::Closed, rejected));
        }
        let most = weight.most();
        if most == 0 || most > self.most {
            let rejected = self.limiter.refuse(RejectReason::Weight);
            let cause = PoolCause::Weight { weight: most, most: self.most };
            return Err(self.refuse_for(cause, rejected));
        }
        let asking = self.ask(deadline, site)?;
        let claimed = match weight {
            Weight::UpTo(2..) => self.claim_up_to(most, deadline, site).await,
            _ => {
                let request = Acquire::new().weight(most).deadline(deadline);
                let permit = self.limiter.acquire_with(request).on_behalf_of(site).await;
                permit.map(|permit| Claimed::exact(most, permit, Live::new(&self.claimed), site))
            }
        };
        match claimed {
            Ok(claimed) => {
                self.refresh(self.clock.now());
                Ok(Claim::new(self, claimed))
            }
            Err(rejected) => Err(self.refuse_claim(rejected, most, asking)),
        }
    }

    async fn claim_up_to(
        &self,
        most: u32,
        deadline: Instant,
        site: Site,
    ) -> Result<Arc<Claimed>, Rejected> {
        // As any other weight above the limit, where a limit of 0 counts as 1.
        if most > self.limiter.limit().max(1) {
            return Err(self.limiter.refuse(RejectReason::Weight));
        }
        let request = Acquire::new().weight(most - 1).deadline(deadline);
        let counted = self.claims.acquire_with(request).on_behalf_of(site).await;
        let counted = counted.map_err(|rejected| Rejected {
            // Of those that callers know of.
            limit: self.limiter.limit(),
            in_flight: self.limiter.in_flight(),
            ..rejected
        })?;
        let joined = self.spare.join(most - 1, deadline, site).await?;
        Ok(Claimed::up_to(most, joined, counted, Live::new(&self.claimed), site))
    }

    /// Turns callers away at once for whom there is nothing before their deadline.
    fn ask(&self, deadline: Instant, site: Site) -> Asked<P, Asking> {
        let asking = Asking { since: self.clock.now(), deadline, site };
        if self.is_late(asking) {
            // As where callers wait: no connection is opened for who is late.
            let rejected = self.limiter.refuse(RejectReason::Deadline);
            return Err(self.refuse_share(rejected, asking));
        }
        // Else a look may be overdue, where the runtime of the watch has ended.
        let settled = Settled(self.settled.load(Ordering::Relaxed));
        if !settled.is_recent(Duration::from_nanos(asking.since)) || !self.all_is_well() {
            self.refresh(asking.since);
        }
        if !self.all_is_well() {
            self.turn_away(asking)?;
        }
        Ok(asking)
    }

    /// Whether the deadline has passed. Tokio's clock is asked only if our own, which costs a third of
    /// it, says so, with what the two were apart at the last look.
    fn is_late(&self, asking: Asking) -> bool {
        let due = asking.deadline.saturating_duration_since(self.origin);
        let now = asking.since.wrapping_add(self.offset.load(Ordering::Relaxed));
        u128::from(now) >= due.as_nanos() && asking.deadline <= Instant::now()
    }

    /// While connecting fails, nothing is handed out before the next probe.
    #[cold]
    fn turn_away(&self, asking: Asking) -> Asked<P, ()> {
        let left = asking.deadline.saturating_duration_since(Instant::now());
        let Some(pause) = self.pause().filter(|pause| left <= *pause) else {
            return Ok(());
        };
        let rejected = self.limiter.refuse(RejectReason::Unmeetable);
        let rejected = Rejected { retry_after: rejected.retry_after.max(pause), ..rejected };
        Err(self.refuse(rejected, asking))
    }

    /// Asks the pool at `now` or so, with the right to do so.
    async fn obtain(
        self: Arc<Self>,
        right: Right,
        asking: Asking,
        now: u64,
    ) -> Asked<P, Pooled<P>> {
        let found = self.refresh(now);
        // What this caller was admitted for has been taken by others: it will wait in the pool.
        let blocked = found.filter(PoolUse::is_exhausted).map(|_| Blocked::new(&self));
        let probe = match self.all_is_well() {
            true => None,
            false => match self.probe(asking.deadline).await {
                Ok(probe) => probe,
                Err(()) => {
                    drop(blocked);
                    return Err(self.not_probed(right, asking));
                }
            },
        };
        let mut attempt = Detached::new(self, right, probe, blocked, asking.site);
        // Where the pool answers at once, no timer is set.
        let at_once = poll_fn(|context| Poll::Ready(Pin::new(&mut attempt).poll(context))).await;
        let done = match at_once {
            Poll::Ready(done) => Some(done),
            Poll::Pending => timeout_at(asking.deadline, &mut attempt).await.ok(),
        };
        let Some((result, gate, right)) = done else {
            return Err(attempt.gate().not_delivered(attempt.is_blocked()));
        };
        match result {
            Ok(connection) => {
                let now = gate.clock.now();
                gate.cells.wait.record(now.saturating_sub(asking.since));
                Ok(Pooled::new(gate, connection, right, now, asking.site))
            }
            Err(error) => {
                gate.give_back(right, Outcome::Overload, gate.clock.now());
                Err(ConnectionError::Pool(error))
            }
        }
    }

    /// It had a permit, and no turn to probe.
    #[cold]
    fn not_probed(&self, right: Right, asking: Asking) -> ConnectionError<P::Error> {
        let pause = self.pause().unwrap_or(SHORTLY);
        let reason = match self.limiter.is_closed() {
            true => RejectReason::Closed,
            false => RejectReason::Deadline,
        };
        let rejected = self.limiter.uncounted_refusal(reason, pause);
        self.give_back(right, Outcome::Ignore, self.clock.now());
        self.refuse_share(rejected, asking)
    }

    /// It had a permit, and the pool did not deliver in time.
    #[cold]
    fn not_delivered(&self, blocked: bool) -> ConnectionError<P::Error> {
        self.cells.rejections.increment(if blocked { FOREIGN } else { CONNECT_FAILING });
        let connect = self.pool.connects().and_then(|connects| connects.durations().mean());
        let error = ConnectionError::Deadline { connect: connect.map(Duration::from_nanos) };
        self.tell(&error);
        error
    }
}

/// An attempt that began when the pool had nothing left: it holds no connection, and waits in the
/// pool for one that somebody else uses.
pub(in crate::pool) struct Blocked<P: Pool>(Arc<Gate<P>>);

impl<P: Pool> Blocked<P> {
    #[cold]
    fn new(gate: &Arc<Gate<P>>) -> Self {
        gate.blocked.fetch_add(1, Ordering::AcqRel);
        gate.refresh(gate.clock.now());
        Self(Arc::clone(gate))
    }
}

/// However the attempt ended.
impl<P: Pool> Drop for Blocked<P> {
    fn drop(&mut self) {
        self.0.blocked.fetch_sub(1, Ordering::AcqRel);
        self.0.refresh(self.0.clock.now());
    }
}
