//! sqlx over SQLite, and the shape of the adapter for every database.

use std::{future::pending, time::Duration};

use floodway::{ConnectionError, Pool as _, PoolFailure, Registry};
use floodway_pool::SqlxPool;
use futures::FutureExt;
use sqlx::{MySql, Postgres, Sqlite, sqlite::SqlitePoolOptions};
use tokio::time::sleep;

use crate::{
    contract,
    support::{at_rest, connection, eventually, sqlite, sqlite_limiter, sqlite_with},
};

#[tokio::test]
async fn the_connection_is_the_pools_own() {
    let (_dir, pool) = sqlite(4).await;
    let limiter = sqlite_limiter(&pool, &Registry::new(), 1);
    let mut connection = connection(&limiter).await.unwrap();
    let three: i64 = sqlx::query_scalar("SELECT 1 + 2").fetch_one(&mut **connection).await.unwrap();
    assert_eq!(three, 3);
    assert_eq!((limiter.limiter().limit(), limiter.limiter().in_flight()), (3, 1));
    drop(connection);
    at_rest(&limiter).await;
}

#[tokio::test]
async fn connections_taken_around_the_limiter_are_foreign() {
    let (_dir, pool) = sqlite(4).await;
    contract::others_use_is_foreign(SqlxPool::new(pool)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn own_use_is_never_taken_for_foreign() {
    let (_dir, pool) = sqlite(4).await;
    let limiter = sqlite_limiter(&pool, &Registry::new(), 0);
    let tasks = (0..64).map(|_| {
        let limiter = limiter.clone();
        tokio::spawn(async move {
            for _ in 0..20 {
                let mut connection = match connection(&limiter).await {
                    Ok(connection) => connection,
                    Err(ConnectionError::Rejected(_)) => continue,
                    Err(error) => panic!("{error}"),
                };
                sqlx::query("SELECT 1").execute(&mut **connection).await.unwrap();
                assert_eq!(limiter.limiter().limit(), 4);
            }
        })
    });
    for task in futures::future::join_all(tasks).await {
        task.unwrap();
    }
    at_rest(&limiter).await;
}

#[tokio::test]
async fn a_closed_pool_is_refused_as_such() {
    let (_dir, pool) = sqlite(4).await;
    let limiter = sqlite_limiter(&pool, &Registry::new(), 0);
    pool.close().await;
    contract::a_closed_pool_is_refused_as_such(&limiter).await;
}

#[tokio::test]
async fn trimming_closes_idle_connections_only() {
    let (_dir, pool) = sqlite(4).await;
    contract::idle_connections_can_be_closed(SqlxPool::new(pool)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn idle_connections_are_closed_under_a_ceiling() {
    let (_dir, pool) = sqlite(4).await;
    contract::idle_connections_follow_a_ceiling(SqlxPool::new(pool)).await;
}

#[tokio::test]
async fn trimming_leaves_what_the_pool_would_open_again() {
    let (_dir, pool) = sqlite_with(SqlitePoolOptions::new().min_connections(2)).await;
    let pool = SqlxPool::new(pool);
    eventually("two are open", || pool.snapshot().open == 2).await;
    assert_eq!((pool.trim(0).await, pool.snapshot().open), (0, 2));
}

#[tokio::test]
async fn a_return_that_hangs_gives_its_permit_back_in_the_end() {
    let hangs = SqlitePoolOptions::new().max_connections(1).after_release(|_, _| pending().boxed());
    let (_dir, pool) = sqlite_with(hangs).await;
    let limiter = sqlite_limiter(&pool, &Registry::new(), 0);
    drop(connection(&limiter).await.unwrap());
    tokio::time::pause();
    sleep(Duration::from_secs(29)).await;
    assert_eq!(limiter.limiter().in_flight(), 1);
    sleep(Duration::from_secs(2)).await;
    assert_eq!((limiter.limiter().in_flight(), pool.size()), (0, 0));
}

#[tokio::test]
async fn one_adapter_serves_every_database() {
    fn is_pool<P: floodway::Pool>() {}
    is_pool::<SqlxPool<Sqlite>>();
    is_pool::<SqlxPool<Postgres>>();
    is_pool::<SqlxPool<MySql>>();
    let (_dir, pool) = sqlite(3).await;
    let snapshot = SqlxPool::new(pool).snapshot();
    assert_eq!((snapshot.max, snapshot.open, snapshot.idle, snapshot.closed), (3, 1, 1, false));
    let failure = SqlxPool::<Sqlite>::failure;
    assert_eq!(failure(&sqlx::Error::PoolTimedOut), PoolFailure::TimedOut);
    assert_eq!(failure(&sqlx::Error::PoolClosed), PoolFailure::Closed);
    assert_eq!(failure(&sqlx::Error::WorkerCrashed), PoolFailure::Failed);
}
