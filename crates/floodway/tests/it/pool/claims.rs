//! Operations that hold several connections.

use floodway::{NestedAcquire, PoolCause, Weight};
use floodway_metrics::catalogue::pool as metrics;
use futures::{FutureExt, join};
use tokio::time::sleep;

use super::kit::*;
use crate::support::{is_pending, ms};

/// Checks a refusal of one connection too many, asked for in these lines of this file.
#[track_caller]
fn check_nested<T>(asked: Asked<T>, weight: u32, outer: u32, inner: u32) -> NestedAcquire {
    let nested = match asked.map(drop) {
        Err(ConnectionError::NestedAcquire(nested)) => nested,
        other => panic!("not nested: {other:?}"),
    };
    assert_eq!(nested.weight, weight);
    let line = |place: &std::panic::Location<'_>| {
        assert!(place.file().ends_with("claims.rs"), "{place}");
        place.line()
    };
    let places = (nested.outer.map(line), nested.inner.map(line));
    let expected = if cfg!(debug_assertions) { (Some(outer), Some(inner)) } else { (None, None) };
    assert_eq!(places, expected, "{nested}");
    nested
}

#[tokio::test(start_paused = true)]
async fn one_too_many_is_refused_at_once_and_names_both_places() {
    for weight in [Weight::Exact(2), Weight::UpTo(2)] {
        let bench = Bench::new(10, 0);
        let outer = line!() + 1;
        let claim = bench.claim(weight).await.unwrap();
        let _held =
            [claim.connection(soon()).await.unwrap(), claim.connection(soon()).await.unwrap()];
        let inner = line!() + 1;
        let asked = claim.connection(far()).now_or_never().expect("at once");
        let told = check_nested(asked, 2, outer, inner).to_string();
        assert!(
            told.starts_with("an operation that may hold 2 connections asked for another"),
            "{told}"
        );
        let inner = line!() + 1;
        let asked = claim.scope(bench.limiter.connection(far())).now_or_never().expect("at once");
        check_nested(asked, 2, outer, inner);
        assert_eq!(bench.refused("nested"), 2.0);
        assert_eq!((claim.held(), claim.weight()), (2, 2));
    }
}

#[tokio::test(start_paused = true)]
async fn a_claim_inside_a_claim_is_one_too_many() {
    let bench = Bench::new(10, 0);
    let outer = line!() + 1;
    let claim = bench.claim(Weight::Exact(3)).await.unwrap();
    let inner = line!() + 1;
    let asked = claim.scope(bench.limiter.claim(Weight::UpTo(2), far())).now_or_never();
    check_nested(asked.expect("at once"), 3, outer, inner);
    // Outside it there may be another.
    let _other = bench.claim(Weight::UpTo(2)).await.unwrap();
    assert_eq!(bench.number(&metrics::CLAIMS, &[]), 2.0);
}

#[tokio::test(start_paused = true)]
async fn who_waits_in_vain_with_a_connection_in_hand_is_told_so() {
    let bench = Bench::new(1, 0);
    let limiter = bench.limiter.clone();
    let task = tokio::spawn(async move {
        let outer = line!() + 1;
        let _held = limiter.connection(soon()).await.unwrap();
        let inner = line!() + 1;
        let asked = limiter.connection(soon()).await;
        check_nested(asked, 1, outer, inner);
        let inner = line!() + 1;
        let asked = limiter.claim(Weight::Exact(1), soon()).await;
        check_nested(asked, 1, outer, inner);
        // Another task has nothing to do with it.
        let other = tokio::spawn(async move { limiter.connection(soon()).await });
        assert!(matches!(cause(other.await.unwrap()), PoolCause::PoolHeld { .. }));
    });
    task.await.unwrap();
    assert_eq!((bench.refused("nested"), bench.refused("pool_held")), (2.0, 1.0));
}

#[tokio::test(start_paused = true)]
async fn scopes_of_two_pools_are_kept_apart() {
    let (near, far_away) = (Bench::new(4, 0), Bench::new(4, 0));
    let a = near.claim(Weight::Exact(2)).await.unwrap();
    let b = far_away.claim(Weight::Exact(2)).await.unwrap();
    let inside = a.scope(b.scope(async {
        let held = [near.connection().await.unwrap(), far_away.connection().await.unwrap()];
        assert_eq!((a.held(), b.held()), (1, 1));
        let more = [near.connection().await.unwrap(), far_away.connection().await.unwrap()];
        assert!(near.connection().now_or_never().unwrap().is_err());
        assert!(far_away.connection().now_or_never().unwrap().is_err());
        (held, more)
    }));
    let held = inside.await;
    near.check(4, 2, 2);
    far_away.check(4, 2, 2);
    // The scope is over, and what it took is still the claims'.
    let _plain = near.connection().await.unwrap();
    near.check(4, 3, 3);
    drop(held);
    settle().await;
    assert_eq!((a.held(), b.held()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_task_that_is_spawned_in_a_scope_is_outside_of_it() {
    let bench = Bench::new(4, 0);
    let claim = bench.claim(Weight::Exact(2)).await.unwrap();
    let spawned = claim.scope(async { tokio::spawn(bench.connection()).await }).await;
    let _held = spawned.unwrap().unwrap();
    assert_eq!(claim.held(), 0);
    bench.check(4, 3, 1);
}

#[tokio::test(start_paused = true)]
async fn two_at_once_in_a_scope_are_two_of_the_claim() {
    for weight in [Weight::Exact(2), Weight::UpTo(2)] {
        let bench = Bench::new(2, 0);
        let claim = bench.claim(weight).await.unwrap();
        let both = claim.scope(async { join!(bench.connection(), bench.connection()) }).await;
        let _held = (both.0.unwrap(), both.1.unwrap());
        assert_eq!(claim.held(), 2);
        bench.check(2, 2, 2);
    }
}

#[tokio::test(start_paused = true)]
async fn connections_may_outlive_their_claim() {
    for weight in [Weight::Exact(2), Weight::UpTo(2)] {
        let bench = Bench::new(3, 0);
        let claim = bench.claim(weight).await.unwrap();
        let first = claim.connection(soon()).await.unwrap();
        let second = claim.connection(soon()).await.unwrap();
        drop(claim);
        drop(first);
        settle().await;
        assert_eq!(bench.number(&metrics::CLAIMS, &[]), 1.0);
        bench.check(3, 2, 1);
        drop(second);
        settle().await;
        bench.check_at_rest();
    }
}

#[tokio::test(start_paused = true)]
async fn a_claim_may_go_while_a_connection_is_on_its_way() {
    for weight in [Weight::Exact(2), Weight::UpTo(2)] {
        let bench = Bench::new(3, 0);
        bench.pool.change(|n| n.connects = 0);
        let claim = bench.claim(weight).await.unwrap();
        let mut one = Box::pin(claim.connection(soon()));
        let mut other = Box::pin(claim.connection(soon()));
        assert!(is_pending(&mut one).await && is_pending(&mut other).await);
        drop(claim);
        // One of them is not waited for, either.
        drop(other);
        bench.pool.change(|n| n.connects = 10);
        drop(one.await.unwrap());
        settle().await;
        bench.check_at_rest();
        assert_eq!(bench.pool.numbers().interrupted, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_claim_of_up_to_one_is_a_claim_of_one() {
    let end = async |weight| {
        let bench = Bench::new(2, 0);
        let claim = bench.claim(weight).await.unwrap();
        let before = (claim.weight(), bench.limiter.limiter().in_flight());
        let held = claim.connection(soon()).await.unwrap();
        let during = (claim.held(), bench.limiter.limiter().in_flight());
        let more = claim.connection(soon()).await.map(drop).unwrap_err().to_string();
        drop((held, claim));
        settle().await;
        bench.check_at_rest();
        (before, during, more.split(" (").next().map(str::to_owned))
    };
    assert_eq!(end(Weight::UpTo(1)).await, end(Weight::Exact(1)).await);
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_panics_in_its_scope_gives_everything_back() {
    for weight in [Weight::Exact(3), Weight::UpTo(3)] {
        let bench = Bench::new(3, 0);
        let limiter = bench.limiter.clone();
        let operation = tokio::spawn(async move {
            let claim = limiter.claim(weight, soon()).await.unwrap();
            let inside = claim.scope(async {
                let _held = [
                    limiter.connection(soon()).await.unwrap(),
                    limiter.connection(soon()).await.unwrap(),
                ];
                sleep(ms(1)).await;
                panic!("as told");
            });
            inside.await
        });
        assert!(operation.await.unwrap_err().is_panic());
        settle().await;
        bench.check_at_rest();
        let _all = bench.claim(Weight::Exact(3)).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_in_vain_within_its_claim_is_not_nested() {
    let bench = Bench::new(3, 0);
    let limiter = bench.limiter.clone();
    let x = bench.claim(Weight::UpTo(2)).await.unwrap();
    let x1 = x.connection(far()).await.unwrap();
    let task = tokio::spawn(async move {
        let y = limiter.claim(Weight::UpTo(2), soon()).await.unwrap();
        let _y1 = y.connection(soon()).await.unwrap();
        sleep(ms(50)).await;
        y.connection(soon()).await.map(drop)
    });
    settle().await;
    let _x2 = x.connection(far()).await.unwrap();
    let refused = task.await.unwrap().unwrap_err();
    drop(x1);
    assert!(matches!(refused, ConnectionError::Rejected(_)), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn who_gives_one_back_and_asks_for_the_next_waits_for_the_pool_to_have_it() {
    for weight in [Weight::Exact(1), Weight::UpTo(1), Weight::Exact(2), Weight::UpTo(2)] {
        let bench = Bench::new(4, 0);
        let claim = bench.claim(weight).await.unwrap();
        let inside = claim.scope(async {
            let mut kept = Vec::new();
            for _ in 1..weight.most() {
                kept.push(bench.connection().await.unwrap());
            }
            for _ in 0..5 {
                drop(bench.connection().await.unwrap());
            }
            // And all the time there is no place for one more.
            let _last = bench.connection().await.unwrap();
            let more = bench.limiter.connection(far()).now_or_never().expect("at once");
            assert!(matches!(more, Err(ConnectionError::NestedAcquire(_))), "{more:?}");
        });
        inside.await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_does_not_come_back_keeps_the_next_waiting_until_its_deadline() {
    let bench = Bench::new(4, 0);
    let claim = bench.claim(Weight::Exact(1)).await.unwrap();
    let held = claim.connection(soon()).await.unwrap();
    bench.pool.change(|n| n.returns_hang = true);
    drop(held);
    let refused = claim.connection(soon()).await;
    assert!(matches!(refused, Err(ConnectionError::Rejected(_))), "{refused:?}");
    bench.pool.change(|n| n.returns_hang = false);
    settle().await;
    assert_eq!(claim.held(), 0);
}
