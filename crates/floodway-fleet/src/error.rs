//! What can be wrong with a fleet, at build time or while running.

use floodway_metrics::RegisterError;

use crate::StoreError;

/// Why a fleet, a budget or a lease could not be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A name cannot be part of keys and of connection names.
    #[error(
        "{field}: {value:?} is not usable, expected 1 to {most} letters, digits, dots, dashes or \
         underscores"
    )]
    Name {
        /// The builder's method.
        field: &'static str,
        /// What it was given.
        value: String,
        /// Most bytes.
        most: usize,
    },
    /// A number is outside what its field allows.
    #[error("{field}: {value} is out of range, expected {min} to {max}")]
    OutOfRange {
        /// The builder's method.
        field: &'static str,
        /// What it was given, durations in milliseconds.
        value: u64,
        /// The least that is allowed.
        min: u64,
        /// The most that is allowed.
        max: u64,
    },
    /// Nothing would be left to lease.
    #[error("margin: {margin} is out of range, expected less than the budget of {budget}")]
    Margin {
        /// What it was given.
        margin: u32,
        /// The budget.
        budget: u32,
    },
    /// The floors of all replicas do not fit.
    #[error(
        "floor: {floor} for each of {replicas} replicas is more than the {usable} permits that may \
         be leased, expected at most {}; with more replicas than permits use 0",
        usable / (*replicas).max(1)
    )]
    Floor {
        /// What it was given.
        floor: u32,
        /// The most replicas that there ever are, as far as declared; else this one.
        replicas: u32,
        /// The budget less its margin.
        usable: u32,
    },
    /// One lost renewal would end the lease.
    #[error(
        "ttl: {ttl} ms is out of range, expected at least {} ms: three quarters of it are used, and \
         two renewals at intervals of {refresh} ms have to fit in",
        (refresh * 8).div_ceil(3)
    )]
    Ttl {
        /// What it was given, in milliseconds.
        ttl: u64,
        /// The interval between renewals, in milliseconds.
        refresh: u64,
    },
    /// A floor that ends before the burst protects nothing.
    #[error("floor_ttl: {floor_ttl} ms is out of range, expected at least the ttl of {ttl} ms")]
    FloorTtl {
        /// What it was given, in milliseconds.
        floor_ttl: u64,
        /// How long a burst lasts, in milliseconds.
        ttl: u64,
    },
    /// A budget is the ceiling of one limiter: two under it would both use all of it.
    #[error(
        "lease: the budget {budget:?} of this process is leased already; let limiters share a pool \
         limiter, or give each a budget of its own"
    )]
    Leased {
        /// The budget.
        budget: String,
    },
    /// The name is not usable in metrics, or is in use in this registry.
    #[error(transparent)]
    Register(#[from] RegisterError),
}

/// Why a replica was granted nothing in time.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GrantError {
    /// The engine has not answered.
    #[error("no lease of the budget {budget:?}: the engine has not answered in time")]
    Unanswered {
        /// The budget.
        budget: String,
    },
    /// The engine fails.
    #[error("no lease of the budget {budget:?}")]
    Store {
        /// The budget.
        budget: String,
        /// How.
        #[source]
        source: StoreError,
    },
    /// Others have everything.
    #[error(
        "no permit of the budget {budget:?} is free: {outstanding} of {usable} are leased to {replicas} \
         replicas, {unfenced} of them to such as are gone"
    )]
    Exhausted {
        /// The budget.
        budget: String,
        /// What all replicas may use or hold.
        outstanding: u32,
        /// What may be leased.
        usable: u32,
        /// How many they are.
        replicas: u32,
        /// What replicas that are gone have left behind.
        unfenced: u32,
    },
    /// The engine has lost what it knew.
    #[error(
        "no permit of the budget {budget:?} yet: the engine is new or has lost what it knew, and waits \
         until leases that it does not know have ended"
    )]
    Learning {
        /// The budget.
        budget: String,
    },
    /// Another process has the name of this replica.
    #[error("replica {replica:?}: another process has started under this name, give each its own")]
    Superseded {
        /// The name.
        replica: String,
    },
    /// The lease was given back.
    #[error("the lease of the budget {budget:?} was given back")]
    Released {
        /// The budget.
        budget: String,
    },
}

/// Replicas declare different budgets. The one of which the least may be leased is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "replicas disagree: this one declares a budget of {declared} less {declared_margin}, in force is \
     {in_force} less {in_force_margin}; deploy the same everywhere, or set it for all"
)]
pub struct BudgetDisagreement {
    /// The budget that this replica declares.
    pub declared: u32,
    /// Its margin.
    pub declared_margin: u32,
    /// The budget in force.
    pub in_force: u32,
    /// Its margin.
    pub in_force_margin: u32,
}

/// Why a lease was not given back as a whole. It ends by itself.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReleaseError {
    /// Permits or connections were still in use at the deadline.
    #[error("{held} permits or connections were still in use: they count for one more lease")]
    Held {
        /// How many.
        held: u32,
    },
    /// The engine did not hear of it.
    #[error("the engine was not told: what this replica had counts until its lease has ended")]
    Store(#[source] StoreError),
    /// The engine did not answer in time.
    #[error("the engine has not answered in time")]
    Unanswered,
}
