//! A pool limiter over a pool whose every move is under control.

mod accounting;
mod causes;
mod claims;
mod closed;
mod costs;
mod endings;
mod health;
pub(crate) mod kit;
mod late;
mod recovery;
mod schedules;
mod sharing;
mod storm;
mod trim;

use floodway::{BuildError, ConnectionError, Limiter, PoolLimiter, Registry, RejectReason};
use floodway_metrics::catalogue::{limiter as limiter_metrics, pool as metrics};
use tokio::time::{Instant, sleep};

use self::kit::{Bench, FakePool, settle};
use crate::support::{is_pending, ms, ready};

#[tokio::test(start_paused = true)]
async fn hands_out_what_is_neither_reserved_nor_used_by_others() {
    let bench = Bench::new(10, 2);
    bench.check(8, 0, 0);
    let mut held = Vec::new();
    for _ in 0..8 {
        held.push(bench.connection().await.unwrap());
    }
    bench.check(8, 8, 8);
    let refused = bench.connection().await.unwrap_err();
    assert!(
        matches!(refused, ConnectionError::Rejected(r) if r.rejected.reason == RejectReason::Deadline),
        "{refused:?}"
    );
    held.truncate(4);
    settle().await;
    bench.check(8, 4, 4);
    bench.pool.change(|n| n.foreign = 3);
    sleep(ms(300)).await;
    bench.check(5, 4, 4);
    let snapshot = bench.registry.snapshot();
    assert_eq!(snapshot.number(&metrics::CONNECTIONS_FOREIGN, &["db"]), Some(3.0));
    assert_eq!(snapshot.number(&metrics::CONNECTIONS, &["db", "used"]), Some(7.0));
    assert_eq!(snapshot.number(&metrics::LIMIT, &["db", "effective"]), Some(5.0));
}

#[tokio::test(start_paused = true)]
async fn waiters_get_what_others_give_back_though_no_permit_moves() {
    let bench = Bench::new(2, 0);
    bench.pool.change(|n| n.foreign = 2);
    sleep(ms(300)).await;
    bench.check(0, 0, 0);
    let mut waiting = Box::pin(bench.limiter.connection(Instant::now() + ms(10_000)));
    assert!(is_pending(&mut waiting).await);
    bench.pool.change(|n| n.foreign = 0);
    let started = Instant::now();
    drop(waiting.await.unwrap());
    // One is let through as soon as the watch has come by, and no more while others are remembered.
    assert!(started.elapsed() <= ms(400), "{:?}", started.elapsed());
    settle().await;
    bench.check(1, 0, 0);
    sleep(ms(1_300)).await;
    bench.check(2, 0, 0);
}

#[tokio::test(start_paused = true)]
async fn the_ceiling_bounds_other_limiters_too() {
    let bench = Bench::new(10, 1);
    let http = Limiter::builder("http")
        .ceiling(bench.limiter.ceiling())
        .registry(&bench.registry)
        .build()
        .unwrap();
    assert_eq!(http.limit(), 9);
    bench.pool.change(|n| n.foreign = 5);
    sleep(ms(300)).await;
    assert_eq!(http.limit(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_or_a_caller_that_leaves_never_interrupts_the_pool() {
    let bench = Bench::new(2, 0);
    bench.pool.change(|n| n.connects = 0);
    let late = bench.connection().await.unwrap_err();
    assert!(matches!(late, ConnectionError::Deadline { connect: None }), "{late:?}");
    let mut leaving = Box::pin(bench.connection());
    assert!(is_pending(&mut leaving).await);
    drop(leaving);
    settle().await;
    // Both attempts go on, with their permits.
    bench.check(2, 2, 0);
    bench.pool.change(|n| n.connects = 10);
    settle().await;
    bench.check(2, 0, 0);
    let (interrupted, most_used) = {
        let n = bench.pool.numbers();
        (n.interrupted, n.most_used)
    };
    assert_eq!((interrupted, most_used), (0, 2));
    // Nobody used them: neither successes nor uses.
    let snapshot = bench.registry.snapshot();
    assert_eq!(snapshot.number(&limiter_metrics::COMPLETED, &["db", "ignore"]), Some(2.0));
    let uses = snapshot.histogram(&metrics::USE_DURATION, &["db"]);
    assert_eq!(uses.map(|uses| uses.count()), Some(0));
    assert!(bench.connection().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_permit_comes_back_only_once_the_pool_has_the_connection() {
    let bench = Bench::new(1, 0);
    let held = bench.connection().await.unwrap();
    let mut next = Box::pin(bench.connection());
    assert!(is_pending(&mut next).await);
    drop(held);
    bench.check(1, 1, 1);
    settle().await;
    let _next = ready(&mut next).await.unwrap();
    bench.check(1, 1, 1);
    assert_eq!(bench.pool.numbers().most_used, 1);
}

#[tokio::test(start_paused = true)]
async fn a_closed_pool_refuses_at_once_and_everywhere() {
    let bench = Bench::new(2, 0);
    let held = bench.connection().await.unwrap();
    let _other = bench.connection().await.unwrap();
    let mut waiting = Box::pin(bench.connection());
    assert!(is_pending(&mut waiting).await);
    bench.pool.change(|n| n.closed = true);
    drop(held);
    settle().await;
    for refused in [ready(&mut waiting).await, bench.connection().await] {
        let refused = refused.unwrap_err();
        assert!(
            matches!(refused, ConnectionError::Rejected(r) if r.rejected.reason == RejectReason::Closed),
            "{refused:?}"
        );
    }
    let snapshot = bench.registry.snapshot();
    assert_eq!(snapshot.number(&metrics::LIMIT, &["db", "effective"]), Some(0.0));
}

#[tokio::test(start_paused = true)]
async fn counters_that_lie_do_not_lower_the_limit() {
    let bench = Bench::new(4, 0);
    bench.pool.change(|n| n.lies = true);
    let _held = bench.connection().await.unwrap();
    bench.check(4, 1, 1);
    let snapshot = bench.registry.snapshot();
    assert_eq!(snapshot.number(&metrics::CONNECTIONS, &["db", "idle"]), Some(4.0));
}

#[tokio::test(start_paused = true)]
async fn waits_and_uses_are_counted() {
    let bench = Bench::new(4, 0);
    for _ in 0..3 {
        drop(bench.connection().await.unwrap());
    }
    settle().await;
    let snapshot = bench.registry.snapshot();
    for metric in [&metrics::WAIT_DURATION, &metrics::USE_DURATION] {
        let count = snapshot.histogram(metric, &["db"]).map(|histogram| histogram.count());
        assert_eq!(count, Some(3), "{}", metric.name);
    }
}

#[tokio::test]
async fn bad_descriptions_name_the_field_and_the_value() {
    let registry = Registry::new();
    let build = |max, reserved| {
        PoolLimiter::builder("db", FakePool::new(max))
            .reserved(reserved)
            .registry(&registry)
            .build()
    };
    let message = |max, reserved| build(max, reserved).unwrap_err().to_string();
    assert_eq!(message(8, 8), "reserved: 8 leaves nothing of a pool of 8 connections");
    assert_eq!(message(0, 0), "pool size: 0 is out of range, expected 1 to 1048576");
    let _first = build(8, 7).unwrap();
    assert!(matches!(build(8, 0), Err(BuildError::Name(_))));
}

#[test]
fn a_pool_limiter_needs_a_runtime() {
    let built = PoolLimiter::builder("db", FakePool::new(8)).registry(&Registry::new()).build();
    assert_eq!(
        built.unwrap_err().to_string(),
        "pool limiter \"db\" must be built inside a tokio runtime"
    );
}
