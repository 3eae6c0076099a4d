//! Where a fleet keeps its budgets.

mod memory;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "redis")]
mod redis;
#[cfg(any(feature = "redis", feature = "postgres"))]
mod secret;
#[cfg(all(feature = "redis", feature = "tls"))]
mod tls;

use std::{pin::Pin, sync::Arc, time::Duration};

use floodway_control::fleet::{LeaseReply, LeaseRequest, Remnant, Status};

pub use self::memory::MemoryStore;
#[cfg(feature = "postgres")]
pub use self::postgres::PostgresStore;
#[cfg(feature = "redis")]
pub use self::redis::RedisStore;

/// What a storage is doing.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// An engine that keeps the budgets of a fleet.
///
/// Every method is one atomic step: it happens as a whole or not at all, and steps of one budget come one
/// after another. What a step does is [`Ledger`](floodway_control::fleet::Ledger)'s business; storages
/// that compute elsewhere, such as a script inside of Redis, come to the same results.
///
/// # Cancel safety
///
/// Dropping a future leaves open whether its step happens. Leases bear that: see
/// [`LeaseHolder`](floodway_control::fleet::LeaseHolder).
pub trait LeaseStore: Send + Sync + 'static {
    /// Answers a replica. The storage fills in [`LeaseRequest::engine`] if it can lose what it knows.
    fn renew<'a>(&'a self, budget: &'a str, request: LeaseRequest) -> StoreFuture<'a, LeaseReply>;

    /// What replicas that are gone have left behind, as far as it counts until it is closed.
    fn unfenced<'a>(&'a self, budget: &'a str) -> StoreFuture<'a, Vec<Remnant>>;

    /// What was left behind, as `unfenced` has told it, is closed. What is no longer the same is ignored.
    fn fenced<'a>(&'a self, budget: &'a str, closed: Vec<Remnant>) -> StoreFuture<'a, ()>;

    /// What is known of a budget; `None` if nothing.
    fn status<'a>(&'a self, budget: &'a str) -> StoreFuture<'a, Option<Status>>;

    /// The names of all budgets, in ascending order.
    fn budgets(&self) -> StoreFuture<'_, Vec<String>>;

    /// Sets budget and margin for all replicas, whatever they declare; `None` leaves them to the replicas
    /// again.
    fn set_budget<'a>(&'a self, budget: &'a str, set: Option<(u32, u32)>) -> StoreFuture<'a, ()>;

    /// Takes the lease of a replica away that is gone for good; of one without a lease, what it has left
    /// behind. Whether there was any.
    fn evict<'a>(&'a self, budget: &'a str, replica: &'a str) -> StoreFuture<'a, bool>;

    /// Looks at the engine: what it is, and what about it endangers leases.
    fn check(&self) -> StoreFuture<'_, EngineReport>;

    /// Moves the engine's wall clock, as this storage sees it, by so many milliseconds. For tests of what
    /// a step of that clock does.
    #[doc(hidden)]
    fn shift_clock(&self, by: i64) {
        let _ = by;
    }
}

impl<S: LeaseStore + ?Sized> LeaseStore for Arc<S> {
    fn renew<'a>(&'a self, budget: &'a str, request: LeaseRequest) -> StoreFuture<'a, LeaseReply> {
        (**self).renew(budget, request)
    }

    fn unfenced<'a>(&'a self, budget: &'a str) -> StoreFuture<'a, Vec<Remnant>> {
        (**self).unfenced(budget)
    }

    fn fenced<'a>(&'a self, budget: &'a str, closed: Vec<Remnant>) -> StoreFuture<'a, ()> {
        (**self).fenced(budget, closed)
    }

    fn status<'a>(&'a self, budget: &'a str) -> StoreFuture<'a, Option<Status>> {
        (**self).status(budget)
    }

    fn budgets(&self) -> StoreFuture<'_, Vec<String>> {
        (**self).budgets()
    }

    fn set_budget<'a>(&'a self, budget: &'a str, set: Option<(u32, u32)>) -> StoreFuture<'a, ()> {
        (**self).set_budget(budget, set)
    }

    fn evict<'a>(&'a self, budget: &'a str, replica: &'a str) -> StoreFuture<'a, bool> {
        (**self).evict(budget, replica)
    }

    fn check(&self) -> StoreFuture<'_, EngineReport> {
        (**self).check()
    }

    fn shift_clock(&self, by: i64) {
        (**self).shift_clock(by);
    }
}

/// What an engine says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EngineReport {
    /// Product and version: "Redis 7.0.15".
    pub engine: String,
    /// Its wall clock, since the Unix epoch.
    pub wall_clock: Duration,
    /// How long it took to answer.
    pub round_trip: Duration,
    /// Whether it keeps what it knows across a restart.
    pub durable: bool,
    /// What about it endangers leases, and what to change.
    pub warnings: Vec<String>,
}

/// Why an engine did not do a step, or may not have done it.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// It cannot be reached, or does not answer.
    #[error("the engine at {engine} cannot be reached")]
    Unreachable {
        /// Where, without the password.
        engine: String,
        /// Why.
        #[source]
        source: Source,
    },
    /// It does not let us in.
    #[error("the engine at {engine} refuses the credentials in its URL")]
    Denied {
        /// Where, without the password.
        engine: String,
        /// Why.
        #[source]
        source: Source,
    },
    /// The URL is not one.
    #[error("url: {url:?} does not name an engine, expected {expected}")]
    Url {
        /// What was given, without the password.
        url: String,
        /// Such as `redis://host:6379/0`.
        expected: &'static str,
    },
    /// It lacks what leases need.
    #[error("the engine at {engine} is {found}, leases need {needed} or later")]
    TooOld {
        /// Where, without the password.
        engine: String,
        /// What it is.
        found: String,
        /// What would do.
        needed: &'static str,
    },
    /// The place of the budget holds something else.
    #[error("{place} holds {found}, not a budget: choose another name, or remove it")]
    Foreign {
        /// The key or the table.
        place: String,
        /// What it holds.
        found: String,
    },
    /// What keeps budgets is missing, and may not be created.
    #[error("the engine at {engine} lacks {missing}, and does not let us create it: {remedy}")]
    Unprepared {
        /// Where, without the password.
        engine: String,
        /// What is missing.
        missing: String,
        /// What to do.
        remedy: &'static str,
        /// Why.
        #[source]
        source: Source,
    },
    /// It failed at the step.
    #[error("the engine at {engine} failed")]
    Failed {
        /// Where, without the password.
        engine: String,
        /// Why.
        #[source]
        source: Source,
    },
}

/// What a client library said.
pub type Source = Arc<dyn std::error::Error + Send + Sync>;
