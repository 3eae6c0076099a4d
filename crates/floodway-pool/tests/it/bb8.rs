//! bb8 over PostgreSQL and Redis.

use std::time::Duration;

use bb8::{Pool, RunError};
use bb8_postgres::{PostgresConnectionManager, tokio_postgres::NoTls};
use floodway::{Pool as _, PoolFailure, Registry};
use floodway_pool::{Bb8Pool, Observed};
use floodway_test_support::{Postgres, Redis};
use futures::FutureExt;

use crate::{
    canary::{Fake, FakeError},
    contract,
    support::{at_rest, connection, eventually, limiter, nowhere, postgres},
};

type Manager = PostgresConnectionManager<NoTls>;

async fn four(server: &Postgres) -> Bb8Pool<Observed<Manager>> {
    let manager = Observed::new(Manager::new(postgres(server), NoTls));
    let pool = Pool::builder().max_size(4).build(manager.clone()).await.unwrap();
    Bb8Pool::observed(pool, &manager)
}

#[tokio::test]
async fn the_connection_is_the_pools_own() {
    let Some(server) = Postgres::start() else {
        return;
    };
    let limiter = limiter(four(&server).await, &Registry::new(), 1);
    let connection = connection(&limiter).await.unwrap();
    let row = connection.query_one("SELECT 1 + 2", &[]).await.unwrap();
    assert_eq!(row.get::<_, i32>(0), 3);
    assert_eq!((limiter.limiter().limit(), limiter.limiter().in_flight()), (3, 1));
    drop(connection);
    at_rest(&limiter).await;
}

#[tokio::test]
async fn a_pool_over_redis_works_alike() {
    let Some(server) = Redis::start() else {
        return;
    };
    let client = redis::Client::open(server.url()).unwrap();
    let pool = Bb8Pool::new(Pool::builder().max_size(4).build(client).await.unwrap());
    assert!(pool.connects().is_none());
    let limiter = limiter(pool, &Registry::new(), 0);
    let mut connection = connection(&limiter).await.unwrap();
    let pong: String = redis::cmd("PING").query_async(&mut **connection).await.unwrap();
    assert_eq!(pong, "PONG");
    drop(connection);
    at_rest(&limiter).await;
}

#[tokio::test]
async fn connections_taken_around_the_limiter_are_foreign() {
    let Some(server) = Postgres::start() else {
        return;
    };
    contract::others_use_is_foreign(four(&server).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn own_use_is_never_taken_for_foreign() {
    let Some(server) = Postgres::start() else {
        return;
    };
    contract::own_use_is_never_foreign(four(&server).await).await;
}

#[tokio::test]
async fn trimming_closes_idle_connections_only() {
    let Some(server) = Postgres::start() else {
        return;
    };
    contract::idle_connections_can_be_closed(four(&server).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn idle_connections_are_closed_under_a_ceiling() {
    let Some(server) = Postgres::start() else {
        return;
    };
    contract::idle_connections_follow_a_ceiling(four(&server).await).await;
}

#[tokio::test]
async fn trimming_leaves_what_the_pool_would_open_again() {
    let manager = Observed::new(Fake::new());
    let pool = Pool::builder().max_size(4).min_idle(2).build(manager.clone()).await.unwrap();
    let pool = Bb8Pool::observed(pool, &manager);
    eventually("two are open", || pool.snapshot().open == 2).await;
    assert_eq!(pool.trim(0).await, 0);
    assert_eq!(manager.inner().connects(), 2);
}

#[tokio::test]
async fn a_pool_that_is_not_observed_is_not_trimmed() {
    let pool = Bb8Pool::new(Pool::builder().max_size(4).build(Fake::new()).await.unwrap());
    let connection = pool.acquire().await.unwrap();
    drop(connection);
    assert_eq!((pool.trim(0).await, pool.snapshot().open), (0, 1));
}

#[tokio::test]
async fn an_observed_manager_tells_of_failed_connects_at_once() {
    let manager = Observed::new(Manager::new(nowhere(), NoTls));
    let patience = Duration::from_secs(30);
    let builder = Pool::builder().max_size(4).connection_timeout(patience);
    let pool = Bb8Pool::observed(builder.build_unchecked(manager.clone()), &manager);
    let mut acquire = pool.acquire().boxed();
    assert!((&mut acquire).now_or_never().is_none());
    eventually("one has failed", || manager.connects().failures_in_a_row() > 0).await;
    assert_eq!(pool.connects().map(|c| c.failures_in_a_row() > 0), Some(true));
    assert!(acquire.now_or_never().is_none(), "bb8 says nothing yet");
}

#[test]
fn errors_say_what_they_mean() {
    let failure = Bb8Pool::<Fake>::failure;
    assert_eq!(failure(&RunError::TimedOut), PoolFailure::TimedOut);
    assert_eq!(failure(&RunError::User(FakeError)), PoolFailure::Failed);
}
