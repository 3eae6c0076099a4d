//! How claims and others share what the pool can give.

use floodway::{Ceiling, Outcome, PoolCause, Weight};
use floodway_metrics::catalogue::limiter as limiter_metrics;
use futures::FutureExt;
use tokio::time::Instant;

use super::kit::*;
use crate::support::{is_pending, ms, ready};

#[tokio::test(start_paused = true)]
async fn who_holds_a_connection_goes_before_who_holds_none() {
    let bench = Bench::new(3, 0);
    let a = bench.claim(Weight::UpTo(2)).await.unwrap();
    let b = bench.claim(Weight::UpTo(2)).await.unwrap();
    let _a1 = a.connection(far()).await.unwrap();
    let b1 = b.connection(far()).await.unwrap();
    let plain = tokio::spawn(bench.limiter.connection(far()));
    settle().await;
    let began = Instant::now();
    // One by the spare at once, the other as soon as that comes back.
    let a2 = a.connection(far()).now_or_never().expect("at once").unwrap();
    let mut b2 = Box::pin(b.connection(far()));
    assert!(is_pending(&mut b2).await);
    drop(a2);
    let b2 = b2.await.unwrap();
    assert_eq!(began.elapsed(), ms(0));
    assert!(!plain.is_finished());
    drop((b1, b2, b));
    drop(plain.await.unwrap().unwrap());
}

#[tokio::test(start_paused = true)]
async fn more_than_the_limit_of_the_moment_is_refused_at_once() {
    let ceiling = Ceiling::new(4);
    let bench = Bench::with(FakePool::new(10), |b| b.ceiling(ceiling.clone()));
    let asked = bench.limiter.claim(Weight::Exact(5), far());
    let asked = asked.now_or_never().expect("at once");
    assert_eq!(cause(asked), PoolCause::Ceiling { limit: 4 });
    // Also those who wait when the limit falls below what they asked for.
    let held = bench.claim(Weight::Exact(1)).await.unwrap();
    let mut waiting = Box::pin(bench.limiter.claim(Weight::Exact(4), far()));
    assert!(is_pending(&mut waiting).await);
    ceiling.set(3);
    assert_eq!(cause(ready(&mut waiting).await), PoolCause::Ceiling { limit: 3 });
    drop(held);
    let _three = bench.claim(Weight::Exact(3)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_stops_waiting_for_a_claim_leaves_nothing_behind() {
    let bench = Bench::new(3, 0);
    let held = [(); 3].map(|()| bench.connection());
    let held = futures::future::try_join_all(held).await.unwrap();
    for weight in [Weight::Exact(2), Weight::UpTo(2), Weight::UpTo(3)] {
        let mut waiting = Box::pin(bench.limiter.claim(weight, far()));
        assert!(is_pending(&mut waiting).await);
        let mut behind = Box::pin(bench.limiter.claim(weight, far()));
        assert!(is_pending(&mut behind).await);
        drop(waiting);
        assert!(is_pending(&mut behind).await);
    }
    assert_eq!(bench.limiter.limiter().queued(), 0);
    drop(held);
    settle().await;
    bench.check_at_rest();
    let _all = bench.claim(Weight::Exact(3)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_claim_above_a_ceiling_is_refused_and_one_as_large_has_everything() {
    let bench = Bench::with(FakePool::new(10), |b| b.ceiling(Ceiling::new(4)));
    let asked = bench.limiter.claim(Weight::UpTo(5), far()).now_or_never().expect("at once");
    assert_eq!(cause(asked), PoolCause::Ceiling { limit: 4 });
    let claim = bench.claim(Weight::UpTo(4)).await.unwrap();
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(claim.connection(soon()).await.unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn the_spare_is_never_overdrawn() {
    let ceiling = Ceiling::new(3);
    let bench = Bench::with(FakePool::new(3), |b| b.ceiling(ceiling.clone()));
    let x = bench.claim(Weight::UpTo(2)).await.unwrap();
    let y = bench.claim(Weight::UpTo(2)).await.unwrap();
    let _x1 = x.connection(far()).await.unwrap();
    let y1 = y.connection(far()).await.unwrap();
    let x2 = x.connection(far()).await.unwrap();
    let mut y2 = Box::pin(y.connection(far()));
    assert!(is_pending(&mut y2).await);
    ceiling.set(2);
    drop(y1);
    settle().await;
    // It has the permit of the first, which has come back; the spare is for one more.
    let _y2 = ready(&mut y2).await.unwrap();
    drop(x2);
    settle().await;
    let _y3 = y.connection(within(100)).await;
    let (used, in_flight) = (bench.pool.numbers().used, bench.limiter.limiter().in_flight());
    assert!(used <= in_flight, "{used} used, {in_flight} permits out");
}

#[tokio::test(start_paused = true)]
async fn claims_of_both_kinds_do_not_block_each_other() {
    let bench = Bench::new(5, 0);
    let up_to = bench.limiter.claim(Weight::UpTo(3), far()).await.unwrap();
    let mut exact = Box::pin(bench.limiter.claim(Weight::Exact(4), within(4_000)));
    assert!(is_pending(&mut exact).await);
    let mut first = Box::pin(up_to.connection(within(3_000)));
    let began = Instant::now();
    tokio::select! {
        first = &mut first => assert!(first.is_ok(), "{first:?}"),
        exact = &mut exact => assert!(exact.is_ok(), "{exact:?}"),
    }
    assert!(began.elapsed() < ms(10));
}

#[tokio::test(start_paused = true)]
async fn how_a_use_ended_is_heard_from_claims_too() {
    let bench = Bench::new(5, 0);
    let claim = bench.claim(Weight::Exact(2)).await.unwrap();
    let mut held = claim.connection(soon()).await.unwrap();
    held.set_outcome(Outcome::Overload);
    drop((held, claim));
    settle().await;
    assert_eq!(bench.number(&limiter_metrics::COMPLETED, &["overload"]), 1.0);
}
#[tokio::test(start_paused = true)]
async fn what_was_kept_for_a_large_claim_comes_back_though_others_stay() {
    let bench = Bench::new(10, 0);
    let large = bench.claim(Weight::UpTo(8)).await.unwrap();
    bench.check(10, 8, 0);
    let mut small = bench.claim(Weight::UpTo(2)).await.unwrap();
    bench.check(10, 9, 0);
    drop(large);
    // One after the other, and never none.
    for _ in 0..3 {
        small = bench.claim(Weight::UpTo(2)).await.unwrap();
        settle().await;
        bench.check(10, 2, 0);
    }
    drop(small);
    settle().await;
    bench.check_at_rest();
}
