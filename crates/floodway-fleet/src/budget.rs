//! A budget that replicas share, as one of them sees it.

use std::{fmt, sync::Arc, time::Duration};

use floodway::{Ceiling, CeilingTerm};
use floodway_control::fleet::{Fallback, LeaseHolder, Outage, Terms};

use crate::{
    BuildError, Fence, Fleet, Holder, Lease,
    fleet::{MAX_BUDGET_LEN, check_name, in_range, millis},
    shared::Shared,
};

/// The most permits of a budget: as many as a limiter can have.
const MAX_BUDGET: u64 = 0x0FFF_FFFF;
const DAY: u64 = 86_400_000;

/// A budget of a fleet, and a ceiling for the limiter that spends this replica's part of it.
///
/// The ceiling is 0 until there is a lease: put it over a limiter, then [`lease`](Self::lease).
#[derive(Clone)]
pub struct Budget {
    fleet: Fleet,
    shared: Arc<Shared>,
    ceiling: Ceiling,
}

impl Budget {
    /// How much this replica may use now, as a bound for the limiter that uses it.
    ///
    /// For one limiter: two under it would each use all of it.
    #[must_use]
    pub fn ceiling(&self) -> Ceiling {
        self.ceiling.clone()
    }

    /// The name that all replicas give it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Begins to lease for `holder`, the limiter under the [`ceiling`](Self::ceiling), and to renew.
    ///
    /// Has to be called inside of a tokio runtime, on which the renewals run.
    ///
    /// # Errors
    ///
    /// [`BuildError::Leased`] if it was called before.
    pub fn lease<H: Holder + Clone>(&self, holder: &H) -> Result<Lease, BuildError> {
        if !self.shared.begin() {
            return Err(BuildError::Leased { budget: self.name().to_owned() });
        }
        let holder = Arc::new(holder.clone());
        Ok(Lease::begin(self.fleet.clone(), Arc::clone(&self.shared), self.ceiling(), holder))
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget")
            .field("name", &self.name())
            .field("ceiling", &self.ceiling)
            .finish_non_exhaustive()
    }
}

/// Is told the name for connections of a lease before the lease can be used.
pub(crate) type OnLease = Box<dyn Fn(&str) + Send + Sync>;

/// Builds a [`Budget`]. Replicas that differ in budget or margin disagree; in anything else they may
/// differ.
#[must_use = "does nothing until build is called"]
pub struct BudgetBuilder {
    fleet: Fleet,
    name: String,
    budget: u32,
    margin: Option<u32>,
    floor: Option<u32>,
    max_replicas: Option<u32>,
    fallback: bool,
    refresh: Duration,
    ttl: Duration,
    floor_ttl: Duration,
    linger: Duration,
    outage: OnOutage,
    fence: Option<Arc<dyn Fence>>,
    on_lease: Option<OnLease>,
}

/// What a replica does while the engine cannot be reached and its burst has lapsed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnOutage {
    /// It uses its floor, for as long as that lasts: by default ten minutes.
    #[default]
    Floor,
    /// It goes on with what it had for so long, then with its floor. What a dead replica had comes back
    /// so much later.
    Reuse(Duration),
    /// It uses nothing.
    Nothing,
}

impl BudgetBuilder {
    pub(crate) fn new(fleet: Fleet, name: String, budget: u32) -> Self {
        Self {
            fleet,
            name,
            budget,
            margin: None,
            floor: None,
            max_replicas: None,
            fallback: false,
            refresh: Duration::from_secs(1),
            ttl: Duration::from_secs(4),
            floor_ttl: Duration::from_secs(600),
            linger: Duration::from_secs(1),
            outage: OnOutage::Floor,
            fence: None,
            on_lease: None,
        }
    }

    /// Permits of the budget that nobody gets: for administrators, and for connections that the
    /// backend has not noticed to be closed. By default 5 %, at least 1 where the budget is above 1.
    pub const fn margin(mut self, margin: u32) -> Self {
        self.margin = Some(margin);
        self
    }

    /// What this replica has at all times once it was granted, also while the engine cannot be reached:
    /// by default 1. With more replicas than permits it has to be 0.
    ///
    /// What a replica that died had as its floor comes back after the [`floor_ttl`](Self::floor_ttl),
    /// unless a process with its name starts again or an operator evicts it.
    pub const fn floor(mut self, floor: u32) -> Self {
        self.floor = Some(floor);
        self
    }

    /// The most replicas that there ever are. The floors of so many have to fit.
    pub const fn max_replicas(mut self, replicas: u32) -> Self {
        self.max_replicas = Some(replicas);
        self
    }

    /// A replica without a lease uses the budget less its margin, divided by
    /// [`max_replicas`](Self::max_replicas): when the engine was not reached for a [`ttl`](Self::ttl)
    /// since it started, or for longer than its floor lasts.
    ///
    /// Safe while the engine is down for all. A replica that alone cannot reach it then uses its part on
    /// top of what the others were leased.
    pub const fn share_without_lease(mut self) -> Self {
        self.fallback = true;
        self
    }

    /// How often to renew: by default every second, give or take 10 %. A large fleet renews less often, so
    /// that one engine is asked 5,000 times a second at most; its leases last longer in proportion.
    pub const fn refresh(mut self, refresh: Duration) -> Self {
        self.refresh = refresh;
        self
    }

    /// How long a lease lasts: by default 4 s. The replica uses three quarters of it, from the sending of
    /// the renewal on; the last quarter is for the difference between clocks. What a replica that died
    /// had comes back after it, and after [`linger`](Self::linger).
    pub const fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// How long the floor lasts: by default ten minutes. The longest outage of the engine that replicas
    /// survive, and the time after which a floor of a replica that died comes back.
    pub const fn floor_ttl(mut self, floor_ttl: Duration) -> Self {
        self.floor_ttl = floor_ttl;
        self
    }

    /// How long the permits of a replica that has lost its lease may stay in use: by default 1 s. Nobody
    /// else gets them before. At least the time limit of the backend's operations, or use a
    /// [`fence`](Self::fence).
    pub const fn linger(mut self, linger: Duration) -> Self {
        self.linger = linger;
        self
    }

    /// What to do while the engine cannot be reached: by default use the floor.
    pub const fn on_outage(mut self, outage: OnOutage) -> Self {
        self.outage = outage;
        self
    }

    /// Closes at the backend what replicas have left there that are gone. What this replica leaves counts
    /// until some replica with a fence has closed it, instead of for the [`linger`](Self::linger).
    pub fn fence(mut self, fence: impl Fence) -> Self {
        self.fence = Some(Arc::new(fence));
        self
    }

    /// Is called with the name that connections of this lease have to have at the backend, before the
    /// lease can be used: see [`Lease::application_name`]. Must not block.
    pub fn on_lease(mut self, on_lease: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.on_lease = Some(Box::new(on_lease));
        self
    }

    /// # Errors
    ///
    /// [`BuildError`] names the first field that cannot be used and its value.
    pub fn build(self) -> Result<Budget, BuildError> {
        check_name("budget", &self.name, MAX_BUDGET_LEN)?;
        let budget = self.budget;
        in_range("budget", budget.into(), 1, MAX_BUDGET)?;
        let margin = self.margin.unwrap_or_else(|| budget.div_ceil(20).min(budget - 1));
        if margin >= budget {
            return Err(BuildError::Margin { margin, budget });
        }
        let usable = budget - margin;
        let replicas = self.max_replicas.unwrap_or(1);
        in_range("max_replicas", replicas.into(), 1, u32::MAX.into())?;
        let floor = self.floor.unwrap_or(1);
        if u64::from(floor) * u64::from(replicas) > u64::from(usable) {
            return Err(BuildError::Floor { floor, replicas, usable });
        }
        if self.fallback && self.max_replicas.is_none() {
            let (field, value) = ("max_replicas", 0);
            return Err(BuildError::OutOfRange { field, value, min: 1, max: usable.into() });
        }
        let refresh = millis(self.refresh);
        in_range("refresh", refresh, 20, DAY)?;
        let ttl = millis(self.ttl);
        in_range("ttl", ttl, 1, DAY)?;
        if ttl - ttl / 4 < 2 * refresh {
            return Err(BuildError::Ttl { ttl, refresh });
        }
        let floor_ttl = millis(self.floor_ttl);
        in_range("floor_ttl", floor_ttl, 1, 30 * DAY)?;
        if floor_ttl < ttl {
            return Err(BuildError::FloorTtl { floor_ttl, ttl });
        }
        let linger = millis(self.linger);
        in_range("linger", linger, 0, DAY)?;
        let outage = match self.outage {
            OnOutage::Floor => Outage::Floor,
            OnOutage::Reuse(reuse) => {
                in_range("on_outage reuse", millis(reuse), 1, DAY)?;
                Outage::Reuse(millis(reuse))
            }
            OnOutage::Nothing => Outage::Nothing,
        };
        let fallback = match self.max_replicas {
            Some(max_replicas) if self.fallback => Fallback::Share { max_replicas, after: ttl },
            _ => Fallback::Nothing,
        };
        let replica = &self.fleet.0;
        let terms = Terms {
            replica: replica.name.clone(),
            incarnation: replica.incarnation,
            budget,
            margin,
            weight: replica.weight,
            floor,
            refresh,
            ttl,
            floor_ttl,
            linger,
            outage,
            fallback,
            fenced: self.fence.is_some(),
            fencer: self.fence.is_some(),
        };
        let holder = LeaseHolder::new(terms, replica.clock.now());
        let shared = Shared::new(self.name, holder, replica.clock, self.fence, self.on_lease);
        shared.register(&replica.registry)?;
        let of = Arc::clone(&shared);
        let ceiling = Ceiling::leased(move || {
            let cap = of.cap();
            let remaining = cap.until.map(|until| of.remaining(until));
            CeilingTerm { limit: cap.permits, remaining }
        });
        Ok(Budget { fleet: self.fleet, shared, ceiling })
    }
}

impl fmt::Debug for BudgetBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BudgetBuilder")
            .field("name", &self.name)
            .field("budget", &self.budget)
            .field("margin", &self.margin)
            .field("floor", &self.floor)
            .finish_non_exhaustive()
    }
}
