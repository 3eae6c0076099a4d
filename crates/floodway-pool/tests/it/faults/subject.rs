//! The pools that are put under faults, each set up as its adapter advises.

use std::time::Duration;

use deadpool_postgres::{ManagerConfig, RecyclingMethod, Runtime, tokio_postgres::NoTls};
use floodway::Pool;
use floodway_pool::{Bb8Pool, DeadpoolPool, Observed, SqlxPool};
use sqlx::postgres::PgPoolOptions;

/// How long a pool may take to connect or to check a connection.
const PATIENCE: Duration = Duration::from_secs(2);

/// A pool of connections to PostgreSQL.
pub(super) trait Subject: Pool {
    const NAME: &str;

    /// A pool of at most `max` connections.
    fn open(url: &str, max: u32) -> impl Future<Output = Self> + Send;

    /// Runs a statement; an error if that failed.
    fn query(
        connection: &mut Self::Connection,
        text: &'static str,
    ) -> impl Future<Output = Result<(), ()>> + Send;
}

pub(super) type Sqlx = SqlxPool<sqlx::Postgres>;

impl Subject for Sqlx {
    const NAME: &str = "sqlx";

    async fn open(url: &str, max: u32) -> Self {
        let options = PgPoolOptions::new().max_connections(max).acquire_timeout(PATIENCE);
        // As long as the longest query.
        Self::new(options.connect(url).await.expect("connects")).with_return_timeout(PATIENCE)
    }

    async fn query(connection: &mut Self::Connection, text: &'static str) -> Result<(), ()> {
        sqlx::query(text).execute(&mut **connection).await.map(drop).map_err(drop)
    }
}

pub(super) type Deadpool = DeadpoolPool<Observed<deadpool_postgres::Manager>>;

impl Subject for Deadpool {
    const NAME: &str = "deadpool";

    async fn open(url: &str, max: u32) -> Self {
        // Otherwise a connection on which nothing goes through is handed out again and again.
        let config = ManagerConfig { recycling_method: RecyclingMethod::Verified };
        let address = url.parse().expect("a valid address");
        let manager = deadpool_postgres::Manager::from_config(address, NoTls, config);
        let pool = deadpool::managed::Pool::builder(Observed::new(manager))
            .max_size(max as usize)
            .runtime(Runtime::Tokio1)
            .create_timeout(Some(PATIENCE))
            .recycle_timeout(Some(PATIENCE / 2))
            .build();
        Self::observed(pool.expect("a valid description"))
    }

    async fn query(connection: &mut Self::Connection, text: &'static str) -> Result<(), ()> {
        connection.batch_execute(text).await.map_err(drop)
    }
}

type Bb8Manager = bb8_postgres::PostgresConnectionManager<NoTls>;
pub(super) type Bb8 = Bb8Pool<Observed<Bb8Manager>>;

impl Subject for Bb8 {
    const NAME: &str = "bb8";

    async fn open(url: &str, max: u32) -> Self {
        let manager = Observed::new(Bb8Manager::new(url.parse().expect("a valid address"), NoTls));
        // After a failed connect it pauses for up to half of that before it tries again.
        let patience = PATIENCE / 2;
        let options = bb8::Pool::builder().max_size(max).connection_timeout(patience);
        Self::observed(options.build(manager.clone()).await.expect("connects"), &manager)
    }

    async fn query(connection: &mut Self::Connection, text: &'static str) -> Result<(), ()> {
        connection.batch_execute(text).await.map_err(drop)
    }
}
