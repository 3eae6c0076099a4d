//! What the tests of this crate share.

use std::time::Duration;

use floodway::{ConnectionError, PoolLimiter, Pooled, Queue, Registry};
use floodway_pool::SqlxPool;
use sqlx::{Database, Error, Pool, Sqlite, sqlite::SqlitePoolOptions};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

pub(crate) type Connected<DB> = Result<Pooled<SqlxPool<DB>>, ConnectionError<Error>>;

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A SQLite database in a file of its own, with `max` connections.
pub(crate) async fn sqlite(max: u32) -> (TempDir, Pool<Sqlite>) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let url = format!("sqlite://{}?mode=rwc", dir.path().join("test.db").display());
    let pool = SqlitePoolOptions::new().max_connections(max).connect(&url).await.expect("connects");
    (dir, pool)
}

pub(crate) fn limiter<DB: Database>(
    pool: &Pool<DB>,
    registry: &Registry,
    reserved: u32,
) -> PoolLimiter<SqlxPool<DB>> {
    PoolLimiter::builder("db", SqlxPool::new(pool.clone()))
        .reserved(reserved)
        .queue(Queue::fifo().capacity(64).max_wait(ms(250)))
        .registry(registry)
        .build()
        .expect("a valid description")
}

pub(crate) async fn connection<DB: Database>(limiter: &PoolLimiter<SqlxPool<DB>>) -> Connected<DB> {
    limiter.connection(Instant::now() + ms(500)).await
}

/// Waits until every permit and every connection is back; fails after ten seconds.
pub(crate) async fn at_rest<DB: Database>(limiter: &PoolLimiter<SqlxPool<DB>>, pool: &Pool<DB>) {
    for _ in 0..1_000 {
        let inner = limiter.limiter();
        let used = pool.size() as usize - pool.num_idle().min(pool.size() as usize);
        if (inner.in_flight(), inner.queued(), used) == (0, 0, 0) {
            return;
        }
        sleep(ms(10)).await;
    }
    panic!("not at rest: {limiter:?}, {} open, {} idle", pool.size(), pool.num_idle());
}
