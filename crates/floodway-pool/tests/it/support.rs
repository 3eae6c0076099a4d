//! What the tests of this crate share.

use std::time::Duration;

use deadpool_postgres::tokio_postgres;
use floodway::{ConnectionError, Pool, PoolLimiter, Pooled, Queue, Registry};
use floodway_pool::SqlxPool;
use floodway_test_support::Postgres;
use sqlx::{Sqlite, sqlite::SqlitePoolOptions};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

pub(crate) type Connected<P> = Result<Pooled<P>, ConnectionError<<P as Pool>::Error>>;

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A SQLite database in a file of its own, with `max` connections.
pub(crate) async fn sqlite(max: u32) -> (TempDir, sqlx::Pool<Sqlite>) {
    sqlite_with(SqlitePoolOptions::new().max_connections(max)).await
}

pub(crate) async fn sqlite_with(options: SqlitePoolOptions) -> (TempDir, sqlx::Pool<Sqlite>) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let url = format!("sqlite://{}?mode=rwc", dir.path().join("test.db").display());
    let pool = options.connect(&url).await.expect("connects");
    (dir, pool)
}

/// How tokio-postgres reaches `server`.
pub(crate) fn postgres(server: &Postgres) -> tokio_postgres::Config {
    server.url().parse().expect("a valid address")
}

/// Where nobody listens: the port is reserved and needs privileges.
pub(crate) fn nowhere() -> tokio_postgres::Config {
    "postgres://postgres@127.0.0.1:1/postgres".parse().expect("a valid address")
}

pub(crate) fn limiter<P: Pool>(pool: P, registry: &Registry, reserved: u32) -> PoolLimiter<P> {
    PoolLimiter::builder("db", pool)
        .reserved(reserved)
        .queue(Queue::fifo().capacity(64).max_wait(ms(250)))
        .registry(registry)
        .build()
        .expect("a valid description")
}

pub(crate) fn sqlite_limiter(
    pool: &sqlx::Pool<Sqlite>,
    registry: &Registry,
    reserved: u32,
) -> PoolLimiter<SqlxPool<Sqlite>> {
    limiter(SqlxPool::new(pool.clone()), registry, reserved)
}

pub(crate) async fn connection<P: Pool>(limiter: &PoolLimiter<P>) -> Connected<P> {
    limiter.connection(Instant::now() + ms(500)).await
}

/// Connections of `pool` that are in use.
pub(crate) fn used<P: Pool>(pool: &P) -> u32 {
    let snapshot = pool.snapshot();
    snapshot.open - snapshot.idle.min(snapshot.open)
}

/// Waits until `condition` holds; fails after ten seconds.
pub(crate) async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    for _ in 0..1_000 {
        if condition() {
            return;
        }
        sleep(ms(10)).await;
    }
    panic!("not after ten seconds: {what}");
}

/// Waits until every permit and every connection is back; fails after ten seconds.
pub(crate) async fn at_rest<P: Pool>(limiter: &PoolLimiter<P>) {
    let inner = limiter.limiter();
    let at_rest = || (inner.in_flight(), inner.queued(), used(limiter.pool())) == (0, 0, 0);
    eventually(&format!("at rest, {limiter:?}"), at_rest).await;
}
