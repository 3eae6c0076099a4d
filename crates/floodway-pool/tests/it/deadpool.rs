//! deadpool over PostgreSQL and Redis.

use deadpool::managed::{Object, Pool, PoolError, TimeoutType};
use deadpool_postgres::{Manager, tokio_postgres::NoTls};
use floodway::{Pool as _, PoolFailure, Registry};
use floodway_pool::{DeadpoolPool, Observed};
use floodway_test_support::{Postgres, Redis};
use futures::FutureExt;

use crate::{
    canary::Fake,
    contract,
    support::{at_rest, connection, limiter, nowhere, postgres, used},
};

fn four(server: &Postgres) -> DeadpoolPool<Manager> {
    let manager = Manager::new(postgres(server), NoTls);
    DeadpoolPool::new(Pool::builder(manager).max_size(4).build().unwrap())
}

#[tokio::test]
async fn the_connection_is_the_pools_own() {
    let Some(server) = Postgres::start() else {
        return;
    };
    let limiter = limiter(four(&server), &Registry::new(), 1);
    let connection = connection(&limiter).await.unwrap();
    let row = connection.query_one("SELECT 1 + 2", &[]).await.unwrap();
    assert_eq!(row.get::<_, i32>(0), 3);
    assert_eq!((limiter.limiter().limit(), limiter.limiter().in_flight()), (3, 1));
    drop(connection);
    at_rest(&limiter).await;
}

#[tokio::test]
async fn a_pool_with_a_connection_type_of_its_own_works_alike() {
    let Some(server) = Redis::start() else {
        return;
    };
    let manager = deadpool_redis::Manager::new(server.url()).unwrap();
    let pool = deadpool_redis::Pool::builder(manager).max_size(4).build().unwrap();
    let limiter = limiter(DeadpoolPool::new(pool), &Registry::new(), 0);
    let mut connection = connection(&limiter).await.unwrap();
    let pong: String = redis::cmd("PING").query_async(&mut *connection).await.unwrap();
    assert_eq!(pong, "PONG");
    drop(connection);
    at_rest(&limiter).await;
}

#[tokio::test]
async fn connections_taken_around_the_limiter_are_foreign() {
    let Some(server) = Postgres::start() else {
        return;
    };
    contract::others_use_is_foreign(four(&server)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn own_use_is_never_taken_for_foreign() {
    let Some(server) = Postgres::start() else {
        return;
    };
    contract::own_use_is_never_foreign(four(&server)).await;
}

#[tokio::test]
async fn trimming_closes_idle_connections_only() {
    let Some(server) = Postgres::start() else {
        return;
    };
    contract::idle_connections_can_be_closed(four(&server)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn idle_connections_are_closed_under_a_ceiling() {
    let Some(server) = Postgres::start() else {
        return;
    };
    contract::idle_connections_follow_a_ceiling(four(&server)).await;
}

#[tokio::test]
async fn a_closed_pool_is_refused_as_such() {
    let pool = DeadpoolPool::<Fake>::new(Pool::builder(Fake::new()).max_size(4).build().unwrap());
    let limiter = limiter(pool.clone(), &Registry::new(), 0);
    pool.inner().close();
    contract::a_closed_pool_is_refused_as_such(&limiter).await;
    contract::a_maximum_is_needed(pool);
}

#[tokio::test]
async fn a_pool_of_none_is_no_pool() {
    let pool = Pool::builder(Fake::new()).max_size(0).build().unwrap();
    contract::a_maximum_is_needed(DeadpoolPool::<Fake>::new(pool));
}

#[tokio::test]
async fn who_connects_uses_a_connection() {
    let slow = Fake::that_never_connects();
    let pool = DeadpoolPool::<Fake>::new(Pool::builder(slow).max_size(2).build().unwrap());
    let mut callers = [pool.acquire().boxed(), pool.acquire().boxed(), pool.acquire().boxed()];
    for caller in &mut callers {
        assert!(caller.now_or_never().is_none());
    }
    // The third one queues.
    assert_eq!((pool.snapshot().open, used(&pool)), (2, 2));
    drop(callers);
    assert_eq!((pool.snapshot().open, used(&pool)), (0, 0));
}

#[tokio::test]
async fn an_observed_manager_tells_of_failed_connects() {
    let Some(server) = Postgres::start() else {
        return;
    };
    let over = |config| {
        let manager = Observed::new(Manager::new(config, NoTls));
        DeadpoolPool::<_, Object<_>>::observed(Pool::builder(manager).max_size(4).build().unwrap())
    };
    let unreachable = over(nowhere());
    let error = unreachable.acquire().await.unwrap_err();
    assert_eq!(DeadpoolPool::<Manager>::failure(&error), PoolFailure::Failed);
    assert_eq!(unreachable.connects().map(|c| c.failures_in_a_row()), Some(1));

    let reachable = over(postgres(&server));
    let connection = reachable.acquire().await.unwrap();
    connection.query_one("SELECT 1", &[]).await.unwrap();
    let connects = reachable.connects().expect("it is observed");
    assert_eq!((connects.opening(), connects.failures_in_a_row()), (0, 0));
    assert!(four(&server).connects().is_none());
}

#[test]
fn errors_say_what_they_mean() {
    let failure = DeadpoolPool::<Fake>::failure;
    assert_eq!(failure(&PoolError::Timeout(TimeoutType::Create)), PoolFailure::TimedOut);
    assert_eq!(failure(&PoolError::Closed), PoolFailure::Closed);
    assert_eq!(failure(&PoolError::NoRuntimeSpecified), PoolFailure::Failed);
}
