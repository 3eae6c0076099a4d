//! How many items a worker may run at a time: what it leases of the budget of all workers.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use floodway::Limiter;
use floodway_fleet::{Fleet, Holder, HolderState, Lease, LeaseSnapshot, RedisStore};
use tokio::time::Instant;

use crate::{server::Server, store::Job};

/// How long Redis may take to hear that a worker leaves.
const FAREWELL: Duration = Duration::from_secs(2);

/// The limiter of a worker, and the lease that it is under.
#[derive(Debug)]
pub(crate) struct Permits {
    limiter: Limiter,
    lease: Lease,
}

impl Permits {
    /// Leases for `worker`; the limiter admits nobody before there is something.
    pub(crate) async fn lease(
        server: &Server,
        job: &Job,
        worker: &str,
        concurrency: u32,
    ) -> Result<Self> {
        let store = RedisStore::connect(server.url()).await.context("cannot lease permits")?;
        let fleet = Fleet::builder(store).replica(worker).build()?;
        let budget = fleet
            .budget(&job.budget_name, job.budget)
            // A floor is for outages of the engine, and without this Redis there are no items either.
            .floor(0)
            // As long as an item may go on after its permit was lost.
            .linger(Duration::from_secs(1) + job.work.time())
            .build()
            .context("--budget")?;
        let limiter =
            Limiter::builder("items").limit(concurrency).ceiling(budget.ceiling()).build()?;
        let lease = budget.lease(&Crowd { limiter: limiter.clone(), concurrency })?;
        Ok(Self { limiter, lease })
    }

    pub(crate) const fn limiter(&self) -> &Limiter {
        &self.limiter
    }

    pub(crate) fn snapshot(&self) -> LeaseSnapshot {
        self.lease.snapshot()
    }

    /// Fails if another process goes by the name of this worker, which gets nothing any more.
    pub(crate) fn check(&self, worker: &str) -> Result<()> {
        let superseded = self.snapshot().state == HolderState::Superseded;
        ensure!(!superseded, "another process has the name {worker}");
        Ok(())
    }

    /// Gives back what it has, so that others need not wait until it has lapsed.
    pub(crate) async fn release(self) {
        // It lapses if nobody hears of this.
        let _ = self.lease.release(Instant::now() + FAREWELL).await;
    }
}

/// A fan-out as a holder of permits.
#[derive(Clone, Debug)]
struct Crowd {
    limiter: Limiter,
    concurrency: u32,
}

impl Holder for Crowd {
    fn in_use(&self) -> u32 {
        self.limiter.in_flight()
    }

    /// A fan-out is one waiter, however many of its items could run.
    fn queued(&self) -> u32 {
        match self.limiter.queued() {
            0 => 0,
            _ => self.concurrency.saturating_sub(self.limiter.in_flight()),
        }
    }

    fn most(&self) -> u32 {
        self.concurrency
    }

    fn held(&self) -> u32 {
        self.limiter.in_flight()
    }
}
