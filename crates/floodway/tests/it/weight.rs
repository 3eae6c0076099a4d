//! Operations that need more than one permit.

use floodway::{Acquire, Acquiring, Permit, Priority, Queue, RejectReason};
use floodway_metrics::catalogue::limiter as metrics;
use futures::FutureExt;
use tokio::time::{advance, timeout};

use crate::support::{Bench, is_pending, ms, outcome, ready};

fn heavy(bench: &Bench, weight: u32) -> Acquiring {
    bench.limiter.acquire_with(Acquire::new().weight(weight))
}

fn take(bench: &Bench, weight: u32) -> Permit {
    bench.limiter.try_acquire_with(Acquire::new().weight(weight)).expect("free")
}

#[track_caller]
fn check_refused(answer: Option<Result<Permit, floodway::Rejected>>, reason: RejectReason) {
    let refused = answer.expect("at once").expect_err("refused");
    assert_eq!(refused.reason, reason);
}

#[tokio::test(start_paused = true)]
async fn heavier_than_the_limit_and_weightless_fail_at_once() {
    let bench = Bench::new(|b| b.limit(4));
    let _one = bench.take();
    for weight in [0, 5, u32::MAX] {
        check_refused(heavy(&bench, weight).now_or_never(), RejectReason::Weight);
        let tried = bench.limiter.try_acquire_with(Acquire::new().weight(weight));
        check_refused(Some(tried), RejectReason::Weight);
    }
    assert!(is_pending(&mut heavy(&bench, 4)).await, "as heavy as the limit may wait");
    assert_eq!(bench.number(&metrics::REJECTED, &["weight", "normal"]), 6.0);
    bench.check(4, 1, 0);
}

#[tokio::test(start_paused = true)]
async fn who_has_become_heavier_than_the_limit_is_refused_when_its_turn_comes() {
    let bench = Bench::new(|b| b.limit(4));
    let held = take(&bench, 4);
    let (mut first, mut second) = (heavy(&bench, 4), heavy(&bench, 3));
    let (mut light, mut last) = (heavy(&bench, 1), heavy(&bench, 3));
    for waiter in [&mut first, &mut second, &mut light, &mut last] {
        assert!(is_pending(waiter).await);
    }
    bench.limiter.set_limit(2).unwrap();
    // Both at once, although nothing has come back; the light one keeps its place.
    check_refused(outcome(&mut first).await, RejectReason::Weight);
    check_refused(outcome(&mut second).await, RejectReason::Weight);
    bench.check(2, 4, 2);
    drop(held);
    let _light = ready(&mut light).await.unwrap();
    check_refused(outcome(&mut last).await, RejectReason::Weight);
    bench.check(2, 1, 0);
}

#[tokio::test(start_paused = true)]
async fn a_heavy_head_blocks_and_is_not_starved() {
    let bench = Bench::new(|b| b.limit(4));
    let (one, two) = (bench.take(), take(&bench, 2));
    let (mut head, mut light) = (heavy(&bench, 3), heavy(&bench, 1));
    assert!(is_pending(&mut head).await && is_pending(&mut light).await);
    check_refused(Some(bench.limiter.try_acquire()), RejectReason::NoPermit);
    bench.check(4, 3, 2);
    drop(one);
    bench.check(4, 2, 2);
    drop(two);
    let head = ready(&mut head).await.unwrap();
    assert_eq!(head.weight(), 3);
    let light = ready(&mut light).await.unwrap();
    bench.check(4, 4, 0);
    drop((head, light));
    bench.check(4, 0, 0);
}

#[tokio::test(start_paused = true)]
async fn who_waited_behind_a_heavy_one_moves_up_when_it_goes() {
    for leaves in [true, false] {
        let bench = Bench::new(|b| b.limit(4).queue(Queue::fifo().max_wait(ms(100))));
        let _two = take(&bench, 2);
        let mut head = heavy(&bench, 4);
        assert!(is_pending(&mut head).await);
        advance(ms(50)).await;
        let mut behind = [heavy(&bench, 1), heavy(&bench, 1), heavy(&bench, 1)];
        for waiter in &mut behind {
            assert!(is_pending(waiter).await);
        }
        if leaves {
            drop(head);
        } else {
            check_refused(Some(head.await), RejectReason::Deadline);
        }
        bench.check(4, 4, 1);
        let [first, second, third] = &mut behind;
        let _permits = (ready(first).await.unwrap(), ready(second).await.unwrap());
        assert!(is_pending(third).await);
    }
}

/// Who goes first and fits does not wait for the heavy one that it goes before.
#[tokio::test(start_paused = true)]
async fn a_newcomer_that_goes_first_and_fits_does_not_wait() {
    for (queue, priority) in [(Queue::fifo(), Priority::High), (Queue::lifo(), Priority::Normal)] {
        let bench = Bench::new(|b| b.limit(4).queue(queue));
        let _held = take(&bench, 3);
        let mut head = heavy(&bench, 2);
        assert!(is_pending(&mut head).await);
        let urgent = bench.limiter.acquire_with(Acquire::new().priority(priority));
        let _urgent = timeout(ms(1), urgent).await.expect("at once").unwrap();
        bench.check(4, 4, 1);
    }
}

/// In a full queue it takes the place of the heavy one, and then nobody is before it.
#[tokio::test(start_paused = true)]
async fn who_displaces_a_heavy_one_does_not_wait_for_it_either() {
    let bench = Bench::new(|b| b.limit(4).queue(Queue::fifo().capacity(1)));
    let _held = take(&bench, 3);
    let mut head = heavy(&bench, 2);
    assert!(is_pending(&mut head).await);
    let urgent = bench.limiter.acquire_with(Acquire::new().priority(Priority::High));
    let _urgent = timeout(ms(1), urgent).await.expect("at once").unwrap();
    check_refused(outcome(&mut head).await, RejectReason::Displaced);
    bench.check(4, 4, 0);
}

/// In another order the turn comes to somebody who fits.
#[tokio::test(start_paused = true)]
async fn a_change_of_the_queue_lets_in_who_now_goes_first() {
    let bench = Bench::new(|b| b.limit(4));
    let _held = take(&bench, 3);
    let (mut head, mut light) = (heavy(&bench, 2), heavy(&bench, 1));
    assert!(is_pending(&mut head).await && is_pending(&mut light).await);
    bench.limiter.handle().set_queue(Queue::lifo()).unwrap();
    let _light = ready(&mut light).await.unwrap();
    bench.check(4, 4, 1);
}

#[tokio::test(start_paused = true)]
async fn operations_are_counted_once_whatever_they_weigh() {
    let bench = Bench::new(|b| b.limit(10));
    let (one, four) = (bench.take(), take(&bench, 4));
    let mut queued = heavy(&bench, 7);
    assert!(is_pending(&mut queued).await);
    let acquired = |path| bench.number(&metrics::ACQUIRED, &[path]);
    assert_eq!((acquired("immediate"), acquired("queued")), (2.0, 0.0));
    assert_eq!(bench.number(&metrics::IN_FLIGHT, &[]), 5.0);
    advance(ms(100)).await;
    assert!((bench.number(&metrics::PERMIT_SECONDS, &[]) - 0.5).abs() < 0.001, "5 for 100 ms");
    drop(four);
    let queued = ready(&mut queued).await.unwrap();
    bench.check(10, 8, 0);
    drop(heavy(&bench, 3).now_or_never());
    assert_eq!((acquired("immediate"), acquired("queued")), (2.0, 1.0));
    drop((one, queued));
    assert_eq!(bench.number(&metrics::COMPLETED, &[]), 3.0);
    assert_eq!(bench.number(&metrics::CANCELLED, &[]), 1.0);
    bench.check(10, 0, 0);
}
