//! Pools that are closed while somebody uses them or wants to.

use floodway::{PoolCause, Weight};
use floodway_metrics::catalogue::pool as metrics;
use tokio::time::Instant;

use super::kit::*;
use crate::support::{is_pending, ms, ready};

#[tokio::test(start_paused = true)]
async fn a_pool_that_says_so_turns_away_who_waits_at_once() {
    let bench = Bench::new(1, 0);
    let held = bench.connection().await.unwrap();
    let mut waiting = Box::pin(bench.limiter.connection(far()));
    assert!(is_pending(&mut waiting).await);
    let began = Instant::now();
    bench.pool.change(|n| n.closed = true);
    bench.pool.tell();
    assert_eq!(cause(waiting.await), PoolCause::Closed);
    assert_eq!(began.elapsed().as_nanos(), 0);
    assert!(bench.limiter.limiter().is_closed());
    drop(held);
    settle().await;
    bench.check_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_pool_that_says_nothing_is_found_closed_a_moment_later() {
    let bench = Bench::new(1, 0);
    let _held = bench.connection().await.unwrap();
    let waiting = tokio::spawn(bench.limiter.connection(far()));
    settle().await;
    let began = Instant::now();
    bench.pool.change(|n| n.closed = true);
    assert_eq!(cause(waiting.await.unwrap()), PoolCause::Closed);
    assert!(began.elapsed().as_millis() <= 250, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn who_is_on_the_way_to_a_connection_hears_it_from_the_pool() {
    let bench = Bench::new(2, 0);
    bench.pool.change(|n| n.connects = 0);
    let obtaining = tokio::spawn(bench.limiter.connection(far()));
    settle().await;
    bench.pool.change(|n| n.closed = true);
    let told = obtaining.await.unwrap();
    assert!(matches!(told, Err(ConnectionError::Pool(Failure::Closed))), "{told:?}");
    assert_eq!(cause(bench.connection().await), PoolCause::Closed);
    assert_eq!(bench.number(&metrics::LIMIT, &["pool"]), 0.0);
    bench.check_at_rest();
}

#[tokio::test(start_paused = true)]
async fn what_is_out_comes_back_though_the_pool_is_closed() {
    let bench = Bench::new(4, 0);
    let exact = bench.claim(Weight::Exact(2)).await.unwrap();
    let up_to = bench.claim(Weight::UpTo(2)).await.unwrap();
    let held = (exact.connection(soon()).await, up_to.connection(soon()).await);
    bench.pool.change(|n| n.closed = true);
    bench.pool.tell();
    settle().await;
    assert!(up_to.connection(far()).await.is_err());
    assert!(exact.connection(far()).await.is_err());
    drop((held, exact, up_to));
    settle().await;
    bench.check_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_limiter_that_is_closed_leaves_the_pool_open() {
    let bench = Bench::new(1, 0);
    let held = bench.connection().await.unwrap();
    let mut waiting = Box::pin(bench.limiter.connection(far()));
    assert!(is_pending(&mut waiting).await);
    bench.limiter.limiter().close();
    assert_eq!(cause(ready(&mut waiting).await), PoolCause::Closed);
    drop(held);
    settle().await;
    bench.check_at_rest();
    assert!(!bench.pool.numbers().closed);
}

#[tokio::test(start_paused = true)]
async fn claims_hear_of_it_too() {
    let bench = Bench::new(2, 0);
    let _claim = bench.claim(Weight::UpTo(2)).await.unwrap();
    let mut waiting = Box::pin(bench.limiter.claim(Weight::UpTo(2), far()));
    assert!(is_pending(&mut waiting).await);
    bench.pool.change(|n| n.closed = true);
    bench.pool.tell();
    settle().await;
    let began = Instant::now();
    let first = waiting.await;
    assert_eq!(cause(first), PoolCause::Closed);
    let second = bench.limiter.claim(Weight::UpTo(2), far()).await;
    assert_eq!(cause(second), PoolCause::Closed);
    assert!(began.elapsed() < ms(1));
}
