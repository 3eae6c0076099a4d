//! Pools of bb8 0.9, whatever they hold.

use std::{fmt, future::Ready};

use bb8::{ManageConnection, PooledConnection, RunError, State};
use floodway::{Connects, Pool, PoolFailure, PoolSnapshot};

use crate::{Observed, observed::Notes};

/// A [`bb8::Pool`] as Floodway sees it.
///
/// What the pool tells, under its lock: its maximum, its open connections without those being
/// opened, and the idle ones. What it does not tell: who waits, and why. `Statistics::pending_gets`
/// rises by one for ever with each `get` that is dropped; a test of this crate watches for the day
/// on which that is mended. A connection from `dedicated_connection` is beside the pool, and nobody
/// counts it. A pool of bb8 cannot be closed.
///
/// It connects in a task of its own and tries again until `connection_timeout` has passed. All that
/// it says then is `TimedOut`; why, only its `ErrorSink` hears. Without `retry_connection` it takes
/// as long: nobody wakes the caller whose connect failed. So for a limiter that is to know earlier,
/// build the pool over an [`Observed`] manager and use [`observed`](Self::observed). In any case,
/// set `connection_timeout` to what a connect may take, 2 to 5 s rather than the 30 s by default:
/// behind a [`PoolLimiter`](floodway::PoolLimiter) nobody queues in the pool.
///
/// It has no way to close idle connections. A manager that is [`Observed`] calls them broken as
/// they come back; others keep theirs until `idle_timeout`. `min_idle` of them always stay.
/// With `test_on_check_out`, the default, every acquisition costs a round trip.
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
///
/// use bb8_postgres::{PostgresConnectionManager, tokio_postgres::NoTls};
/// use floodway::PoolLimiter;
/// use floodway_pool::{Bb8Pool, Observed};
/// use tokio::time::Instant;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let url = "postgres://localhost/orders";
/// let manager = Observed::new(PostgresConnectionManager::new(url.parse()?, NoTls));
/// let bb8 = bb8::Pool::builder()
///     .max_size(16)
///     .connection_timeout(Duration::from_secs(3))
///     .build(manager.clone())
///     .await?;
/// let pool = PoolLimiter::builder("orders-db", Bb8Pool::observed(bb8, &manager)).build()?;
/// let connection = pool.connection(Instant::now() + Duration::from_millis(250)).await?;
/// let row = connection.query_one("SELECT 1", &[]).await?;
/// assert_eq!(row.get::<_, i32>(0), 1);
/// # Ok(())
/// # }
/// ```
pub struct Bb8Pool<M: ManageConnection> {
    pool: bb8::Pool<M>,
    notes: Option<Notes>,
}

impl<M: ManageConnection> Bb8Pool<M> {
    /// Reads from `pool`, which may be used elsewhere as well: that use is measured as foreign.
    #[must_use]
    pub const fn new(pool: bb8::Pool<M>) -> Self {
        Self { pool, notes: None }
    }

    /// The pool itself. Connections taken from it directly count as foreign use.
    #[must_use]
    pub const fn inner(&self) -> &bb8::Pool<M> {
        &self.pool
    }
}

impl<M: ManageConnection> Bb8Pool<Observed<M>> {
    /// As [`new`](Self::new); its connects are known, and idle connections can be closed. `manager`
    /// is a clone of the one that `pool` was built over.
    #[must_use]
    pub fn observed(pool: bb8::Pool<Observed<M>>, manager: &Observed<M>) -> Self {
        Self { pool, notes: Some(manager.notes().clone()) }
    }
}

impl<M: ManageConnection<Error: std::error::Error + Sync>> Pool for Bb8Pool<M> {
    type Connection = PooledConnection<'static, M>;
    type Error = RunError<M::Error>;

    fn snapshot(&self) -> PoolSnapshot {
        let State { connections, idle_connections, .. } = self.pool.state();
        PoolSnapshot {
            max: self.pool.config().max_size,
            open: connections,
            idle: idle_connections,
            closed: false,
        }
    }

    fn acquire(
        &self,
    ) -> impl Future<Output = Result<PooledConnection<'static, M>, RunError<M::Error>>> + Send + 'static
    {
        let pool = self.pool.clone();
        async move { pool.get_owned().await }
    }

    fn release(
        &self,
        connection: PooledConnection<'static, M>,
    ) -> Option<impl Future<Output = ()> + Send + 'static> {
        drop(connection);
        None::<Ready<()>>
    }

    fn failure(error: &RunError<M::Error>) -> PoolFailure {
        match error {
            RunError::TimedOut => PoolFailure::TimedOut,
            RunError::User(_) => PoolFailure::Failed,
        }
    }

    /// Takes idle connections out one by one, checks them if the pool is told to, and has them
    /// closed as they come back. If somebody else is quicker to take an idle one, the pool opens
    /// one to be closed.
    fn trim(&self, open: u32) -> impl Future<Output = u32> + Send + 'static {
        let (pool, notes) = (self.pool.clone(), self.notes.clone());
        async move {
            let Some(notes) = notes else {
                return 0;
            };
            // Below this the pool would open another for each one that is closed.
            let kept = pool.config().min_idle.unwrap_or(0);
            let mut closed = 0;
            // At most as many as are too many now: if somebody opens more meanwhile, a later call
            // closes those.
            for _ in open..pool.state().connections {
                let State { connections, idle_connections, .. } = pool.state();
                if connections <= open || idle_connections <= kept {
                    break;
                }
                let Ok(idle) = pool.get_owned().await else {
                    break;
                };
                notes.close(idle);
                closed += 1;
            }
            closed
        }
    }

    fn connects(&self) -> Option<&Connects> {
        self.notes.as_ref().map(|notes| &notes.connects)
    }
}

impl<M: ManageConnection> ManageConnection for Observed<M> {
    type Connection = M::Connection;
    type Error = M::Error;

    async fn connect(&self) -> Result<M::Connection, M::Error> {
        self.connects().observe(self.inner().connect()).await
    }

    /// bb8 puts a connection whose check it gave up back among the idle ones, to hang the next caller.
    /// Here it is closed as it comes back, which is right after the check was dropped.
    async fn is_valid(&self, connection: &mut M::Connection) -> Result<(), M::Error> {
        let unfinished = self.notes().unfinished();
        let valid = self.inner().is_valid(connection).await;
        unfinished.finish();
        valid
    }

    /// bb8 asks as a connection comes back.
    fn has_broken(&self, connection: &mut M::Connection) -> bool {
        let doomed = self.notes().is_doomed();
        self.inner().has_broken(connection) || doomed
    }
}

/// Derived, it would ask for `M: Clone`.
impl<M: ManageConnection> Clone for Bb8Pool<M> {
    fn clone(&self) -> Self {
        Self { pool: self.pool.clone(), notes: self.notes.clone() }
    }
}

impl<M: ManageConnection> fmt::Debug for Bb8Pool<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bb8Pool").field("state", &self.pool.state()).finish_non_exhaustive()
    }
}
