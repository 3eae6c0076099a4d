//! Loans that outlive what they were taken from.

use floodway::Permit;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_loan_that_outlives_its_permit_gives_it_back_once() {
    let bench = Bench::new(|b| b.limit(3));
    let limiter = &bench.limiter;
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut outer = limiter.try_acquire_with(Acquire::new().weight(3)).unwrap();
        let lend = |weight| limiter.acquire_with(Acquire::new().weight(weight));
        let mut middle = outer.scope(lend(2)).await.unwrap();
        let inner = middle.scope(lend(1)).await.unwrap();
        let mut permits: [Option<Permit>; 3] = [Some(outer), Some(middle), Some(inner)];
        for gone in order {
            permits[gone].take().expect("each goes once").complete(Outcome::Success);
            // The outer has three of which the middle has two of which the inner has one.
            let left = match permits.iter().position(Option::is_some) {
                Some(outermost) => 3 - outermost as u32,
                None => 0,
            };
            bench.check(3, left, 0);
        }
    }
    check(&bench, 6.0, 12.0);
}

#[tokio::test(start_paused = true)]
async fn what_a_late_loan_gives_back_goes_to_who_waits() {
    let bench = Bench::new(|b| b.limit(1));
    let mut outer = bench.take();
    let lent = outer.scope(bench.limiter.acquire()).await.unwrap();
    drop(outer);
    let mut waiting = bench.limiter.acquire();
    assert!(is_pending(&mut waiting).await);
    bench.check(1, 1, 1);
    drop(lent);
    drop(ready(&mut waiting).await.unwrap());
    check(&bench, 2.0, 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_waiter_for_a_loan_is_told_that_the_permit_is_gone() {
    let bench = Bench::new(|b| b.limit(1));
    let mut outer = bench.take();
    let _lent = outer.scope(bench.limiter.acquire()).await.unwrap();
    let mut waiting = bench.limiter.acquire();
    assert!(outer.scope(poll_immediate(&mut waiting)).await.is_none());
    drop(outer);
    assert_eq!(ready(&mut waiting).await.unwrap_err().reason, RejectReason::Nested);
}

#[tokio::test(start_paused = true)]
async fn a_loan_that_outlives_the_one_in_between_goes_back_to_the_first() {
    let bench = Bench::new(|b| b.limit(2));
    let lend = || bench.limiter.acquire();
    let mut outer = bench.take();
    let mut middle = outer.scope(lend()).await.unwrap();
    let inner = middle.scope(lend()).await.unwrap();
    drop(middle);
    assert!(outer.scope(poll_immediate(lend())).await.is_none(), "it is still out");
    drop(inner);
    drop(outer.scope(poll_immediate(lend())).await.expect("it is back").unwrap());
    bench.check(2, 1, 0);
    drop(outer);
    check(&bench, 1.0, 3.0);
}

#[test]
fn guards_that_are_dropped_out_of_order_keep_loans_with_their_permits() {
    let bench = Bench::new(|b| b.limit(4));
    let take = |weight| bench.limiter.try_acquire_with(Acquire::new().weight(weight)).unwrap();
    let (mut one, mut three) = (take(1), take(3));
    let first = one.enter();
    let second = three.enter();
    let lent = take(2);
    drop(first);
    let another = bench.limiter.try_acquire().expect("the third of three is still lent");
    drop(second);
    drop(one);
    bench.check(4, 3, 0);
    drop(three);
    bench.check(4, 3, 0);
    drop(lent);
    drop(another);
    check(&bench, 2.0, 2.0);
}
