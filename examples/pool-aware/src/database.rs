//! The database behind the services: SQLite in a temporary file, or a PostgreSQL.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use ::url::Url;
use anyhow::{Context, Result, anyhow, bail, ensure};
use futures::future::{join_all, try_join_all};
use sqlx::{
    Any, AnyConnection, AnyPool, Connection, Error,
    any::{AnyConnectOptions, AnyPoolOptions},
    pool::PoolConnection,
};
use tempfile::TempDir;
use tokio::time::{Instant, sleep, timeout};

use crate::url;

/// A second until the folder is left behind.
const REMOVALS: u32 = 50;
const REMOVAL_PAUSE: Duration = Duration::from_millis(20);

/// Connections in the pool of each service: a common default, and more than two cores can use.
pub(crate) const POOL_SIZE: u32 = 10;

/// How long a request waits for a connection, whoever lets it wait.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);

/// A server that is there answers sooner; one that is not should not hold up the error.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long it may take until the connections of a new pool are there.
const FILL_TIMEOUT: Duration = Duration::from_secs(10);

/// How long connections may take to close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// Readers do not block each other.
const SQLITE_SETUP: &str = "PRAGMA journal_mode = WAL; PRAGMA busy_timeout = 5000";

/// Attempts that the client gave up are among them; it does not see those itself.
const POSTGRES_SESSIONS: &str =
    "SELECT sessions FROM pg_stat_database WHERE datname = current_database()";

/// What a request asks of the database.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Query(&'static str);

impl Query {
    /// Computes for some milliseconds, so that a few at once are all that two cores can do.
    const COMPUTE: Self = Self(
        "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 20000)
        SELECT SUM(n) FROM numbers",
    );

    /// Waits for 20 ms, as for a disk or a lock: so the connections are what there is too little
    /// of, and not this machine's processors.
    const WAIT: Self = Self("SELECT CAST(20 AS BIGINT) FROM pg_sleep(0.02)");

    pub(crate) async fn run(self, connection: &mut AnyConnection) -> sqlx::Result<i64> {
        sqlx::query_scalar(self.0).fetch_one(connection).await
    }
}

/// Where the pools connect to.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) name: &'static str,
    pub(crate) query: Query,
    options: AnyConnectOptions,
    /// Statements that each new connection begins with.
    setup: &'static str,
    /// Tells how many connections the server has seen, where there is one.
    sessions: Option<&'static str>,
    /// Deleted on drop.
    folder: Option<TempDir>,
}

/// A pool with all its connections.
pub(crate) struct Opened<'a> {
    pub(crate) pool: AnyPool,
    database: &'a Database,
    connected: Arc<AtomicU64>,
    /// Of the server, before.
    sessions: Option<u64>,
}

impl Database {
    /// The PostgreSQL at `url`, or a new SQLite file.
    pub(crate) async fn open(url: Option<&str>) -> Result<Self> {
        sqlx::any::install_default_drivers();
        match url {
            Some(url) => Self::postgres(url)
                .await
                .with_context(|| format!("--database-url {}", url::shown(url))),
            None => Self::sqlite(),
        }
    }

    fn sqlite() -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("floodway-pool-aware-")
            .tempdir()
            .context("cannot create a temporary folder")?;
        let path = folder.path().join("reports.sqlite");
        let mut url = Url::from_file_path(&path)
            .map_err(|()| anyhow!("{}: not an absolute path", path.display()))?
            .to_string();
        url.replace_range(.."file".len(), "sqlite");
        url.push_str("?mode=rwc");
        Ok(Self {
            name: "SQLite",
            query: Query::COMPUTE,
            options: url.parse().context("cannot name the SQLite file")?,
            setup: SQLITE_SETUP,
            sessions: None,
            folder: Some(folder),
        })
    }

    async fn postgres(url: &str) -> Result<Self> {
        const EXPECTED: &str = "expected postgres://user:password@host/database";
        let Ok(parsed) = Url::parse(url) else { bail!("not a URL, {EXPECTED}") };
        let scheme = parsed.scheme();
        ensure!(
            matches!(scheme, "postgres" | "postgresql"),
            "unsupported scheme {scheme:?}, {EXPECTED}; without this option SQLite is used"
        );
        let options: AnyConnectOptions = url.parse().context("not a URL of PostgreSQL")?;
        // sqlx's errors say themselves what their sources say.
        let connection = timeout(CONNECT_TIMEOUT, AnyConnection::connect_with(&options))
            .await
            .map_err(|_| anyhow!("no answer within {CONNECT_TIMEOUT:?}"))?
            .map_err(|error| anyhow!("cannot connect: {error}"))?;
        connection.close().await?;
        Ok(Self {
            name: "PostgreSQL",
            query: Query::WAIT,
            options,
            setup: "SET application_name TO 'floodway-pool-aware'",
            sessions: Some(POSTGRES_SESSIONS),
            folder: None,
        })
    }

    /// A new pool, as a service would configure it, with all its connections open.
    pub(crate) async fn pool(&self) -> Result<Opened<'_>> {
        let sessions = self.sessions().await?;
        let (setup, connected) = (self.setup, Arc::new(AtomicU64::new(0)));
        let count = Arc::clone(&connected);
        let pool = AnyPoolOptions::new()
            .max_connections(POOL_SIZE)
            .acquire_timeout(PATIENCE)
            .after_connect(move |connection, _| {
                count.fetch_add(1, Ordering::Relaxed);
                Box::pin(async move {
                    sqlx::raw_sql(setup).execute(connection).await?;
                    Ok(())
                })
            })
            .connect_lazy_with(self.options.clone());
        let mut all = Self::fill(&pool).await.context("cannot open the connections of the pool")?;
        // Dropped, they would come back a little later, and a limiter that looks before takes them
        // for those of others.
        join_all(all.iter_mut().map(|connection| connection.return_to_pool())).await;
        Ok(Opened { pool, database: self, connected, sessions })
    }

    /// How many connections the server has seen; `None` where there is no server.
    async fn sessions(&self) -> Result<Option<u64>> {
        let Some(query) = self.sessions else { return Ok(None) };
        let count = async {
            let mut connection = AnyConnection::connect_with(&self.options).await?;
            let count: i64 = sqlx::query_scalar(query).fetch_one(&mut connection).await?;
            connection.close().await?;
            Ok::<_, Error>(count)
        };
        let count = count.await.context("cannot ask the server for its sessions")?;
        Ok(Some(u64::try_from(count).unwrap_or(0)))
    }

    /// Removes the folder of the database, if it has one. Connections that an interruption has left on
    /// their way may put a file there meanwhile, so this is tried until they have come to nothing.
    pub(crate) async fn remove(self) {
        let Some(folder) = self.folder else {
            return;
        };
        let path = folder.keep();
        for _ in 0..REMOVALS {
            if fs::remove_dir_all(&path).is_ok() {
                return;
            }
            sleep(REMOVAL_PAUSE).await;
        }
    }

    /// Takes all connections. A server that has just lost hundreds of them is slow to give new ones,
    /// and that belongs to the load before.
    async fn fill(pool: &AnyPool) -> sqlx::Result<Vec<PoolConnection<Any>>> {
        let give_up = Instant::now() + FILL_TIMEOUT;
        let patient = async || loop {
            match pool.acquire().await {
                Err(Error::PoolTimedOut) if Instant::now() < give_up => {}
                result => return result,
            }
        };
        try_join_all((0..POOL_SIZE).map(|_| patient())).await
    }
}

impl Opened<'_> {
    /// Closes the pool, so that the next one is not measured beside it. Says how many connections
    /// were opened beyond the first ones.
    pub(crate) async fn close(self) -> Result<u64> {
        let _ = timeout(CLOSE_TIMEOUT, self.pool.close()).await;
        let first = u64::from(POOL_SIZE);
        let opened = match (self.sessions, self.database.sessions().await?) {
            // One asked for the number before.
            (Some(before), Some(after)) => after.saturating_sub(before + 1),
            _ => self.connected.load(Ordering::Relaxed),
        };
        Ok(opened.saturating_sub(first))
    }
}
