//! sqlx over SQLite, and the shape of the adapter for every database.

use floodway::{ConnectionError, Pool as _, PoolFailure, Registry, RejectReason};
use floodway_metrics::catalogue::{limiter as limiter_metrics, pool as metrics};
use floodway_pool::SqlxPool;
use sqlx::{MySql, Postgres, Sqlite};

use crate::support::{at_rest, connection, limiter, ms, sqlite};

#[tokio::test]
async fn the_connection_is_the_pools_own() {
    let (_dir, pool) = sqlite(4).await;
    let limiter = limiter(&pool, &Registry::new(), 1);
    let mut connection = connection(&limiter).await.unwrap();
    let three: i64 = sqlx::query_scalar("SELECT 1 + 2").fetch_one(&mut **connection).await.unwrap();
    assert_eq!(three, 3);
    assert_eq!((limiter.limiter().limit(), limiter.limiter().in_flight()), (3, 1));
    drop(connection);
    at_rest(&limiter, &pool).await;
}

#[tokio::test]
async fn connections_taken_around_the_limiter_are_foreign() {
    let (_dir, pool) = sqlite(4).await;
    let registry = Registry::new();
    let limiter = limiter(&pool, &registry, 0);
    let own = connection(&limiter).await.unwrap();
    let foreign = (pool.acquire().await.unwrap(), pool.acquire().await.unwrap());
    tokio::time::sleep(ms(400)).await;
    assert_eq!(limiter.limiter().limit(), 2);
    let number = |metric, labels: &[&str]| registry.snapshot().number(metric, labels);
    assert_eq!(number(&metrics::CONNECTIONS_FOREIGN, &["db"]), Some(2.0));
    assert_eq!(number(&metrics::CONNECTIONS, &["db", "used"]), Some(3.0));
    assert_eq!(number(&limiter_metrics::LIMIT, &["db"]), Some(2.0));
    drop((own, foreign));
    at_rest(&limiter, &pool).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn own_use_is_never_taken_for_foreign() {
    let (_dir, pool) = sqlite(4).await;
    let limiter = limiter(&pool, &Registry::new(), 0);
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
    at_rest(&limiter, &pool).await;
}

#[tokio::test]
async fn a_closed_pool_is_refused_as_such() {
    let (_dir, pool) = sqlite(4).await;
    let limiter = limiter(&pool, &Registry::new(), 0);
    pool.close().await;
    let refused = connection(&limiter).await.unwrap_err();
    assert!(
        matches!(refused, ConnectionError::Rejected(r) if r.rejected.reason == RejectReason::Closed),
        "{refused:?}"
    );
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
