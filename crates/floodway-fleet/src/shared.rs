//! What a budget, its ceiling and the keeper of its lease have in common.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use floodway_control::fleet::{Cap, Demand, HolderState, LeaseHolder};
use floodway_metrics::{Collector, ComponentKind, Registry, Source};
use tokio::sync::Notify;

use crate::{
    BudgetDisagreement, BuildError, Fence, LeaseClock, LeaseSnapshot, StoreError, budget::OnLease,
    cells::Cells,
};

pub(crate) struct Shared {
    pub(crate) name: String,
    pub(crate) clock: LeaseClock,
    pub(crate) cells: Cells,
    pub(crate) fence: Option<Arc<dyn Fence>>,
    pub(crate) on_lease: Option<OnLease>,
    /// Told whenever the engine has answered or failed.
    pub(crate) news: Notify,
    known: Mutex<Known>,
    leased: AtomicBool,
}

/// What moves together.
pub(crate) struct Known {
    pub(crate) lease: LeaseHolder,
    pub(crate) demand: Demand,
    /// Whether the last attempt has failed.
    pub(crate) failing: bool,
    /// With what, if the engine said so.
    pub(crate) failure: Option<StoreError>,
}

impl Shared {
    pub(crate) fn new(
        name: String,
        lease: LeaseHolder,
        clock: LeaseClock,
        fence: Option<Arc<dyn Fence>>,
        on_lease: Option<OnLease>,
    ) -> Arc<Self> {
        let known = Known { lease, demand: Demand::default(), failing: false, failure: None };
        Arc::new(Self {
            name,
            clock,
            cells: Cells::new(),
            fence,
            on_lease,
            news: Notify::new(),
            known: Mutex::new(known),
            leased: AtomicBool::new(false),
        })
    }

    pub(crate) fn register(self: &Arc<Self>, registry: &Registry) -> Result<(), BuildError> {
        let source: Arc<dyn Source> = Arc::clone(self) as _;
        Ok(registry.register(ComponentKind::Fleet, &self.name, &source)?)
    }

    /// Whether nobody has begun before.
    pub(crate) fn begin(&self) -> bool {
        !self.leased.swap(true, Ordering::Relaxed)
    }

    /// What this replica may use now: nothing before there is somebody who renews.
    pub(crate) fn cap(&self) -> Cap {
        if self.leased.load(Ordering::Relaxed) {
            self.known().lease.cap(self.clock.now())
        } else {
            Cap { permits: 0, until: None, state: HolderState::None }
        }
    }

    /// How long it is until `until`: more than 0, so that nobody asks again at once who has found out
    /// a millisecond too early.
    pub(crate) fn remaining(&self, until: u64) -> Duration {
        Duration::from_millis(until.saturating_sub(self.clock.now()).max(1))
    }

    pub(crate) fn snapshot(&self) -> LeaseSnapshot {
        let cap = self.cap();
        let now = self.clock.now();
        let known = self.known();
        let terms = known.lease.terms();
        let last = known.lease.last();
        let reply = last.map(|(reply, _)| reply.clone()).unwrap_or_default();
        let declared = (terms.budget, terms.margin);
        let in_force = last.map_or(declared, |(reply, _)| (reply.budget, reply.margin));
        LeaseSnapshot {
            state: cap.state,
            grant: cap.permits,
            floor: reply.floor,
            held: known.demand.held,
            want: known.demand.want,
            epoch: known.lease.epoch(),
            budget: in_force.0,
            margin: in_force.1,
            outstanding: reply.outstanding,
            unfenced: reply.unfenced,
            replicas: reply.members,
            hungry: reply.hungry,
            age: Duration::from_millis(now.saturating_sub(known.lease.since())),
            remaining: cap.until.map(|until| Duration::from_millis(until.saturating_sub(now))),
            disagreement: (reply.disagree && declared != in_force).then_some(BudgetDisagreement {
                declared: declared.0,
                declared_margin: declared.1,
                in_force: in_force.0,
                in_force_margin: in_force.1,
            }),
        }
    }

    /// Held for a few comparisons at a time, and never while foreign code runs.
    pub(crate) fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Source for Shared {
    fn collect(&self, out: &mut Collector) {
        let disagree = self.known().lease.last().is_some_and(|(reply, _)| reply.disagree);
        self.cells.collect(&self.snapshot(), disagree, out);
    }
}
