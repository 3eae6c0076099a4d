//! r2d2 over Redis.

use std::time::Duration;

use floodway::{Pool as _, Registry};
use floodway_pool::{Observed, R2d2Pool};
use floodway_test_support::Redis;
use futures::FutureExt;
use r2d2::Pool;
use redis::Client;
use tokio::task::spawn_blocking;

use crate::{
    contract,
    support::{at_rest, connection, eventually, limiter},
};

async fn four(server: &Redis) -> R2d2Pool<Observed<Client>> {
    let manager = Observed::new(Client::open(server.url()).unwrap());
    let builder = Pool::builder().max_size(4).min_idle(Some(0));
    R2d2Pool::observed(builder.build(manager.clone()).unwrap(), &manager)
}

#[tokio::test]
async fn the_connection_is_the_pools_own() {
    let Some(server) = Redis::start() else {
        return;
    };
    let limiter = limiter(four(&server).await, &Registry::new(), 1);
    let mut connection = connection(&limiter).await.unwrap();
    assert_eq!((limiter.limiter().limit(), limiter.limiter().in_flight()), (3, 1));
    let pong = spawn_blocking(move || redis::cmd("PING").query::<String>(&mut **connection));
    assert_eq!(pong.await.unwrap().unwrap(), "PONG");
    at_rest(&limiter).await;
}

#[tokio::test]
async fn connections_taken_around_the_limiter_are_foreign() {
    let Some(server) = Redis::start() else {
        return;
    };
    contract::others_use_is_foreign(four(&server).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn own_use_is_never_taken_for_foreign() {
    let Some(server) = Redis::start() else {
        return;
    };
    contract::own_use_is_never_foreign(four(&server).await).await;
}

#[tokio::test]
async fn trimming_closes_idle_connections_only() {
    let Some(server) = Redis::start() else {
        return;
    };
    contract::idle_connections_can_be_closed(four(&server).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn idle_connections_are_closed_under_a_ceiling() {
    let Some(server) = Redis::start() else {
        return;
    };
    contract::idle_connections_follow_a_ceiling(four(&server).await).await;
}

#[tokio::test]
async fn trimming_leaves_what_the_pool_would_open_again() {
    let Some(server) = Redis::start() else {
        return;
    };
    let manager = Observed::new(Client::open(server.url()).unwrap());
    let pool = Pool::builder().max_size(4).build(manager.clone()).unwrap();
    let pool = R2d2Pool::observed(pool, &manager);
    assert_eq!((pool.trim(0).await, pool.snapshot().open), (0, 4));
}

#[tokio::test]
async fn an_observed_manager_tells_of_failed_connects_at_once() {
    let manager = Observed::new(Client::open("redis://127.0.0.1:1/").unwrap());
    let patience = Duration::from_secs(5);
    let builder = Pool::builder().max_size(4).min_idle(Some(0)).connection_timeout(patience);
    let pool = R2d2Pool::observed(builder.build_unchecked(manager.clone()), &manager);
    let mut acquire = pool.acquire().boxed();
    assert!((&mut acquire).now_or_never().is_none());
    eventually("one has failed", || manager.connects().failures_in_a_row() > 0).await;
    assert!(acquire.now_or_never().is_none(), "r2d2 says nothing yet");
}
