//! Pools of deadpool 0.13, whatever they hold.

use std::{fmt, future::Ready};

use deadpool::{
    Status,
    managed::{self, Manager, Metrics, Object, PoolError, RecycleResult},
};
use floodway::{Connects, Pool, PoolFailure, PoolSnapshot};

use crate::Observed;

/// A [`deadpool::managed::Pool`] as Floodway sees it: that of deadpool-postgres, deadpool-redis or
/// any other, with its own type of connection `W`.
///
/// What the pool tells, under its lock: its maximum, its open connections, and how many callers
/// have or want one. What it does not tell: who of them is connecting. `Status::waiting` counts
/// those with the ones who queue, and `Status::available` is too small by their number. Here both
/// are read as connections that are being opened, up to the maximum.
///
/// `resize` is never called, and must not be: on a pool that has not grown to its maximum it takes
/// no permits away, yet adds some when the maximum rises again, so the pool opens more than it
/// should. Tests of this crate watch for the day on which that is mended. Idle connections are
/// closed by `retain`, those that have been idle longest first.
///
/// A `get` that is dropped while it checks a connection closes that connection, and one that is
/// dropped while it connects has connected in vain; behind a
/// [`PoolLimiter`](floodway::PoolLimiter) neither happens.
///
/// By default a pool has no timeouts: a connect that hangs keeps its permit for as long. Set
/// `create_timeout` and `recycle_timeout` to what a connect and a check may take, 2 to 5 s for
/// example; they need `Runtime::Tokio1`. Nobody queues in the pool, so `wait_timeout` can be left
/// out.
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
///
/// use deadpool_postgres::{Manager, Pool, Runtime, tokio_postgres::NoTls};
/// use floodway::PoolLimiter;
/// use floodway_pool::DeadpoolPool;
/// use tokio::time::Instant;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = Manager::new("postgres://localhost/orders".parse()?, NoTls);
/// let deadpool = Pool::builder(manager)
///     .max_size(16)
///     .runtime(Runtime::Tokio1)
///     .create_timeout(Some(Duration::from_secs(3)))
///     .recycle_timeout(Some(Duration::from_secs(1)))
///     .build()?;
/// let pool = PoolLimiter::builder("orders-db", DeadpoolPool::new(deadpool)).build()?;
/// let connection = pool.connection(Instant::now() + Duration::from_millis(250)).await?;
/// let row = connection.query_one("SELECT 1", &[]).await?;
/// assert_eq!(row.get::<_, i32>(0), 1);
/// # Ok(())
/// # }
/// ```
pub struct DeadpoolPool<M: Manager, W: From<Object<M>> = Object<M>> {
    pool: managed::Pool<M, W>,
    connects: Option<Connects>,
}

impl<M: Manager, W: From<Object<M>>> DeadpoolPool<M, W> {
    /// Reads from `pool`, which may be used elsewhere as well: that use is measured as foreign.
    #[must_use]
    pub const fn new(pool: managed::Pool<M, W>) -> Self {
        Self { pool, connects: None }
    }

    /// The pool itself. Connections taken from it directly count as foreign use.
    #[must_use]
    pub const fn inner(&self) -> &managed::Pool<M, W> {
        &self.pool
    }
}

impl<M: Manager, W: From<Object<Observed<M>>>> DeadpoolPool<Observed<M>, W> {
    /// As [`new`](Self::new), and its connects are known.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use deadpool_postgres::{Manager, tokio_postgres::NoTls};
    /// use floodway_pool::{DeadpoolPool, Observed};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let manager = Manager::new("postgres://localhost/orders".parse()?, NoTls);
    /// let deadpool: deadpool::managed::Pool<Observed<Manager>> =
    ///     deadpool::managed::Pool::builder(Observed::new(manager)).max_size(16).build()?;
    /// let pool = DeadpoolPool::observed(deadpool);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn observed(pool: managed::Pool<Observed<M>, W>) -> Self {
        let connects = pool.manager().connects().clone();
        Self { pool, connects: Some(connects) }
    }
}

impl<M, W> Pool for DeadpoolPool<M, W>
where
    M: Manager<Error: std::error::Error + Sync + 'static> + 'static,
    W: From<Object<M>> + Send + 'static,
{
    type Connection = W;
    type Error = PoolError<M::Error>;

    fn snapshot(&self) -> PoolSnapshot {
        let Status { max_size, size, available, waiting } = self.pool.status();
        let opening = waiting.min(max_size.saturating_sub(size));
        PoolSnapshot {
            max: number(max_size),
            open: number(size + opening),
            idle: number(available),
            closed: self.pool.is_closed(),
        }
    }

    fn acquire(&self) -> impl Future<Output = Result<W, PoolError<M::Error>>> + Send + 'static {
        let pool = self.pool.clone();
        async move { pool.get().await }
    }

    fn release(&self, connection: W) -> Option<impl Future<Output = ()> + Send + 'static> {
        drop(connection);
        None::<Ready<()>>
    }

    fn failure(error: &PoolError<M::Error>) -> PoolFailure {
        match error {
            PoolError::Timeout(_) => PoolFailure::TimedOut,
            PoolError::Closed => PoolFailure::Closed,
            _ => PoolFailure::Failed,
        }
    }

    fn trim(&self, open: u32) -> impl Future<Output = u32> + Send + 'static {
        let pool = self.pool.clone();
        async move {
            let mut surplus = pool.status().size.saturating_sub(open as usize);
            let retained = pool.retain(|_, _| {
                let keep = surplus == 0;
                surplus -= usize::from(!keep);
                keep
            });
            // Dropped here, and so closed, now that the pool is unlocked.
            number(retained.removed.len())
        }
    }

    fn connects(&self) -> Option<&Connects> {
        self.connects.as_ref()
    }
}

fn number(connections: usize) -> u32 {
    u32::try_from(connections).unwrap_or(u32::MAX)
}

impl<M: Manager> Manager for Observed<M> {
    type Type = M::Type;
    type Error = M::Error;

    async fn create(&self) -> Result<M::Type, M::Error> {
        self.connects().observe(self.inner().create()).await
    }

    async fn recycle(
        &self,
        connection: &mut M::Type,
        metrics: &Metrics,
    ) -> RecycleResult<M::Error> {
        self.inner().recycle(connection, metrics).await
    }

    fn detach(&self, connection: &mut M::Type) {
        self.inner().detach(connection);
    }
}

/// Derived, it would ask for `M: Clone` and `W: Clone`.
impl<M: Manager, W: From<Object<M>>> Clone for DeadpoolPool<M, W> {
    fn clone(&self) -> Self {
        Self { pool: self.pool.clone(), connects: self.connects.clone() }
    }
}

impl<M: Manager, W: From<Object<M>>> fmt::Debug for DeadpoolPool<M, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadpoolPool").field("status", &self.pool.status()).finish_non_exhaustive()
    }
}
