//! Pools of r2d2 0.8, whatever they hold.

use std::{
    fmt,
    future::{Ready, pending},
    panic::resume_unwind,
};

use floodway::{Connects, Pool, PoolFailure, PoolSnapshot};
use r2d2::{Error, ManageConnection, PooledConnection, State};
use tokio::{task::spawn_blocking, time::Instant};

use crate::{Observed, observed::Notes};

/// An [`r2d2::Pool`] as Floodway sees it.
///
/// The pool blocks, so obtaining a connection takes one of tokio's blocking threads for as long;
/// behind a [`PoolLimiter`](floodway::PoolLimiter) that is a check or a connect, never a queue. Use
/// the connection on a blocking thread as well. It goes back to the pool where it is dropped.
///
/// What the pool tells, under its lock: its maximum, its open connections without those being
/// opened, and the idle ones. What it does not tell: who waits, and why. It connects on threads of
/// its own, tries again for ever, and says after `connection_timeout` that it timed out, with the
/// last reason in its text only. An [`Observed`] manager tells sooner; set `connection_timeout` to
/// what a connect may take, 2 to 5 s rather than the 30 s by default. A pool of r2d2 cannot be
/// closed.
///
/// By default it keeps all connections open, so there is nothing to trim: it would open another for
/// each one that is closed. With `min_idle` set and an [`Observed`] manager, idle connections
/// beyond that are called broken as they come back, and closed.
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
///
/// use floodway::PoolLimiter;
/// use floodway_pool::{Observed, R2d2Pool};
/// use tokio::{task::spawn_blocking, time::Instant};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = Observed::new(redis::Client::open("redis://localhost/")?);
/// let r2d2 = r2d2::Pool::builder()
///     .max_size(16)
///     .min_idle(Some(0))
///     .connection_timeout(Duration::from_secs(3))
///     .build(manager.clone())?;
/// let pool = PoolLimiter::builder("cache", R2d2Pool::observed(r2d2, &manager)).build()?;
/// let mut connection = pool.connection(Instant::now() + Duration::from_millis(250)).await?;
/// let pong: String =
///     spawn_blocking(move || redis::cmd("PING").query(&mut **connection)).await??;
/// assert_eq!(pong, "PONG");
/// # Ok(())
/// # }
/// ```
pub struct R2d2Pool<M: ManageConnection> {
    pool: r2d2::Pool<M>,
    notes: Option<Notes>,
}

impl<M: ManageConnection> R2d2Pool<M> {
    /// Reads from `pool`, which may be used elsewhere as well: that use is measured as foreign.
    #[must_use]
    pub const fn new(pool: r2d2::Pool<M>) -> Self {
        Self { pool, notes: None }
    }

    /// The pool itself. Connections taken from it directly count as foreign use.
    #[must_use]
    pub const fn inner(&self) -> &r2d2::Pool<M> {
        &self.pool
    }
}

impl<M: ManageConnection> R2d2Pool<Observed<M>> {
    /// As [`new`](Self::new); its connects are known, and idle connections can be closed. `manager`
    /// is a clone of the one that `pool` was built over.
    #[must_use]
    pub fn observed(pool: r2d2::Pool<Observed<M>>, manager: &Observed<M>) -> Self {
        Self { pool, notes: Some(manager.notes().clone()) }
    }
}

impl<M: ManageConnection> Pool for R2d2Pool<M> {
    type Connection = PooledConnection<M>;
    type Error = Error;

    fn snapshot(&self) -> PoolSnapshot {
        let State { connections, idle_connections, .. } = self.pool.state();
        let max = self.pool.max_size();
        PoolSnapshot { max, open: connections, idle: idle_connections, closed: false }
    }

    fn acquire(&self) -> impl Future<Output = Result<PooledConnection<M>, Error>> + Send + 'static {
        let pool = self.pool.clone();
        async move { blocking(move || pool.get()).await }
    }

    fn release(
        &self,
        connection: PooledConnection<M>,
    ) -> Option<impl Future<Output = ()> + Send + 'static> {
        drop(connection);
        None::<Ready<()>>
    }

    fn failure(_: &Error) -> PoolFailure {
        PoolFailure::TimedOut
    }

    fn trim(&self, open: u32) -> impl Future<Output = u32> + Send + 'static {
        let (pool, notes) = (self.pool.clone(), self.notes.clone());
        async move {
            match notes {
                Some(notes) => blocking(move || trim(&pool, &notes, open)).await,
                None => 0,
            }
        }
    }

    fn connects(&self) -> Option<&Connects> {
        self.notes.as_ref().map(|notes| &notes.connects)
    }
}

/// Takes idle connections out one by one, checks them if the pool is told to, and has them closed
/// as they come back.
fn trim<M: ManageConnection>(pool: &r2d2::Pool<M>, notes: &Notes, open: u32) -> u32 {
    let kept = pool.min_idle().unwrap_or(pool.max_size());
    let mut closed = 0;
    for _ in open..pool.state().connections {
        let State { connections, idle_connections, .. } = pool.state();
        if connections <= open || idle_connections <= kept {
            break;
        }
        let Some(idle) = pool.try_get() else {
            break;
        };
        notes.close(idle);
        closed += 1;
    }
    closed
}

/// Runs `operation` where it may block.
async fn blocking<T: Send + 'static>(operation: impl FnOnce() -> T + Send + 'static) -> T {
    match spawn_blocking(operation).await {
        Ok(value) => value,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            // The runtime shuts down, and is about to drop this future as well.
            Err(_) => pending().await,
        },
    }
}

impl<M: ManageConnection> ManageConnection for Observed<M> {
    type Connection = M::Connection;
    type Error = M::Error;

    fn connect(&self) -> Result<M::Connection, M::Error> {
        let began = Instant::now();
        let result = self.inner().connect();
        match &result {
            Ok(_) => self.connects().opened(began),
            Err(_) => self.connects().failed(),
        }
        result
    }

    fn is_valid(&self, connection: &mut M::Connection) -> Result<(), M::Error> {
        self.inner().is_valid(connection)
    }

    /// r2d2 asks as a connection comes back.
    fn has_broken(&self, connection: &mut M::Connection) -> bool {
        let doomed = self.notes().is_doomed();
        self.inner().has_broken(connection) || doomed
    }
}

/// Derived, it would ask for `M: Clone`.
impl<M: ManageConnection> Clone for R2d2Pool<M> {
    fn clone(&self) -> Self {
        Self { pool: self.pool.clone(), notes: self.notes.clone() }
    }
}

impl<M: ManageConnection> fmt::Debug for R2d2Pool<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("R2d2Pool").field("state", &self.pool.state()).finish_non_exhaustive()
    }
}
