//! The database behind the service: SQLite in a temporary folder, or a PostgreSQL.

mod url;

use std::time::Duration;

use ::url::Url;
use anyhow::{Context, Result, anyhow};
use sqlx::{
    AnyConnection, AnyPool, Connection,
    any::{AnyConnectOptions, AnyPoolOptions},
};
use tempfile::TempDir;
use tokio::time::timeout;

/// Connections in the pool of each service: a common default, and more than two cores can use.
pub(crate) const POOL_SIZE: u32 = 8;

/// How long the bare pool lets a request wait for a connection.
pub(crate) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);

/// A server that is there answers sooner; one that is not should not hold up the error.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Readers and the writer do not block each other, and two writers wait. Pages are read where they
/// are mapped: SQLite's page cache has a lock that all connections of a process share, which shows
/// in profiles of eight of them.
const SQLITE_SETUP: &str = "
    PRAGMA busy_timeout = 5000;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    PRAGMA mmap_size = 268435456;
";

/// Where the service keeps its orders.
#[derive(Debug)]
pub(crate) struct Database {
    options: AnyConnectOptions,
    /// Statements that each new connection begins with.
    setup: &'static str,
    place: Place,
}

#[derive(Debug)]
enum Place {
    /// Deleted on drop.
    Folder(#[expect(dead_code, reason = "held for its drop")] TempDir),
    Schema,
}

impl Database {
    /// An empty database: the PostgreSQL at `url`, or a new SQLite file.
    pub(crate) async fn create(url: Option<&str>) -> Result<Self> {
        sqlx::any::install_default_drivers();
        match url {
            Some(url) => Self::postgres(url).await,
            None => Self::sqlite(),
        }
    }

    fn sqlite() -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("floodway-demo-")
            .tempdir()
            .context("cannot create a temporary folder")?;
        let path = folder.path().join("orders.sqlite");
        let mut url = Url::from_file_path(&path)
            .map_err(|()| anyhow!("{}: not an absolute path", path.display()))?
            .to_string();
        url.replace_range(.."file".len(), "sqlite");
        url.push_str("?mode=rwc");
        Ok(Self {
            options: url.parse().context("cannot name the SQLite file")?,
            setup: SQLITE_SETUP,
            place: Place::Folder(folder),
        })
    }

    async fn postgres(url: &str) -> Result<Self> {
        let database = Self {
            options: url::postgres(url)?,
            setup: "SET search_path TO floodway_demo",
            place: Place::Schema,
        };
        let prepared = async {
            let mut connection = database.connect().await?;
            sqlx::raw_sql(
                "DROP SCHEMA IF EXISTS floodway_demo CASCADE; CREATE SCHEMA floodway_demo",
            )
            .execute(&mut connection)
            .await?;
            connection.close().await?;
            Ok::<_, anyhow::Error>(())
        };
        prepared.await.with_context(|| format!("--database-url {}", url::without_password(url)))?;
        Ok(database)
    }

    /// Creates the table and fills it with `orders` rows.
    pub(crate) async fn fill(&self, orders: u32) -> Result<()> {
        let mut connection = self.connect().await?;
        crate::orders::create(&mut connection, orders)
            .await
            .context("cannot fill the table of orders")?;
        Ok(connection.close().await?)
    }

    /// The highest id of an order.
    pub(crate) async fn last_order(&self) -> Result<i64> {
        let mut connection = self.connect().await?;
        let last = crate::orders::last(&mut connection).await?;
        connection.close().await?;
        Ok(last)
    }

    /// A new pool, as a service would configure it.
    pub(crate) fn pool(&self) -> AnyPool {
        let setup = self.setup;
        AnyPoolOptions::new()
            .max_connections(POOL_SIZE)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    sqlx::raw_sql(setup).execute(connection).await?;
                    Ok(())
                })
            })
            .connect_lazy_with(self.options.clone())
    }

    /// Removes every trace.
    pub(crate) async fn remove(self) -> Result<()> {
        if let Place::Schema = self.place {
            let mut connection = self.connect().await?;
            sqlx::raw_sql("DROP SCHEMA floodway_demo CASCADE")
                .execute(&mut connection)
                .await
                .context("cannot drop the schema floodway_demo")?;
            connection.close().await?;
        }
        Ok(())
    }

    async fn connect(&self) -> Result<AnyConnection> {
        let connect = async {
            let mut connection = AnyConnection::connect_with(&self.options).await?;
            sqlx::raw_sql(self.setup).execute(&mut connection).await?;
            Ok::<_, sqlx::Error>(connection)
        };
        timeout(CONNECT_TIMEOUT, connect)
            .await
            .map_err(|_| anyhow!("no answer within {CONNECT_TIMEOUT:?}"))?
            .context("cannot connect")
    }
}
