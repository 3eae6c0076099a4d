//! Budgets in the memory of this process.

use std::{
    collections::BTreeMap,
    fmt,
    future::ready,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use floodway_control::fleet::{LeaseReply, LeaseRequest, Ledger, Remnant, Status};

use super::{EngineReport, LeaseStore, StoreFuture};
use crate::LeaseClock;

/// Budgets in the memory of this process: for tests, and for several parts of one process that share a
/// budget. Cloning gives the same budgets.
#[derive(Clone)]
pub struct MemoryStore(Arc<Inner>);

struct Inner {
    ledgers: Mutex<BTreeMap<String, Ledger>>,
    clock: LeaseClock,
    shift: AtomicI64,
}

impl MemoryStore {
    /// No budget yet.
    #[must_use]
    pub fn new() -> Self {
        Self::with_clock(LeaseClock::boot())
    }

    /// No budget yet, and leases that end by `clock`.
    #[must_use]
    pub fn with_clock(clock: LeaseClock) -> Self {
        let (ledgers, shift) = (Mutex::default(), AtomicI64::new(0));
        Self(Arc::new(Inner { ledgers, clock, shift }))
    }

    fn ledgers(&self) -> MutexGuard<'_, BTreeMap<String, Ledger>> {
        // A step that panicked has left its budget as far as it came; none is known to panic.
        self.0.ledgers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wall(&self) -> u64 {
        // From a day on, so that tests can move it back.
        let wall = self.0.clock.now() + 86_400_000;
        wall.saturating_add_signed(self.0.shift.load(Ordering::Relaxed))
    }
}

impl LeaseStore for MemoryStore {
    fn renew<'a>(&'a self, budget: &'a str, request: LeaseRequest) -> StoreFuture<'a, LeaseReply> {
        let wall = self.wall();
        let mut ledgers = self.ledgers();
        let reply = ledgers.entry(budget.to_owned()).or_default().renew(wall, &request);
        Box::pin(ready(Ok(reply)))
    }

    fn unfenced<'a>(&'a self, budget: &'a str) -> StoreFuture<'a, Vec<Remnant>> {
        let ledgers = self.ledgers();
        let remnants = ledgers.get(budget).map(|ledger| ledger.unfenced().cloned().collect());
        Box::pin(ready(Ok(remnants.unwrap_or_default())))
    }

    fn fenced<'a>(&'a self, budget: &'a str, closed: Vec<Remnant>) -> StoreFuture<'a, ()> {
        if let Some(ledger) = self.ledgers().get_mut(budget) {
            ledger.fenced(&closed);
        }
        Box::pin(ready(Ok(())))
    }

    fn status<'a>(&'a self, budget: &'a str) -> StoreFuture<'a, Option<Status>> {
        Box::pin(ready(Ok(self.ledgers().get(budget).map(Ledger::status))))
    }

    fn budgets(&self) -> StoreFuture<'_, Vec<String>> {
        Box::pin(ready(Ok(self.ledgers().keys().cloned().collect())))
    }

    fn set_budget<'a>(&'a self, budget: &'a str, set: Option<(u32, u32)>) -> StoreFuture<'a, ()> {
        self.ledgers().entry(budget.to_owned()).or_default().set_budget(set);
        Box::pin(ready(Ok(())))
    }

    fn evict<'a>(&'a self, budget: &'a str, replica: &'a str) -> StoreFuture<'a, bool> {
        let evicted = self.ledgers().get_mut(budget).is_some_and(|ledger| ledger.evict(replica));
        Box::pin(ready(Ok(evicted)))
    }

    fn check(&self) -> StoreFuture<'_, EngineReport> {
        Box::pin(ready(Ok(EngineReport {
            engine: "memory of this process".to_owned(),
            wall_clock: Duration::from_millis(self.wall()),
            round_trip: Duration::ZERO,
            durable: false,
            warnings: Vec::new(),
        })))
    }

    fn shift_clock(&self, by: i64) {
        self.0.shift.store(by, Ordering::Relaxed);
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("budgets", &self.ledgers().len()).finish()
    }
}
