//! From a caller to a connection, or to a claim.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, timeout_at};

use super::{
    super::{
        Claim, ConnectionError, PoolCause, Pooled, Weight,
        cause::CONNECT_FAILING,
        claim::{self, Claimed, Live},
        detached::Detached,
    },
    Gate, Pool, Right,
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
        let request = Acquire::new().deadline(deadline);
        match self.limiter.acquire_with(request).await {
            Ok(permit) => self.obtain(Right::Permit(permit), asking).await,
            Err(rejected) => Err(self.refuse(rejected, 1, asking)),
        }
    }

    /// One of the connections of a claim.
    pub(in crate::pool) async fn connection_of(
        self: Arc<Self>,
        claimed: Arc<Claimed>,
        deadline: Instant,
        site: Site,
    ) -> Asked<P, Pooled<P>> {
        let place = match claimed.take() {
            Ok(place) => place,
            Err(claimed) => return Err(self.refuse_nested(claimed.exceeded(site))),
        };
        let asking = self.ask(deadline, site)?;
        match place.right(&self.limiter, deadline).await {
            Ok(share) => self.obtain(Right::Share(share), asking).await,
            Err(rejected) => Err(self.refuse(rejected, 1, asking)),
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
                let permit = self.limiter.acquire_with(request).await;
                permit.map(|permit| Claimed::exact(most, permit, Live::new(&self.claimed), site))
            }
        };
        match claimed {
            Ok(claimed) => {
                self.edge();
                Ok(Claim::new(self, claimed))
            }
            Err(rejected) => Err(self.refuse(rejected, most, asking)),
        }
    }

    async fn claim_up_to(
        &self,
        most: u32,
        deadline: Instant,
        site: Site,
    ) -> Result<Arc<Claimed>, Rejected> {
        let request = Acquire::new().weight(most - 1).deadline(deadline);
        let counted = self.claims.acquire_with(request).await.map_err(|rejected| Rejected {
            // Of those that callers know of.
            limit: self.limiter.limit(),
            in_flight: self.limiter.in_flight(),
            ..rejected
        })?;
        let membership = self.spare.join(most - 1, deadline).await?;
        Ok(Claimed::up_to(most, counted, membership, Live::new(&self.claimed), site))
    }

    /// Turns callers away at once for whom there is nothing before their deadline.
    fn ask(&self, deadline: Instant, site: Site) -> Asked<P, Asking> {
        let asking = Asking { since: self.clock.now(), deadline, site };
        self.refresh();
        if self.all_is_well() {
            return Ok(asking);
        }
        // While connecting fails, nothing is handed out before the next probe.
        let Some(pause) = self.pause() else {
            return Ok(asking);
        };
        if deadline.saturating_duration_since(Instant::now()) > pause {
            return Ok(asking);
        }
        let rejected = self.limiter.refuse(RejectReason::Unmeetable);
        let rejected = Rejected { retry_after: rejected.retry_after.max(pause), ..rejected };
        Err(self.refuse(rejected, 1, asking))
    }

    /// Asks the pool, with the right to do so.
    async fn obtain(self: Arc<Self>, right: Right, asking: Asking) -> Asked<P, Pooled<P>> {
        self.edge();
        let probe = match self.all_is_well() {
            true => None,
            false => match self.probe(asking.deadline).await {
                Ok(probe) => probe,
                Err(()) => {
                    let pause = self.pause().unwrap_or(SHORTLY);
                    let rejected = self.limiter.uncounted_refusal(RejectReason::Deadline, pause);
                    self.give_back(right, Outcome::Ignore);
                    return Err(self.refuse(rejected, 1, asking));
                }
            },
        };
        let mut attempt = Detached::new(self, right, probe, asking.site);
        let result = timeout_at(asking.deadline, &mut attempt).await;
        let Ok((result, right)) = result else {
            let gate = attempt.gate();
            gate.cells.rejections.increment(CONNECT_FAILING);
            return Err(ConnectionError::Deadline { connect: gate.typical_connect() });
        };
        let gate = Arc::clone(attempt.gate());
        match result {
            Ok(connection) => {
                let now = gate.clock.now();
                gate.cells.wait.record(now.saturating_sub(asking.since));
                Ok(Pooled::new(gate, connection, right, now, asking.site))
            }
            Err(error) => {
                gate.give_back(right, Outcome::Overload);
                Err(ConnectionError::Pool(error))
            }
        }
    }

    /// How long opening a connection takes on average, where somebody looks on.
    fn typical_connect(&self) -> Option<Duration> {
        self.pool.connects()?.durations().mean().map(Duration::from_nanos)
    }
}
