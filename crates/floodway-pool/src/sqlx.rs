//! Pools of sqlx 0.9, whatever the database.

use std::{fmt, time::Duration};

use floodway::{Pool, PoolFailure, PoolSnapshot};
use sqlx::{Database, Error, pool::PoolConnection};
use tokio::time::timeout;

/// How long a connection may take to come back. Its check waits for a query that was abandoned, and
/// closing it then would leave that query running in a backend that nobody counts, so this is well
/// above what queries take. What sqlx itself may get is 5 s
/// (<https://github.com/transact-rs/sqlx/pull/4350>). It also bounds what sqlx does after it has
/// closed a connection that came back: opening others up to `min_connections`, for up to five
/// minutes.
const RETURN_PATIENCE: Duration = Duration::from_secs(30);

/// How long closing a connection may take before it is just dropped: what sqlx gives those that it
/// closes by itself.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);

/// A [`sqlx::Pool`] as Floodway sees it.
///
/// What the pool tells: its maximum, its open connections with those being opened, and the idle
/// ones, each an atomic load. What it does not tell: how many callers wait in its own queue, and
/// why. `num_idle` of sqlx 0.9.0 can wrap around to a huge number for an instant, because a
/// connection can be taken before its return is counted
/// (<https://github.com/transact-rs/sqlx/pull/4289>); more idle than open connections are
/// read as all of them being idle.
///
/// Behind a [`PoolLimiter`](floodway::PoolLimiter) nobody queues in the pool, so `acquire_timeout`
/// bounds the connect alone, and the deadline of each call bounds the rest. Set it to 2 to 5 s
/// rather than the 30 s by default: a connect that is refused is not reported but tried again until
/// then, at intervals that grow up to a fifth of it, so with 30 s the pool can go on for 6 s
/// without noticing that the database is back.
///
/// A connection is checked when it comes back, and with `test_before_acquire`, the default, a
/// second time when it is taken: a round trip each. sqlx waits for the first one without a bound
/// (<https://github.com/transact-rs/sqlx/issues/4349>); here the connection is given up after
/// [30 s](Self::with_return_timeout), so that a network that fell silent does not keep its permit.
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
pub struct SqlxPool<DB: Database> {
    pool: sqlx::Pool<DB>,
    return_timeout: Duration,
}

impl<DB: Database> SqlxPool<DB> {
    /// Reads from `pool`, which may be used elsewhere as well: that use is measured as foreign.
    #[must_use]
    pub const fn new(pool: sqlx::Pool<DB>) -> Self {
        Self { pool, return_timeout: RETURN_PATIENCE }
    }

    /// How long a connection may take to come back before it is given up; by default 30 s.
    ///
    /// Whoever drops a connection in the middle of a query leaves it to the pool to wait for the
    /// query's end. Until then nobody else can have the connection, and after a network that
    /// forgot it, nobody can for as long as this. Close to the longest query is best: a connection
    /// that is given up earlier leaves its query running in a backend that nobody counts.
    #[must_use]
    pub const fn with_return_timeout(mut self, timeout: Duration) -> Self {
        self.return_timeout = timeout;
        self
    }

    /// The pool itself. Connections taken from it directly count as foreign use.
    #[must_use]
    pub const fn inner(&self) -> &sqlx::Pool<DB> {
        &self.pool
    }
}

impl<DB: Database> Pool for SqlxPool<DB> {
    type Connection = PoolConnection<DB>;
    type Error = Error;

    fn snapshot(&self) -> PoolSnapshot {
        PoolSnapshot {
            max: self.pool.options().get_max_connections(),
            open: self.pool.size(),
            idle: u32::try_from(self.pool.num_idle()).unwrap_or(u32::MAX),
            closed: self.pool.is_closed(),
        }
    }

    fn acquire(&self) -> impl Future<Output = Result<PoolConnection<DB>, Error>> + Send + 'static {
        self.pool.acquire()
    }

    fn release(
        &self,
        mut connection: PoolConnection<DB>,
    ) -> Option<impl Future<Output = ()> + Send + 'static> {
        // What the connection's `Drop` spawns, awaited: it checks the connection, which takes a
        // round trip, and then wakes who waits in the pool. Cut short, it closes the connection.
        let (returned, patience) = (connection.return_to_pool(), self.return_timeout);
        Some(async move {
            let _ = timeout(patience, returned).await;
            // With `min_connections` sqlx spawns when this is dropped, for which it needs a runtime.
            drop(connection);
        })
    }

    fn failure(error: &Error) -> PoolFailure {
        match error {
            Error::PoolTimedOut => PoolFailure::TimedOut,
            Error::PoolClosed => PoolFailure::Closed,
            _ => PoolFailure::Failed,
        }
    }

    fn trim(&self, open: u32) -> impl Future<Output = u32> + Send + 'static {
        let pool = self.pool.clone();
        // Below that the pool opens another for each one that is closed.
        let open = open.max(pool.options().get_min_connections());
        async move {
            let mut closed = 0;
            while pool.size() > open
                && let Some(idle) = pool.try_acquire()
            {
                // Whatever closing it says, it is no connection of the pool any more.
                let _ = timeout(CLOSE_PATIENCE, idle.close()).await;
                closed += 1;
            }
            closed
        }
    }

    fn changed(&self) -> impl Future<Output = ()> + Send + 'static {
        self.pool.close_event()
    }
}

/// Derived, it would ask for `DB: Clone`.
impl<DB: Database> Clone for SqlxPool<DB> {
    fn clone(&self) -> Self {
        Self { pool: self.pool.clone(), return_timeout: self.return_timeout }
    }
}

impl<DB: Database> fmt::Debug for SqlxPool<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SqlxPool").field(&self.snapshot()).finish()
    }
}
