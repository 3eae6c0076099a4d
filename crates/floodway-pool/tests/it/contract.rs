//! What holds for every pool behind a limiter, whatever the adapter.

use std::iter::repeat_with;

use floodway::{BuildError, Ceiling, ConnectionError, Pool, PoolLimiter, Registry, RejectReason};
use floodway_metrics::catalogue::{limiter as limiter_metrics, pool as metrics};

use crate::support::{at_rest, connection, eventually, limiter, used};

/// Takes connections of `pool` around the limiter.
async fn take<P: Pool>(pool: &P, connections: usize) -> Vec<P::Connection> {
    let acquisitions = repeat_with(|| pool.acquire()).take(connections);
    futures::future::try_join_all(acquisitions).await.expect("the pool gives")
}

async fn give_back<P: Pool>(pool: &P, connections: impl IntoIterator<Item = P::Connection>) {
    for connection in connections {
        if let Some(release) = pool.release(connection) {
            release.await;
        }
    }
}

/// `pool` has four connections.
pub(crate) async fn others_use_is_foreign<P: Pool>(pool: P) {
    let registry = Registry::new();
    let limiter = limiter(pool.clone(), &registry, 0);
    let own = connection(&limiter).await.unwrap();
    let foreign = take(&pool, 2).await;
    eventually("two are foreign", || limiter.limiter().limit() == 2).await;
    let number = |metric, labels: &[&str]| registry.snapshot().number(metric, labels);
    assert_eq!(number(&metrics::CONNECTIONS_FOREIGN, &["db"]), Some(2.0));
    assert_eq!(number(&metrics::CONNECTIONS, &["db", "used"]), Some(3.0));
    assert_eq!(number(&limiter_metrics::LIMIT, &["db"]), Some(2.0));
    drop(own);
    give_back(&pool, foreign).await;
    at_rest(&limiter).await;
    eventually("none is foreign", || limiter.limiter().limit() == 4).await;
}

/// `pool` has four connections.
pub(crate) async fn own_use_is_never_foreign<P: Pool>(pool: P) {
    let limiter = limiter(pool, &Registry::new(), 0);
    let tasks = (0..64).map(|_| {
        let limiter = limiter.clone();
        tokio::spawn(async move {
            for _ in 0..20 {
                match connection(&limiter).await {
                    Ok(_connection) => tokio::task::yield_now().await,
                    Err(ConnectionError::Rejected(_)) => {}
                    Err(error) => panic!("{error}"),
                }
                assert_eq!(limiter.limiter().limit(), 4);
            }
        })
    });
    for task in futures::future::join_all(tasks).await {
        task.unwrap();
    }
    at_rest(&limiter).await;
}

/// `pool` has four connections and keeps none open that nobody uses.
pub(crate) async fn idle_connections_can_be_closed<P: Pool>(pool: P) {
    let mut taken = take(&pool, 4).await;
    let kept = taken.split_off(3);
    assert_eq!(pool.trim(0).await, 0, "all are used");
    give_back(&pool, taken).await;
    let counts = || (pool.snapshot().open, used(&pool));
    assert_eq!(counts(), (4, 1));
    assert_eq!(pool.trim(4).await, 0, "no more than that are open");
    assert_eq!(counts(), (4, 1));
    assert_eq!(pool.trim(2).await, 2);
    assert_eq!(counts(), (2, 1));
    assert_eq!(pool.trim(0).await, 1);
    assert_eq!(counts(), (1, 1), "one is used, and stays");
    give_back(&pool, kept).await;
    assert_eq!(counts(), (1, 0), "and comes back");
    assert_eq!(pool.trim(0).await, 1);
    let again = take(&pool, 4).await;
    assert_eq!(counts(), (4, 4), "the pool opens others when they are wanted");
    give_back(&pool, again).await;
}

/// `pool` has four connections and keeps none open that nobody uses.
pub(crate) async fn idle_connections_follow_a_ceiling<P: Pool>(pool: P) {
    let taken = take(&pool, 4).await;
    give_back(&pool, taken).await;
    let registry = Registry::new();
    let ceiling = Ceiling::new(4);
    let limiter = PoolLimiter::builder("db", pool.clone())
        .ceiling(ceiling.clone())
        .registry(&registry)
        .build()
        .expect("a valid description");
    let own = connection(&limiter).await.unwrap();
    ceiling.set(2);
    eventually("two are open", || pool.snapshot().open == 2).await;
    eventually("all is counted", || used(&pool) == 1).await;
    let number = |metric| registry.snapshot().number(metric, &["db"]);
    assert_eq!(number(&metrics::CONNECTIONS_FOREIGN), Some(0.0), "what is closed is not foreign");
    assert_eq!(limiter.limiter().limit(), 2);
    drop(own);
    at_rest(&limiter).await;
    assert_eq!(pool.snapshot().open, 2);
}

/// `pool` was closed.
pub(crate) async fn a_closed_pool_is_refused_as_such<P: Pool>(limiter: &PoolLimiter<P>) {
    let refused = connection(limiter).await.expect_err("it is closed");
    assert!(
        matches!(refused, ConnectionError::Rejected(ref r) if r.rejected.reason == RejectReason::Closed),
        "{refused:?}"
    );
}

/// `pool` has no maximum that a limiter could keep.
pub(crate) fn a_maximum_is_needed<P: Pool>(pool: P) {
    let error = PoolLimiter::builder("db", pool).registry(&Registry::new()).build().unwrap_err();
    let BuildError::OutOfRange { field, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(field, "pool size", "{error}");
}
