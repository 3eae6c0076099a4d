//! One budget across a fleet: replicas lease their share of a limit.
//!
//! Where a service outgrows one machine, the replicas together must not open more connections than
//! their database bears. Each leases a part of the budget and spends it without asking again:
//!
//! ```
//! use std::time::Duration;
//!
//! use floodway::Limiter;
//! use floodway_fleet::{Fleet, MemoryStore};
//! use tokio::time::Instant;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // RedisStore::connect("redis://…") or PostgresStore::connect("postgres://…") across processes.
//! let fleet = Fleet::builder(MemoryStore::new()).replica("orders-0").build()?;
//! let budget = fleet.budget("orders-db", 40).margin(2).build()?;
//! let limiter = Limiter::builder("orders").ceiling(budget.ceiling()).build()?;
//! let lease = budget.lease(&limiter)?;
//!
//! let permits = lease.granted(Instant::now() + Duration::from_secs(5)).await?;
//! assert_eq!(permits, 38, "alone, it gets everything but the margin");
//! limiter.run(async { /* SELECT … */ }).await?;
//! lease.release(Instant::now() + Duration::from_secs(5)).await?;
//! # Ok(())
//! # }
//! ```
//!
//! - [`Fleet`] is this process, [`Budget`] what it shares, [`Lease`] its part.
//! - [`LeaseStore`] is where budgets are kept: `RedisStore`, `PostgresStore`, [`MemoryStore`].
//! - [`Fence`] closes at the backend what replicas have left there that are gone: `PostgresFence`.
//! - The program `floodway-fleet`, with the feature `cli`, shows budgets, sets them and finds what is wrong.

mod budget;
mod cells;
mod clock;
mod demand;
mod error;
mod fence;
mod fleet;
mod holder;
mod keeper;
mod lease;
#[cfg(feature = "postgres")]
mod naming;
mod shared;
mod store;
mod sweep;

pub use floodway_control::fleet::{
    HolderState, LeaseReply, LeaseRequest, MemberStatus, Remnant, RemnantStatus, Status,
};

#[cfg(feature = "postgres")]
pub use self::store::PostgresStore;
#[cfg(feature = "redis")]
pub use self::store::RedisStore;
pub use self::{
    budget::{Budget, BudgetBuilder, OnOutage},
    clock::LeaseClock,
    error::{BudgetDisagreement, BuildError, GrantError, ReleaseError},
    fence::{Fence, FenceFuture, Left},
    fleet::{Fleet, FleetBuilder},
    holder::Holder,
    lease::{Lease, LeaseSnapshot},
    store::{EngineReport, LeaseStore, MemoryStore, Source, StoreError, StoreFuture},
};
#[cfg(feature = "postgres")]
pub use self::{
    fence::{FenceError, PostgresFence},
    naming::name_connections,
};

/// Compiles and runs the examples of the guide. A doctest alone: the guide is not in the package.
#[cfg(all(doctest, feature = "postgres"))]
#[doc = include_str!("../../../docs/guides/fleet.md")]
struct FleetGuide;
