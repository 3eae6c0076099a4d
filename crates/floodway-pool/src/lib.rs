//! Real connection pools behind a [`PoolLimiter`](floodway::PoolLimiter), a feature each.
//!
//! | feature | pool | type |
//! |---|---|---|
//! | `sqlx` | sqlx 0.9: PostgreSQL, MySQL, SQLite, Any | `SqlxPool` |
//!
//! Each adapter reads what its pool tells and passes connections on; nothing is decided here.

#[cfg(feature = "sqlx")]
mod sqlx;

#[cfg(feature = "sqlx")]
pub use crate::sqlx::SqlxPool;
