//! Idle connections are closed when a ceiling falls.

use floodway::{Ceiling, Weight};
use floodway_metrics::catalogue::pool as metrics;
use tokio::time::{Instant, advance, sleep};

use super::kit::*;
use crate::support::ms;

fn under(ceiling: &Ceiling, max: u32) -> Bench {
    Bench::with(FakePool::new(max), |builder| builder.ceiling(ceiling.clone()))
}

fn open(bench: &Bench) -> u32 {
    bench.pool.numbers().open
}

/// Neither the limiter nor the metrics see anybody else.
#[track_caller]
fn check_alone(bench: &Bench, limit: u32) {
    assert_eq!(bench.number(&metrics::CONNECTIONS_FOREIGN, &[]), 0.0);
    assert_eq!(bench.limiter.limiter().limit(), limit);
}

#[tokio::test(start_paused = true)]
async fn all_idle() {
    let ceiling = Ceiling::new(10);
    let bench = under(&ceiling, 10);
    settle().await;
    assert_eq!(bench.pool.numbers().trims, 0);
    ceiling.set(4);
    for _ in 0..40 {
        tokio::task::yield_now().await;
        check_alone(&bench, 4);
    }
    assert_eq!(open(&bench), 4);
    assert_eq!(bench.number(&metrics::TRIMMED, &[]), 6.0);
    assert_eq!(bench.number(&metrics::LIMIT, &["ceiling"]), 4.0);
    assert_eq!(bench.pool.numbers().trims, 1);
    // It was nobody's, and the pool is not touched any more.
    sleep(ms(10_000)).await;
    check_alone(&bench, 4);
    assert_eq!((open(&bench), bench.pool.numbers().trims), (4, 1));
}

#[tokio::test(start_paused = true)]
async fn some_in_use() {
    let ceiling = Ceiling::new(10);
    let bench = under(&ceiling, 10);
    let mut held = Vec::new();
    for _ in 0..8 {
        held.push(bench.connection().await.unwrap());
    }
    ceiling.set(4);
    settle().await;
    assert_eq!(open(&bench), 8, "what is in use is not touched");
    for left in (0..8).rev() {
        held.truncate(left);
        settle().await;
        check_alone(&bench, 4);
        assert_eq!(open(&bench), u32::try_from(left.max(4)).unwrap());
    }
    assert_eq!(bench.number(&metrics::TRIMMED, &[]), 6.0);
    bench.check_at_rest();
}

#[tokio::test(start_paused = true)]
async fn others_are_seen_all_the_same() {
    let ceiling = Ceiling::new(10);
    let bench = under(&ceiling, 10);
    bench.pool.change(|n| n.foreign = 8);
    ceiling.set(4);
    sleep(ms(300)).await;
    assert_eq!(bench.number(&metrics::CONNECTIONS_FOREIGN, &[]), 8.0);
    bench.check(2, 0, 0);
    assert_eq!(open(&bench), 8);
    bench.pool.change(|n| n.foreign = 0);
    sleep(ms(1_300)).await;
    check_alone(&bench, 4);
    assert_eq!(open(&bench), 4);
}

#[tokio::test(start_paused = true)]
async fn closing_that_hangs_is_given_up_and_keeps_nobody_waiting() {
    let ceiling = Ceiling::new(10);
    let bench = under(&ceiling, 10);
    bench.pool.change(|n| n.trim = Trim::Hangs);
    let began = Instant::now();
    ceiling.set(4);
    settle().await;
    while began.elapsed() < ms(9_500) {
        let held = [bench.connection().await.unwrap(), bench.connection().await.unwrap()];
        advance(ms(100)).await;
        drop(held);
        settle().await;
        check_alone(&bench, 4);
        assert_eq!((open(&bench), bench.pool.numbers().trims), (10, 1));
    }
    bench.pool.change(|n| n.trim = Trim::Works);
    sleep(ms(1_000)).await;
    assert_eq!(open(&bench), 4);
    // One of the six was closed when nobody counted.
    assert_eq!((bench.number(&metrics::TRIMMED, &[]), bench.pool.numbers().trims), (5.0, 2));
    check_alone(&bench, 4);
}

#[tokio::test(start_paused = true)]
async fn a_ceiling_that_flaps() {
    let ceiling = Ceiling::new(40);
    let bench = under(&ceiling, 40);
    let callers: Vec<_> = (0..60)
        .map(|nth: u64| {
            let limiter = bench.limiter.clone();
            tokio::spawn(async move {
                for _ in 0..50 {
                    if nth.is_multiple_of(5)
                        && let Ok(claim) = limiter.claim(Weight::Exact(2), within(1_000)).await
                    {
                        let _held = claim.connection(within(1_000)).await;
                        sleep(ms(20)).await;
                        continue;
                    }
                    let _held = limiter.connection(within(1_000)).await;
                    sleep(ms(20)).await;
                }
            })
        })
        .collect();
    for round in 0..20 {
        let limit = if round % 2 == 0 { 4 } else { 40 };
        ceiling.set(limit);
        // As long as connections are held, and a little more.
        for _ in 0..25 {
            advance(ms(1)).await;
            settle().await;
        }
        assert!(open(&bench) <= limit, "{} open of {limit}, round {round}", open(&bench));
        let used = bench.pool.numbers().used;
        assert!(used <= limit, "{used} used of {limit}, round {round}");
        for _ in 0..75 {
            advance(ms(1)).await;
            settle().await;
            check_alone(&bench, limit);
        }
        assert!(open(&bench) <= limit, "{} open of {limit}, round {round}", open(&bench));
    }
    ceiling.set(40);
    for caller in callers {
        caller.await.unwrap();
    }
    settle().await;
    bench.check_at_rest();
    check_alone(&bench, 40);
}

#[tokio::test(start_paused = true)]
async fn without_a_ceiling_nothing_is_closed() {
    let bench = Bench::new(10, 2);
    bench.pool.change(|n| n.foreign = 5);
    sleep(ms(2_000)).await;
    fail(&bench).await;
    sleep(ms(2_000)).await;
    assert_eq!((open(&bench), bench.pool.numbers().trims), (10, 0));
}

#[tokio::test(start_paused = true)]
async fn a_pool_that_cannot_close_any_is_not_asked_all_the_time() {
    let ceiling = Ceiling::new(10);
    let bench = Bench::with(FakePool::new(10), |b| b.ceiling(ceiling.clone()));
    bench.pool.change(|n| n.trim = Trim::Refuses);
    ceiling.set(4);
    for _ in 0..10_000 {
        tokio::task::yield_now().await;
    }
    let trims = bench.pool.numbers().trims;
    assert!(trims < 10, "{trims}");
}
