//! Real connection pools behind a [`PoolLimiter`](floodway::PoolLimiter), a feature each.
//!
//! | feature | pool | type |
//! |---|---|---|
//! | `sqlx` | sqlx 0.9: PostgreSQL, MySQL, SQLite, Any | `SqlxPool` |
//! | `deadpool` | deadpool 0.13: deadpool-postgres, deadpool-redis and others | `DeadpoolPool` |
//! | `bb8` | bb8 0.9 | `Bb8Pool` |
//! | `r2d2` | r2d2 0.8, on blocking threads | `R2d2Pool` |
//! | – | clients that are cloned: redis, reqwest, hyper, tonic | [`CountingPool`] |
//!
//! Each adapter reads what its pool tells and passes connections on; nothing is decided here. What
//! pools cannot do differs:
//!
//! | | says that it cannot connect | closes idle ones | says that it was closed |
//! |---|---|---|---|
//! | `SqlxPool` | at once; if refused, after `acquire_timeout` | yes | at once |
//! | `DeadpoolPool` | at once | yes | within a quarter of a second |
//! | `Bb8Pool`, `R2d2Pool` | after their timeout; at once if `Observed` | if `Observed` | never is |
//! | `CountingPool` | in the operation | never has any | never is |
//!
//! `Observed` wraps the manager of a pool of deadpool, bb8 or r2d2 and counts its connects.
//!
//! There is no adapter for mobc 0.9: its numbers are behind an async lock, its maximum as it says
//! is not the one that it keeps once it was changed, and its count of who waits never falls
//! when one of them leaves.

#[cfg(feature = "bb8")]
mod bb8;
mod counting;
#[cfg(feature = "deadpool")]
mod deadpool;
#[cfg(any(feature = "bb8", feature = "deadpool", feature = "r2d2"))]
mod observed;
#[cfg(feature = "r2d2")]
mod r2d2;
#[cfg(feature = "sqlx")]
mod sqlx;

pub use crate::counting::{Counted, CountingPool};

#[cfg(feature = "bb8")]
pub use crate::bb8::Bb8Pool;
#[cfg(feature = "deadpool")]
pub use crate::deadpool::DeadpoolPool;
#[cfg(any(feature = "bb8", feature = "deadpool", feature = "r2d2"))]
pub use crate::observed::Observed;
#[cfg(feature = "r2d2")]
pub use crate::r2d2::R2d2Pool;
#[cfg(feature = "sqlx")]
pub use crate::sqlx::SqlxPool;

/// Compiles and runs the examples of the guide. A doctest alone: the guide is not in the package.
#[cfg(all(doctest, feature = "sqlx"))]
#[doc = include_str!("../../../docs/guides/pools.md")]
struct PoolsGuide;
