//! The pools: sqlx, deadpool and bb8, each as it comes but for its size and its patience.

use std::time::Duration;

use bb8_postgres::{
    PostgresConnectionManager,
    bb8::{self, PooledConnection, RunError},
};
use deadpool_postgres::{Object, PoolError};
use floodway::Pool;
use floodway_pool::{Bb8Pool, DeadpoolPool, SqlxPool};
use futures::future::try_join_all;
use sqlx::{PgPool, Postgres, pool::PoolConnection, postgres::PgPoolOptions};
use tokio::time::sleep;
use tokio_postgres::NoTls;

use super::{CONNECTIONS, PATIENCE};

const SHORTLY: Duration = Duration::from_millis(10);

/// A pool, and how it is asked.
pub(super) trait Driver: Clone + Send + Sync + 'static {
    const NAME: &'static str;
    type Connection: Send + 'static;
    type Error: std::error::Error + Send + Sync + 'static;
    /// The same pool for a limiter.
    type Adapter: Pool<Connection = Self::Connection, Error = Self::Error>;

    /// A pool that may open [`CONNECTIONS`].
    async fn open(url: &str) -> anyhow::Result<Self>;

    fn acquire(&self) -> impl Future<Output = Result<Self::Connection, Self::Error>> + Send;

    /// Runs a statement without parameters.
    fn run(
        connection: &mut Self::Connection,
        statement: &'static str,
    ) -> impl Future<Output = anyhow::Result<()>> + Send;

    fn adapter(&self) -> Self::Adapter;
}

/// A pool with all its connections open.
pub(super) async fn filled<D: Driver>(url: &str) -> anyhow::Result<D> {
    let pool = D::open(url).await?;
    // Each is used, so that all are there at the same time.
    let mut all = try_join_all((0..CONNECTIONS).map(|_| pool.acquire())).await?;
    for connection in &mut all {
        D::run(connection, "SELECT 1").await?;
    }
    drop(all);
    // Some pools take them back in the background, which a limiter would see as foreign use.
    while pool.adapter().snapshot().idle < CONNECTIONS {
        sleep(SHORTLY).await;
    }
    Ok(pool)
}

#[derive(Clone)]
pub(super) struct Sqlx(PgPool);

impl Driver for Sqlx {
    const NAME: &'static str = "sqlx";
    type Connection = PoolConnection<Postgres>;
    type Error = sqlx::Error;
    type Adapter = SqlxPool<Postgres>;

    async fn open(url: &str) -> anyhow::Result<Self> {
        let options = PgPoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(PATIENCE);
        Ok(Self(options.connect(url).await?))
    }

    fn acquire(&self) -> impl Future<Output = Result<Self::Connection, Self::Error>> + Send {
        self.0.acquire()
    }

    async fn run(connection: &mut Self::Connection, statement: &'static str) -> anyhow::Result<()> {
        sqlx::raw_sql(statement).execute(&mut **connection).await?;
        Ok(())
    }

    fn adapter(&self) -> Self::Adapter {
        SqlxPool::new(self.0.clone())
    }
}

#[derive(Clone)]
pub(super) struct Deadpool(deadpool_postgres::Pool);

impl Driver for Deadpool {
    const NAME: &'static str = "deadpool";
    type Connection = Object;
    type Error = PoolError;
    type Adapter = DeadpoolPool<deadpool_postgres::Manager, Object>;

    async fn open(url: &str) -> anyhow::Result<Self> {
        let manager = deadpool_postgres::Manager::new(url.parse()?, NoTls);
        let builder = deadpool_postgres::Pool::builder(manager).max_size(CONNECTIONS as usize);
        let patience = Some(PATIENCE);
        let builder = builder.wait_timeout(patience).create_timeout(patience);
        let builder = builder.recycle_timeout(patience).runtime(deadpool_postgres::Runtime::Tokio1);
        Ok(Self(builder.build()?))
    }

    fn acquire(&self) -> impl Future<Output = Result<Self::Connection, Self::Error>> + Send {
        self.0.get()
    }

    async fn run(connection: &mut Self::Connection, statement: &'static str) -> anyhow::Result<()> {
        Ok(connection.batch_execute(statement).await?)
    }

    fn adapter(&self) -> Self::Adapter {
        DeadpoolPool::new(self.0.clone())
    }
}

#[derive(Clone)]
pub(super) struct Bb8(bb8::Pool<PostgresConnectionManager<NoTls>>);

impl Driver for Bb8 {
    const NAME: &'static str = "bb8";
    type Connection = PooledConnection<'static, PostgresConnectionManager<NoTls>>;
    type Error = RunError<tokio_postgres::Error>;
    type Adapter = Bb8Pool<PostgresConnectionManager<NoTls>>;

    async fn open(url: &str) -> anyhow::Result<Self> {
        let manager = PostgresConnectionManager::new_from_stringlike(url, NoTls)?;
        let builder = bb8::Pool::builder().max_size(CONNECTIONS).connection_timeout(PATIENCE);
        Ok(Self(builder.build(manager).await?))
    }

    fn acquire(&self) -> impl Future<Output = Result<Self::Connection, Self::Error>> + Send {
        self.0.get_owned()
    }

    async fn run(connection: &mut Self::Connection, statement: &'static str) -> anyhow::Result<()> {
        Ok(connection.batch_execute(statement).await?)
    }

    fn adapter(&self) -> Self::Adapter {
        Bb8Pool::new(self.0.clone())
    }
}
