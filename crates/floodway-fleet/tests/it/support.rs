//! What the tests of this crate share.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU32, Ordering},
    },
    time::Duration,
};

use floodway::{Clock, Limiter};
use floodway_fleet::{
    Budget, BudgetBuilder, EngineReport, Fleet, Holder, Lease, LeaseClock, LeaseReply,
    LeaseRequest, LeaseStore, MemoryStore, Remnant, Status, StoreError, StoreFuture,
};
use floodway_metrics::Registry;
use tokio::time::{Instant, sleep};

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A load whose connections open and close at once, as far as the ceiling allows.
#[derive(Clone)]
pub(crate) struct Load {
    limiter: Limiter,
    wants: Arc<AtomicU32>,
    stuck: Arc<AtomicU32>,
}

impl Load {
    pub(crate) fn set(&self, wants: u32) {
        self.wants.store(wants, Ordering::Relaxed);
    }

    /// So many connections do not close, whatever the ceiling says.
    pub(crate) fn stick(&self, connections: u32) {
        self.stuck.store(connections, Ordering::Relaxed);
    }
}

impl Holder for Load {
    fn in_use(&self) -> u32 {
        self.wants.load(Ordering::Relaxed)
    }

    fn queued(&self) -> u32 {
        0
    }

    fn most(&self) -> u32 {
        1_000
    }

    fn held(&self) -> u32 {
        let free = self.wants.load(Ordering::Relaxed).min(self.limiter.limit());
        free.max(self.stuck.load(Ordering::Relaxed))
    }
}

/// A replica on tokio's clock.
pub(crate) struct Replica {
    pub(crate) budget: Budget,
    pub(crate) lease: Lease,
    pub(crate) limiter: Limiter,
    pub(crate) load: Load,
    pub(crate) registry: Registry,
}

impl Replica {
    pub(crate) fn new(
        store: impl LeaseStore,
        name: &str,
        describe: impl FnOnce(BudgetBuilder) -> BudgetBuilder,
    ) -> Self {
        Self::weighted(store, name, 1, describe)
    }

    pub(crate) fn weighted(
        store: impl LeaseStore,
        name: &str,
        weight: u32,
        describe: impl FnOnce(BudgetBuilder) -> BudgetBuilder,
    ) -> Self {
        let registry = Registry::new();
        let fleet = Fleet::builder(store)
            .replica(name)
            .weight(weight)
            .registry(&registry)
            .clock(LeaseClock::tokio())
            .build()
            .expect("a valid replica");
        let budget = describe(fleet.budget("db", 42).margin(2)).build().expect("a valid budget");
        let limiter = Limiter::builder("db")
            .registry(&Registry::new())
            .clock(Clock::tokio())
            .ceiling(budget.ceiling())
            .build()
            .expect("a valid limiter");
        let load = Load { limiter: limiter.clone(), wants: Arc::default(), stuck: Arc::default() };
        load.set(100);
        let lease = budget.lease(&load).expect("the first lease");
        Self { budget, lease, limiter, load, registry }
    }

    #[track_caller]
    pub(crate) fn check(&self, permits: u32, state: &str) {
        let snapshot = self.lease.snapshot();
        let found = (self.limiter.limit(), snapshot.grant, snapshot.state.as_str());
        assert_eq!(found, (permits, permits, state), "{snapshot:?}");
    }
}

/// What happens to requests on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Way {
    Open,
    /// Nobody answers, and nothing arrives.
    Blackhole,
    /// Requests arrive, answers do not.
    Deaf,
    /// Refused at once.
    Refused,
}

/// A storage that can be cut off.
#[derive(Clone)]
pub(crate) struct Cut {
    store: MemoryStore,
    way: Arc<AtomicU8>,
}

impl Cut {
    pub(crate) fn new(store: &MemoryStore) -> Self {
        Self { store: store.clone(), way: Arc::new(AtomicU8::new(Way::Open as u8)) }
    }

    pub(crate) fn set(&self, way: Way) {
        self.way.store(way as u8, Ordering::Relaxed);
    }
}

impl LeaseStore for Cut {
    fn renew<'a>(&'a self, budget: &'a str, request: LeaseRequest) -> StoreFuture<'a, LeaseReply> {
        let way = self.way.load(Ordering::Relaxed);
        Box::pin(async move {
            if way == Way::Blackhole as u8 {
                return std::future::pending().await;
            }
            if way == Way::Refused as u8 {
                let source = Arc::new(std::io::Error::other("connection refused"));
                return Err(StoreError::Unreachable { engine: "cut".to_owned(), source });
            }
            let reply = self.store.renew(budget, request).await;
            if way == Way::Deaf as u8 {
                return std::future::pending().await;
            }
            reply
        })
    }

    fn unfenced<'a>(&'a self, budget: &'a str) -> StoreFuture<'a, Vec<Remnant>> {
        self.store.unfenced(budget)
    }

    fn fenced<'a>(&'a self, budget: &'a str, closed: Vec<Remnant>) -> StoreFuture<'a, ()> {
        self.store.fenced(budget, closed)
    }

    fn status<'a>(&'a self, budget: &'a str) -> StoreFuture<'a, Option<Status>> {
        self.store.status(budget)
    }

    fn budgets(&self) -> StoreFuture<'_, Vec<String>> {
        self.store.budgets()
    }

    fn set_budget<'a>(&'a self, budget: &'a str, set: Option<(u32, u32)>) -> StoreFuture<'a, ()> {
        self.store.set_budget(budget, set)
    }

    fn evict<'a>(&'a self, budget: &'a str, replica: &'a str) -> StoreFuture<'a, bool> {
        self.store.evict(budget, replica)
    }

    fn check(&self) -> StoreFuture<'_, EngineReport> {
        self.store.check()
    }

    fn shift_clock(&self, by: i64) {
        self.store.shift_clock(by);
    }
}

pub(crate) fn memory() -> MemoryStore {
    MemoryStore::with_clock(LeaseClock::tokio())
}

/// Lets everybody go on for `duration`; what replicas may use together never exceeds 40.
pub(crate) async fn go_on(duration: Duration, replicas: &[&Replica]) {
    let until = Instant::now() + duration;
    while Instant::now() < until {
        sleep(ms(10)).await;
        let used: u32 = replicas.iter().map(|one| one.limiter.limit().max(one.load.held())).sum();
        assert!(used <= 40, "{used} of 40 are used");
    }
}
