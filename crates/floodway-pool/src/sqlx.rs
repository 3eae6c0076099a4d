//! Pools of sqlx 0.9, whatever the database.

use std::fmt;

use floodway::{Pool, PoolFailure, PoolSnapshot};
use sqlx::{Database, Error, pool::PoolConnection};

/// A [`sqlx::Pool`] as Floodway sees it.
///
/// What the pool tells: its maximum, its open connections with those being opened, and the idle
/// ones, each an atomic load. What it does not tell: how many callers wait in its own queue, and
/// why. `num_idle` of sqlx 0.9.0 can wrap around to a huge number for an instant
/// (<https://github.com/launchbadge/sqlx/pull/4289>); more idle than open connections are
/// read as all of them being idle.
///
/// Keep `acquire_timeout` well above the time a connect takes: behind a
/// [`PoolLimiter`](floodway::PoolLimiter) it bounds the connect alone, since nobody queues in the
/// pool, and the deadline of each call bounds the rest.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use floodway::PoolLimiter;
/// use floodway_pool::SqlxPool;
/// use sqlx::sqlite::SqlitePoolOptions;
/// use tokio::time::Instant;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let sqlite = SqlitePoolOptions::new().max_connections(4).connect("sqlite::memory:").await?;
/// let pool = PoolLimiter::builder("orders-db", SqlxPool::new(sqlite)).reserved(1).build()?;
/// let mut connection = pool.connection(Instant::now() + Duration::from_millis(250)).await?;
/// let one: i64 = sqlx::query_scalar("SELECT 1").fetch_one(&mut **connection).await?;
/// assert_eq!(one, 1);
/// # Ok(())
/// # }
/// ```
pub struct SqlxPool<DB: Database>(sqlx::Pool<DB>);

impl<DB: Database> SqlxPool<DB> {
    /// Reads from `pool`, which may be used elsewhere as well: that use is measured as foreign.
    #[must_use]
    pub const fn new(pool: sqlx::Pool<DB>) -> Self {
        Self(pool)
    }

    /// The pool itself. Connections taken from it directly count as foreign use.
    #[must_use]
    pub const fn inner(&self) -> &sqlx::Pool<DB> {
        &self.0
    }
}

impl<DB: Database> Pool for SqlxPool<DB> {
    type Connection = PoolConnection<DB>;
    type Error = Error;

    fn snapshot(&self) -> PoolSnapshot {
        PoolSnapshot {
            max: self.0.options().get_max_connections(),
            open: self.0.size(),
            idle: u32::try_from(self.0.num_idle()).unwrap_or(u32::MAX),
            closed: self.0.is_closed(),
        }
    }

    fn acquire(&self) -> impl Future<Output = Result<PoolConnection<DB>, Error>> + Send + 'static {
        self.0.acquire()
    }

    fn release(
        &self,
        mut connection: PoolConnection<DB>,
    ) -> Option<impl Future<Output = ()> + Send + 'static> {
        // What the connection's `Drop` spawns, awaited: it checks the connection, which takes a
        // round trip, and then wakes who waits in the pool.
        Some(connection.return_to_pool())
    }

    fn failure(error: &Error) -> PoolFailure {
        match error {
            Error::PoolTimedOut => PoolFailure::TimedOut,
            Error::PoolClosed => PoolFailure::Closed,
            _ => PoolFailure::Failed,
        }
    }

    fn trim(&self, open: u32) -> impl Future<Output = u32> + Send + 'static {
        let pool = self.0.clone();
        async move {
            let mut closed = 0;
            while pool.size() > open
                && let Some(idle) = pool.try_acquire()
            {
                // Whatever closing it says, it is no connection of the pool any more.
                let _ = idle.close().await;
                closed += 1;
            }
            closed
        }
    }

    fn changed(&self) -> impl Future<Output = ()> + Send + 'static {
        self.0.close_event()
    }
}

/// Derived, it would ask for `DB: Clone`.
impl<DB: Database> Clone for SqlxPool<DB> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<DB: Database> fmt::Debug for SqlxPool<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SqlxPool").field(&self.snapshot()).finish()
    }
}
