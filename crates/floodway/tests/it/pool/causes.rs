//! Who gets no connection is told why, with numbers: in the error, the metrics and the log.

mod log;

use floodway::{Aimd, Ceiling, PoolCause, PoolRejected, Queue, RejectReason, Weight};
use tokio::time::sleep;

use self::log::Log;
use super::kit::*;
use crate::support::{is_pending, ms, ready};

/// Checks the error, the counter and the line in the log of one refusal, and returns the error.
#[track_caller]
fn check<T>(
    log: &Log,
    bench: &Bench,
    asked: Asked<T>,
    cause: PoolCause,
    text: &str,
) -> PoolRejected {
    let rejected = match asked.map(drop) {
        Err(ConnectionError::Rejected(rejected)) => rejected,
        other => panic!("not turned away: {other:?}"),
    };
    assert_eq!(rejected.cause, cause);
    assert!(rejected.to_string().starts_with(text), "{rejected}");
    assert_eq!(bench.refused(cause.as_str()), 1.0, "{}", cause.as_str());
    let lines = log.take();
    assert_eq!(lines.len(), 1, "{lines:?}");
    for part in ["limiter=\"db\"", "refused=1 ", &format!("cause={text}")] {
        assert!(lines[0].contains(part), "{part} in {lines:?}");
    }
    rejected
}

/// Others take `foreign` connections, and that has been noticed.
async fn share(bench: &Bench, foreign: u32) {
    bench.pool.change(|n| (n.foreign, n.open) = (foreign, n.open.max(n.used + foreign)));
    sleep(ms(300)).await;
}

#[tokio::test(start_paused = true)]
async fn a_full_queue() {
    let log = Log::start();
    let bench = Bench::with(FakePool::new(1), |b| b.queue(Queue::fifo().capacity(1)));
    let _held = bench.connection().await.unwrap();
    let mut waiting = Box::pin(bench.connection());
    assert!(is_pending(&mut waiting).await);
    let asked = bench.connection().await;
    let told =
        check(&log, &bench, asked, PoolCause::QueueFull, "the queue for connections is full");
    assert_eq!(told.rejected.reason, RejectReason::QueueFull);
    assert_eq!((told.rejected.in_flight, told.rejected.limit), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn no_queue() {
    let log = Log::start();
    let bench = Bench::with(FakePool::new(1), |b| b.queue(Queue::none()));
    let _held = bench.connection().await.unwrap();
    let asked = bench.connection().await;
    let told =
        check(&log, &bench, asked, PoolCause::QueueFull, "the queue for connections is full");
    assert_eq!(told.rejected.reason, RejectReason::NoPermit);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_behind_others_who_hold_for_a_moment_each() {
    let log = Log::start();
    let bench = Bench::new(1, 0);
    let ahead = [(); 4].map(|()| {
        let limiter = bench.limiter.clone();
        tokio::spawn(async move {
            let _held = limiter.connection(within(1_000)).await.unwrap();
            sleep(ms(40)).await;
        })
    });
    settle().await;
    let asked = bench.connection().await;
    let told = check(&log, &bench, asked, PoolCause::Deadline, "no connection before the deadline");
    assert_eq!(told.rejected.reason, RejectReason::Deadline);
    for ahead in ahead {
        ahead.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_database_that_refuses() {
    let log = Log::start();
    let bench = Bench::new(10, 0);
    fail(&bench).await;
    tokio::time::advance(ms(10)).await;
    let asked = bench.limiter.connection(within(10)).await;
    let cause = PoolCause::ConnectFailing { failures: 3, since: ms(10) };
    let told = check(&log, &bench, asked, cause, "connecting has failed 3 times in a row in 10ms");
    // At once, and with the end of the pause.
    assert_eq!(told.rejected.reason, RejectReason::Unmeetable);
    assert!(told.rejected.retry_after >= ms(40), "{told}");
}

#[tokio::test(start_paused = true)]
async fn a_database_that_does_not_answer() {
    let log = Log::start();
    let bench = Bench::new(2, 0);
    bench.pool.change(|n| n.connects = 0);
    let hanging = [(); 2].map(|()| tokio::spawn(bench.limiter.connection(within(10_000))));
    settle().await;
    tokio::time::advance(ms(1_000)).await;
    let asked = bench.connection().await;
    let cause = PoolCause::ConnectFailing { failures: 0, since: ms(1_100) };
    check(&log, &bench, asked, cause, "connections have not answered for 1.1s");
    bench.pool.change(|n| n.connects = 10);
    for hanging in hanging {
        drop(hanging.await.unwrap().unwrap());
    }
}

/// One connection of seven that is slow to come back is an accident, and two are more than a quarter.
#[tokio::test(start_paused = true)]
async fn a_database_that_does_not_answer_one_connection() {
    let told = async |stuck: usize| {
        let bench = Bench::with(FakePool::new(7), |b| b.queue(Queue::none()));
        bench.pool.change(|n| n.returns_hang = true);
        for _ in 0..stuck {
            drop(bench.connection().await.unwrap());
        }
        sleep(ms(1_000)).await;
        let mut held = Vec::new();
        for _ in stuck..7 {
            held.push(bench.connection().await.unwrap());
        }
        let cause = cause(bench.connection().await);
        bench.pool.change(|n| n.returns_hang = false);
        cause
    };
    assert_eq!(told(1).await, PoolCause::QueueFull);
    let cause = PoolCause::ConnectFailing { failures: 0, since: ms(1_000) };
    assert_eq!(told(2).await, cause);
}

#[tokio::test(start_paused = true)]
async fn connections_held_for_long() {
    let log = Log::start();
    let bench = Bench::new(4, 0);
    for _ in 0..3 {
        let _held = bench.connection().await.unwrap();
        sleep(ms(20)).await;
    }
    sleep(ms(300)).await;
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(bench.connection().await.unwrap());
        tokio::time::advance(ms(10)).await;
    }
    sleep(ms(960)).await;
    let asked = bench.connection().await;
    let PoolCause::PoolHeld { p99_hold, oldest } = cause(asked) else { panic!("not held") };
    // Of those that came back, by the buckets of the histogram.
    assert!((ms(16)..=ms(25)).contains(&p99_hold), "{p99_hold:?}");
    assert_eq!(oldest, ms(1_100));
    assert_eq!(bench.refused("pool_held"), 1.0);
    let text = format!(
        "cause=connections are held for long, one for 1.1s now where 99 % come back within {p99_hold:?} "
    );
    let lines = log.take();
    assert!(lines.len() == 1 && lines[0].contains(&text), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn others_who_use_the_pool() {
    let log = Log::start();
    let bench = Bench::new(10, 2);
    share(&bench, 8).await;
    let asked = bench.connection().await;
    let cause = PoolCause::Foreign { connections: 8 };
    check(&log, &bench, asked, cause, "8 connections are used by others than this limiter");
}

#[tokio::test(start_paused = true)]
async fn a_ceiling() {
    let log = Log::start();
    let ceiling = Ceiling::new(1);
    let bench = Bench::with(FakePool::new(10), |b| b.ceiling(Ceiling::new(5)).ceiling(ceiling));
    let hold_for_a_moment = || {
        let limiter = bench.limiter.clone();
        tokio::spawn(async move {
            let _held = limiter.connection(within(100)).await?;
            sleep(ms(40)).await;
            Ok(())
        })
    };
    let callers = [(); 6].map(|()| hold_for_a_moment());
    let mut refused = Vec::new();
    for caller in callers {
        refused.extend(caller.await.unwrap().err());
    }
    let cause = PoolCause::Ceiling { limit: 1 };
    assert!(!refused.is_empty());
    for refused in &refused {
        assert!(matches!(refused, ConnectionError::Rejected(r) if r.cause == cause), "{refused:?}");
    }
    assert_eq!(bench.refused("ceiling"), refused.len() as f64);
    let lines = log.take();
    let text = "cause=a ceiling allows 1 connections, less than the pool has";
    assert!(lines.len() == 1 && lines[0].contains(text), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn a_closed_pool() {
    let log = Log::start();
    let bench = Bench::new(10, 2);
    bench.pool.change(|n| n.closed = true);
    let asked = bench.connection().await;
    let told = check(&log, &bench, asked, PoolCause::Closed, "the pool is closed");
    assert_eq!(told.rejected.reason, RejectReason::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_weight_that_the_pool_never_has() {
    for (weight, asks) in [
        (Weight::Exact(9), 9),
        (Weight::UpTo(9), 9),
        (Weight::Exact(0), 0),
        (Weight::UpTo(0), 0),
        (Weight::UpTo(u32::MAX), u32::MAX),
    ] {
        let log = Log::start();
        let bench = Bench::new(10, 2);
        let asked = ready(&mut Box::pin(bench.claim(weight))).await;
        let cause = PoolCause::Weight { weight: asks, most: 8 };
        let text = format!("weight: {asks} is out of range, expected 1 to 8 connections");
        check(&log, &bench, asked, cause, &text);
    }
}

#[tokio::test(start_paused = true)]
async fn one_line_a_second_says_how_many() {
    let log = Log::start();
    let bench = Bench::new(1, 0);
    bench.pool.change(|n| n.foreign = 1);
    sleep(ms(1_000)).await;
    for _ in 0..35 {
        assert!(matches!(cause(bench.connection().await), PoolCause::Foreign { .. }));
    }
    // The first is told at once, and then ten in a second.
    let lines = log.take();
    let refused =
        |line: &str| line.split(' ').find(|part| part.starts_with("refused=")).map(str::to_owned);
    let told: Vec<_> = lines.iter().filter_map(|line| refused(line)).collect();
    assert_eq!(told, ["refused=1", "refused=10", "refused=10", "refused=10"]);
}

#[tokio::test(start_paused = true)]
async fn the_first_that_applies_is_told() {
    let ceiling = Ceiling::new(1);
    let bench = Bench::with(FakePool::new(4), |b| b.ceiling(ceiling.clone()));
    let _held = bench.connection().await.unwrap();
    // Held for long, and the ceiling is low.
    sleep(ms(1_000)).await;
    assert!(matches!(cause(bench.connection().await), PoolCause::PoolHeld { .. }));
    // Others have the rest, besides.
    share(&bench, 3).await;
    assert_eq!(cause(bench.connection().await), PoolCause::Foreign { connections: 3 });
    // Connecting fails, besides.
    ceiling.set(4);
    bench.pool.change(|n| n.foreign = 0);
    sleep(ms(1_500)).await;
    fail(&bench).await;
    bench.pool.change(|n| n.foreign = 3);
    let asked = bench.limiter.connection(within(10)).await;
    assert!(matches!(cause(asked), PoolCause::ConnectFailing { failures: 3, .. }));
    // And it is closed.
    bench.pool.change(|n| n.closed = true);
    assert_eq!(cause(bench.connection().await), PoolCause::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_weight_above_the_limit_of_an_algorithm() {
    let bench = Bench::with(FakePool::new(10), |b| b.algorithm(Aimd::new(4)).bounds(1..=4));
    let refused = bench.claim(Weight::Exact(5)).await.unwrap_err();
    assert!(!refused.to_string().contains("5 is out of range, expected 1 to 10"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn held_for_longer_than_the_queue_lets_anybody_wait() {
    let bench = Bench::with(FakePool::new(1), |b| b.queue(Queue::fifo().max_wait(ms(1_000))));
    let _held = bench.connection().await.unwrap();
    sleep(ms(30_000)).await;
    let refused = bench.limiter.connection(within(60_000)).await;
    assert!(matches!(cause(refused), PoolCause::PoolHeld { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_database_that_has_just_come_back() {
    let bench = Bench::new(10, 0);
    bench.pool.change(|n| n.fails = Some(Failure::Refused));
    for _ in 0..3 {
        assert!(bench.connection().await.is_err());
    }
    bench.pool.change(|n| n.fails = None);
    sleep(ms(500)).await;
    let _one = bench.connection().await.unwrap();
    bench.pool.change(|n| n.connects = 0);
    let _two = bench.connection().await;
    let refused = bench.connection().await.map(drop).unwrap_err();
    assert!(!refused.to_string().contains("have not answered"), "{refused}");
}
