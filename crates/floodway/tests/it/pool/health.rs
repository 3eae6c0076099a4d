//! Databases that cannot be reached, and that come back.

use floodway::{Connects, PoolCause, Weight};
use floodway_metrics::catalogue::pool as metrics;
use futures::future::join_all;
use tokio::time::{Instant, sleep};

use super::kit::*;
use crate::support::{is_pending, ms};

/// Checks how many may try to get a connection.
#[track_caller]
fn check_allowed(bench: &Bench, connects: u32) {
    assert_eq!(bench.number(&metrics::LIMIT, &["connects"]), f64::from(connects));
}

#[tokio::test(start_paused = true)]
async fn three_failures_in_a_row_let_nobody_through_and_then_one() {
    let bench = Bench::new(10, 0);
    bench.pool.change(|n| n.fails = Some(Failure::Refused));
    for limit in [10, 10, 0] {
        assert!(bench.connection().await.is_err());
        check_allowed(&bench, limit);
    }
    assert_eq!(bench.number(&metrics::LIMIT, &["pool"]), 10.0);
    // Between 50 and 100 ms later one may try, with nobody having asked.
    sleep(ms(49)).await;
    check_allowed(&bench, 0);
    sleep(ms(52)).await;
    check_allowed(&bench, 1);
    bench.pool.change(|n| n.connects = 0);
    bench.pool.change(|n| n.fails = None);
    let mut probe = Box::pin(bench.limiter.connection(far()));
    let mut other = Box::pin(bench.limiter.connection(far()));
    assert!(is_pending(&mut probe).await && is_pending(&mut other).await);
    assert_eq!(bench.number(&metrics::PENDING_REQUESTS, &[]), 0.0, "both have a permit");
    assert_eq!(bench.pool.numbers().trying, 1);
    bench.pool.change(|n| n.connects = 10);
    let _held = (probe.await.unwrap(), other.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn who_waits_in_a_pause_is_served_when_it_ends() {
    let bench = Bench::new(10, 0);
    fail(&bench).await;
    let began = Instant::now();
    let _held = bench.limiter.connection(within(1_000)).await.unwrap();
    assert!((ms(50)..=ms(101)).contains(&began.elapsed()), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn who_cannot_wait_for_the_end_of_a_pause_is_told_at_once() {
    let bench = Bench::new(10, 0);
    fail(&bench).await;
    let began = Instant::now();
    for weight in [Weight::Exact(1), Weight::UpTo(1), Weight::UpTo(2)] {
        let refused = bench.limiter.claim(weight, within(49)).await.map(drop).unwrap_err();
        let ConnectionError::Rejected(told) = refused else { panic!("{refused:?}") };
        assert!(matches!(told.cause, PoolCause::ConnectFailing { failures: 3, .. }), "{told}");
        assert!(told.rejected.retry_after >= ms(50), "{told}");
    }
    assert_eq!(began.elapsed(), ms(0));
    assert_eq!(bench.pool.numbers().acquired, 0);
}

#[tokio::test(start_paused = true)]
async fn nothing_hangs_while_nobody_asks() {
    let bench = Bench::new(10, 0);
    fail(&bench).await;
    sleep(ms(3_600_000)).await;
    check_allowed(&bench, 1);
    drop(bench.limiter.connection(within(1)).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn recovery_doubles_with_every_round() {
    let bench = Bench::new(10, 0);
    fail(&bench).await;
    sleep(ms(200)).await;
    let mut rounds = Vec::new();
    for _ in 0..5 {
        // All that ask before any of those who may try has an answer.
        bench.pool.change(|n| n.connects = 0);
        let asked = [(); 10].map(|()| tokio::spawn(bench.limiter.connection(within(50))));
        settle().await;
        let trying = bench.pool.numbers().trying;
        rounds.push(trying);
        bench.pool.change(|n| n.connects = trying);
        drop(join_all(asked).await);
        settle().await;
    }
    assert_eq!(rounds, [1, 2, 4, 8, 10]);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_fails_makes_the_next_pause_longer() {
    let bench = Bench::new(10, 0);
    bench.pool.change(|n| n.fails = Some(Failure::Refused));
    let mut tries = Vec::new();
    // Somebody is always there to try.
    let began = Instant::now();
    while tries.len() < 8 {
        if bench
            .limiter
            .connection(within(5_000))
            .await
            .is_err_and(|e| matches!(e, ConnectionError::Pool(_)))
        {
            tries.push(began.elapsed());
        }
    }
    for (pair, most) in tries[2..].windows(2).zip([100, 200, 400, 800, 1_000]) {
        let pause = pair[1] - pair[0];
        assert!((ms(most / 2)..=ms(most + 1)).contains(&pause), "{pause:?} of {most} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_that_works_is_a_success() {
    let bench = Bench::new(10, 0);
    for _ in 0..5 {
        bench.pool.change(|n| n.failing = 2);
        for _ in 0..2 {
            assert!(bench.connection().await.is_err());
        }
        drop(bench.connection().await.unwrap());
    }
    check_allowed(&bench, 10);
}

#[tokio::test(start_paused = true)]
async fn timeouts_because_of_others_say_nothing_of_the_database() {
    let bench = Bench::new(4, 1);
    bench.pool.change(|n| n.connects = 0);
    let obtaining = [(); 3].map(|()| tokio::spawn(bench.limiter.connection(far())));
    settle().await;
    // Just when they had been let through, others took all that there is.
    bench.pool.change(|n| n.foreign = 4);
    bench.pool.change(|n| n.fails = Some(Failure::TimedOut));
    for obtaining in obtaining {
        let failed = obtaining.await.unwrap();
        assert!(matches!(failed, Err(ConnectionError::Pool(Failure::TimedOut))), "{failed:?}");
    }
    bench.pool.change(|n| (n.fails, n.foreign) = (None, 0));
    sleep(ms(1_300)).await;
    check_allowed(&bench, 3);
    assert_eq!(bench.number(&metrics::TIMEOUTS, &[]), 3.0);
}

#[tokio::test(start_paused = true)]
async fn timeouts_of_connects_that_hang_say_much() {
    let bench = Bench::new(4, 1);
    bench.pool.change(|n| n.fails = Some(Failure::TimedOut));
    for _ in 0..3 {
        assert!(bench.connection().await.is_err());
    }
    check_allowed(&bench, 0);
}

#[tokio::test(start_paused = true)]
async fn failures_are_seen_where_connections_are_opened() {
    let connects = Connects::new();
    let bench = Bench::with(FakePool::observed(10, &connects), |builder| builder);
    // The pool tries again by itself, and tells nobody.
    for limit in [10, 10, 0] {
        let failed: Result<(), ()> = connects.observe(async { Err(()) }).await;
        failed.unwrap_err();
        settle().await;
        check_allowed(&bench, limit);
    }
    assert_eq!(bench.number(&metrics::CONNECT_FAILURES, &[]), 3.0);
    sleep(ms(200)).await;
    drop(bench.connection().await.unwrap());
    settle().await;
    check_allowed(&bench, 2);
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_the_pool_passes_on_counts_once() {
    let connects = Connects::new();
    let bench = Bench::with(FakePool::observed(10, &connects), |builder| builder);
    bench.pool.change(|n| n.fails = Some(Failure::Refused));
    for limit in [10, 10, 0] {
        assert!(bench.connection().await.is_err());
        settle().await;
        check_allowed(&bench, limit);
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_late_hears_how_long_a_connect_takes() {
    let connects = Connects::new();
    let bench = Bench::with(FakePool::observed(10, &connects), |builder| builder);
    for took in [10, 30] {
        let opening = connects.observe(async {
            sleep(ms(took)).await;
            Ok::<_, ()>(())
        });
        opening.await.unwrap();
    }
    bench.pool.change(|n| n.connects = 0);
    let late = bench.connection().await.map(drop).unwrap_err();
    let ConnectionError::Deadline { connect: Some(connect) } = &late else { panic!("{late:?}") };
    assert!((ms(19)..=ms(21)).contains(connect), "{connect:?}");
    assert!(late.to_string().contains("opening one takes 2"), "{late}");
    assert_eq!(bench.refused("connect_failing"), 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_succeeds_lets_the_next_one_through_at_once() {
    let bench = Bench::new(10, 0);
    bench.pool.change(|n| n.fails = Some(Failure::Refused));
    for _ in 0..3 {
        assert!(bench.connection().await.is_err());
    }
    bench.pool.change(|n| n.fails = None);
    sleep(ms(500)).await;
    let _one = bench.connection().await.unwrap();
    let began = Instant::now();
    let _two = bench.limiter.connection(within(1_000)).await.unwrap();
    assert!(began.elapsed() < ms(5), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn failures_between_two_looks_are_counted() {
    let connects = Connects::new();
    let bench = Bench::with(FakePool::observed(10, &connects), |b| b);
    let limit = |bench: &Bench| bench.number(&metrics::LIMIT, &["connects"]) as u32;
    for _ in 0..2 {
        connects.failed();
    }
    settle().await;
    assert_eq!(limit(&bench), 10);
    // Opens one; and three fail before anybody has looked.
    let _held = bench.connection().await.unwrap();
    for _ in 0..3 {
        connects.failed();
    }
    settle().await;
    assert!(limit(&bench) <= 1, "{}", limit(&bench));
}
