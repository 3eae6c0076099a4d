//! The fleet that a process belongs to.

use std::{fmt, sync::Arc, time::Duration};

use floodway_metrics::Registry;

use crate::{BudgetBuilder, BuildError, LeaseClock, LeaseStore};

/// Longest name of a replica, in bytes: as of a Kubernetes pod in a stateful set.
const MAX_REPLICA_LEN: usize = 63;
/// Longest name of a budget, in bytes: all of it has to be in the names of connections, of which
/// PostgreSQL keeps 63 bytes.
pub(crate) const MAX_BUDGET_LEN: usize = 32;

/// This process as one replica of a fleet. Cloning gives the same replica.
#[derive(Clone)]
pub struct Fleet(pub(crate) Arc<Replica>);

/// Who a process is, and where its fleet keeps the budgets.
pub(crate) struct Replica {
    pub(crate) store: Arc<dyn LeaseStore>,
    pub(crate) name: String,
    pub(crate) incarnation: u64,
    pub(crate) weight: u32,
    pub(crate) registry: Registry,
    pub(crate) clock: LeaseClock,
}

impl Fleet {
    /// Describes this process to the others that lease from `store`.
    pub fn builder(store: impl LeaseStore) -> FleetBuilder {
        FleetBuilder {
            store: Arc::new(store),
            replica: None,
            weight: 1,
            registry: Registry::global().clone(),
            clock: LeaseClock::boot(),
        }
    }

    /// Describes a budget of `permits` that this replica shares with all others that name it.
    pub fn budget(&self, name: impl Into<String>, permits: u32) -> BudgetBuilder {
        BudgetBuilder::new(self.clone(), name.into(), permits)
    }

    /// The name of this replica.
    #[must_use]
    pub fn replica(&self) -> &str {
        &self.0.name
    }

    /// Where the budgets are.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn LeaseStore> {
        &self.0.store
    }
}

impl fmt::Debug for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fleet").field("replica", &self.0.name).finish_non_exhaustive()
    }
}

/// Builds a [`Fleet`].
#[must_use = "does nothing until build is called"]
pub struct FleetBuilder {
    store: Arc<dyn LeaseStore>,
    replica: Option<String>,
    weight: u32,
    registry: Registry,
    clock: LeaseClock,
}

impl FleetBuilder {
    /// The name of this replica: by default a random one.
    ///
    /// A name that comes again after a restart, such as that of a pod in a stateful set, frees at once
    /// what the process had that died. At most one process may have it at a time: a second one takes the
    /// lease of the first, which then uses nothing.
    pub fn replica(mut self, name: impl Into<String>) -> Self {
        self.replica = Some(name.into());
        self
    }

    /// The share of this replica beside others that want more than there is: by default 1.
    pub const fn weight(mut self, weight: u32) -> Self {
        self.weight = weight;
        self
    }

    /// Where the numbers of its budgets go: by default to the global registry.
    pub fn registry(mut self, registry: &Registry) -> Self {
        self.registry = registry.clone();
        self
    }

    /// The clock by which leases end: by default [`LeaseClock::boot`].
    pub const fn clock(mut self, clock: LeaseClock) -> Self {
        self.clock = clock;
        self
    }

    /// # Errors
    ///
    /// [`BuildError`] names the first field that cannot be used and its value.
    pub fn build(self) -> Result<Fleet, BuildError> {
        // Both 53 bits wide, which is what every engine can count with.
        let random = || fastrand::u64(1..1 << 53);
        let name = self.replica.unwrap_or_else(|| format!("{:014x}", random()));
        check_name("replica", &name, MAX_REPLICA_LEN)?;
        in_range("weight", self.weight.into(), 1, 1_000)?;
        Ok(Fleet(Arc::new(Replica {
            store: self.store,
            name,
            incarnation: random(),
            weight: self.weight,
            registry: self.registry,
            clock: self.clock,
        })))
    }
}

impl fmt::Debug for FleetBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FleetBuilder")
            .field("replica", &self.replica)
            .field("weight", &self.weight)
            .finish_non_exhaustive()
    }
}

pub(crate) fn check_name(field: &'static str, value: &str, most: usize) -> Result<(), BuildError> {
    let usable = |c: u8| c.is_ascii_alphanumeric() || b".-_".contains(&c);
    if (1..=most).contains(&value.len()) && value.bytes().all(usable) {
        return Ok(());
    }
    Err(BuildError::Name { field, value: value.to_owned(), most })
}

pub(crate) fn in_range(
    field: &'static str,
    value: u64,
    min: u64,
    max: u64,
) -> Result<(), BuildError> {
    if (min..=max).contains(&value) {
        Ok(())
    } else {
        Err(BuildError::OutOfRange { field, value, min, max })
    }
}

/// Whole milliseconds, rounded down.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
