//! Closes connections of replicas that are gone, at PostgreSQL.

mod closing;
mod error;

use std::fmt;

use sqlx::{Connection as _, PgConnection, PgPool, postgres::PgConnectOptions};
use tokio::{sync::Mutex, time::timeout};

use self::closing::{Closing, PATIENCE};
pub use self::error::FenceError;
use super::{Fence, FenceFuture, Left};

/// The name of the fence's own connections.
const NAME: &str = "floodway-fence";

/// The oldest server whose `pg_terminate_backend` can wait for the end.
const OLDEST: u32 = 140_000;

/// Closes connections of replicas that are gone, with `pg_terminate_backend`: PostgreSQL 14 and later.
///
/// A server keeps a connection whose client has died for as long as a query runs on it, and one whose
/// client's machine has vanished for hours. With a fence in
/// [`BudgetBuilder::fence`](crate::BudgetBuilder::fence), what they hold counts until it is really closed.
///
/// The connections have to have the lease's name: see [`name_connections`](crate::name_connections).
/// Only those with exactly that name are closed, whatever their database, so fleets that share a server
/// but no engine need different names for their budgets.
///
/// The fence connects only while it has something to close, and once at a time: that connection is part
/// of what the budget's [`margin`](crate::BudgetBuilder::margin) is for. The role that the replicas use
/// may close its own connections; any other has to be a member of `pg_signal_backend`, and only a superuser
/// may close those of one. A pooler such as PgBouncer in between hides whose connections they are.
///
/// ```no_run
/// # async fn example(fleet: floodway_fleet::Fleet) -> Result<(), Box<dyn std::error::Error>> {
/// use floodway_fleet::{PostgresFence, name_connections};
/// use sqlx::postgres::PgPoolOptions;
///
/// let pool = PgPoolOptions::new().max_connections(20).connect_lazy("postgres://orders@db/orders")?;
/// let budget = fleet
///     .budget("orders-db", 40)
///     .fence(PostgresFence::new(&pool))
///     .on_lease(name_connections(&pool))
///     .build()?;
/// # Ok(())
/// # }
/// ```
pub struct PostgresFence {
    options: PgConnectOptions,
    /// Held while there is a connection.
    turn: Mutex<()>,
}

impl PostgresFence {
    /// Connects as `pool` does, with a connection of its own.
    #[must_use]
    pub fn new(pool: &PgPool) -> Self {
        Self::with_options((*pool.connect_options()).clone())
    }

    /// Connects by `url`, such as `postgres://fence:password@host:5432/orders`. Not before there is
    /// something to close.
    ///
    /// # Errors
    ///
    /// [`FenceError::Url`] if it is not one.
    pub fn from_url(url: &str) -> Result<Self, FenceError> {
        // sqlx takes any scheme.
        let ours = ["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme));
        let options = ours.then(|| url.parse().ok()).flatten();
        options.map(Self::with_options).ok_or(FenceError::Url)
    }

    /// Connects with `options`, whose `application_name` is replaced.
    #[must_use]
    pub fn with_options(options: PgConnectOptions) -> Self {
        Self { options: options.application_name(NAME), turn: Mutex::new(()) }
    }

    async fn close(&self, left: &Left) -> Result<u32, FenceError> {
        let _turn = self.turn.lock().await;
        let mut connection = self.connect().await?;
        let closing = Closing::new(&mut connection, left).run();
        let closed = timeout(PATIENCE, closing).await.unwrap_or_else(|_| {
            let (application_name, after) = (left.application_name.clone(), PATIENCE);
            Err(FenceError::Stuck { application_name, after })
        });
        // What became of the others is known either way.
        let _ = connection.close().await;
        closed.map_err(|error| error.of_role(self.options.get_username()))
    }

    async fn connect(&self) -> Result<PgConnection, FenceError> {
        let connected = PgConnection::connect_with(&self.options).await;
        let mut connection = connected.map_err(|error| self.unreachable(error))?;
        if let Some(found) = connection.server_version_num().filter(|found| *found < OLDEST) {
            return Err(FenceError::TooOld { major: found / 10_000 });
        }
        // The server's end of a fence that was given up. Warnings of what has ended meanwhile are no news.
        let setup = "SET statement_timeout = '5s'; SET client_min_messages = 'error'";
        sqlx::raw_sql(setup).execute(&mut connection).await.map_err(FenceError::Failed)?;
        Ok(connection)
    }

    fn unreachable(&self, source: sqlx::Error) -> FenceError {
        let (host, port) = (self.options.get_host(), self.options.get_port());
        let server = self
            .options
            .get_socket()
            .map_or_else(|| format!("{host}:{port}"), |socket| socket.display().to_string());
        FenceError::connecting(server, source)
    }
}

impl Fence for PostgresFence {
    fn close<'a>(&'a self, left: &'a Left) -> FenceFuture<'a> {
        Box::pin(async move { Ok(Self::close(self, left).await?) })
    }
}

/// Without the password.
impl fmt::Debug for PostgresFence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresFence")
            .field("host", &self.options.get_host())
            .field("port", &self.options.get_port())
            .field("role", &self.options.get_username())
            .finish_non_exhaustive()
    }
}
