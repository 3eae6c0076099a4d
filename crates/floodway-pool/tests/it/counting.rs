//! Clients that are cloned, as pools of uses.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use floodway::{Pool as _, PoolLimiter, Queue, Registry};
use floodway_pool::CountingPool;
use floodway_test_support::Redis as Server;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::{
    contract,
    support::{at_rest, connection, limiter, ms, used},
};

#[tokio::test]
async fn uses_are_counted_while_they_last() {
    let pool = CountingPool::new("client", 4);
    let first = pool.acquire().await.unwrap();
    let second = pool.clone().acquire().await.unwrap();
    assert_eq!((*first, *second), ("client", "client"));
    assert_eq!((pool.snapshot().max, pool.snapshot().open, used(&pool)), (4, 2, 2));
    drop(second);
    // Nobody fetched it.
    drop(pool.acquire());
    assert_eq!(used(&pool), 1);
    assert!(pool.release(first).is_none());
    assert_eq!(used(&pool), 0);
}

#[tokio::test]
async fn two_limiters_share_one_maximum() {
    contract::others_use_is_foreign(CountingPool::new((), 4)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn own_use_is_never_taken_for_foreign() {
    contract::own_use_is_never_foreign(CountingPool::new((), 4)).await;
}

#[tokio::test]
async fn streams_multiply() {
    assert_eq!(CountingPool::streams((), 2, 100).snapshot().max, 200);
    contract::a_maximum_is_needed(CountingPool::streams((), u32::MAX, u32::MAX));
    contract::a_maximum_is_needed(CountingPool::new((), 0));
}

#[tokio::test]
async fn redis_connections_are_cloned() {
    let Some(server) = Server::start() else {
        return;
    };
    let client = redis::Client::open(server.url()).unwrap();
    let shared = client.get_multiplexed_async_connection().await.unwrap();
    let limiter_of_shared = limiter(CountingPool::new(shared, 2), &Registry::new(), 0);
    let managed = client.get_connection_manager().await.unwrap();
    let limiter_of_managed = limiter(CountingPool::new(managed, 2), &Registry::new(), 0);
    for value in 0..3 {
        let mut connection = connection(&limiter_of_shared).await.unwrap();
        let set = redis::cmd("SET").arg("key").arg(value).exec_async(&mut **connection).await;
        set.unwrap();
        let mut other = crate::support::connection(&limiter_of_managed).await.unwrap();
        let get = redis::cmd("GET").arg("key").query_async::<i32>(&mut **other).await;
        assert_eq!(get.unwrap(), value);
    }
    let held = (connection(&limiter_of_shared).await, connection(&limiter_of_shared).await);
    assert!(connection(&limiter_of_shared).await.is_err(), "two at once");
    drop(held);
    at_rest(&limiter_of_shared).await;
}

/// Without a limiter, reqwest opens a connection for each of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn reqwest_opens_about_as_many_connections_as_there_are_uses() {
    let accepted = Arc::new(AtomicU32::new(0));
    let address = serve(Arc::clone(&accepted)).await;
    let client = reqwest::Client::builder().pool_max_idle_per_host(3).build().unwrap();
    let limiter = PoolLimiter::builder("partner", CountingPool::new(client, 3))
        .queue(Queue::fifo().capacity(64).max_wait(ms(30_000)))
        .registry(&Registry::new())
        .build()
        .unwrap();
    let mut callers = JoinSet::new();
    for _ in 0..60 {
        let limiter = limiter.clone();
        callers.spawn(async move {
            for _ in 0..5 {
                let client = limiter.connection(Instant::now() + ms(30_000)).await.unwrap();
                let response = client.get(format!("http://{address}/")).send().await.unwrap();
                assert_eq!(response.text().await.unwrap(), "hello");
            }
        });
    }
    while let Some(caller) = callers.join_next().await {
        caller.unwrap();
    }
    // Who comes just before a connection is back in the client's pool has one opened.
    let accepted = accepted.load(Ordering::SeqCst);
    assert!((3..=9).contains(&accepted), "{accepted} connections for 3 uses at once");
}

/// A server that counts the connections it accepts.
async fn serve(accepted: Arc<AtomicU32>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            accepted.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(answer(stream));
        }
    });
    address
}

/// Says hello for every request, each of which comes in one piece.
async fn answer(mut stream: TcpStream) {
    let mut request = [0; 4_096];
    while stream.read(&mut request).await.is_ok_and(|read| read > 0) {
        sleep(ms(2)).await;
        let response = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
        if stream.write_all(response).await.is_err() {
            return;
        }
    }
}
