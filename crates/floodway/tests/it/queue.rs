//! Disciplines, displacement and deadlines through the limiter.

use floodway::{Acquire, Discipline, Priority, Queue, RejectReason};
use floodway_metrics::catalogue::limiter as metrics;
use tokio::time::{Instant, advance};

use crate::support::{Bench, is_pending, ms, outcome, ready};

/// Three wait, 10 ms apart; the permit is passed on after `held` and at once from then on.
async fn check(queue: Queue, held: u64, expected: [Result<u64, RejectReason>; 3]) {
    let bench = Bench::new(|b| b.limit(1).queue(queue));
    let mut permit = Some(bench.take());
    let mut waiters = Vec::new();
    for _ in 0..3 {
        let mut waiter = bench.limiter.acquire();
        assert!(is_pending(&mut waiter).await);
        waiters.push((waiter, None));
        advance(ms(10)).await;
    }
    advance(ms(held)).await;
    for turn in 0..3 {
        drop(permit.take());
        for (waiter, result) in waiters.iter_mut().filter(|(_, result)| result.is_none()) {
            if let Some(answer) = outcome(waiter).await {
                let reason = answer.as_ref().map(|_| turn).map_err(|refused| refused.reason);
                permit = permit.or(answer.ok());
                *result = Some(reason);
            }
        }
    }
    let results: Vec<_> = waiters.into_iter().map(|(_, result)| result).collect();
    assert_eq!(results, expected.map(Some), "{queue:?}, after {held} ms");
    drop(permit);
    bench.check(1, 0, 0);
}

#[tokio::test(start_paused = true)]
async fn each_discipline_serves_in_its_order() {
    check(Queue::fifo(), 0, [Ok(0), Ok(1), Ok(2)]).await;
    check(Queue::lifo(), 0, [Ok(2), Ok(1), Ok(0)]).await;
    check(Queue::adaptive_lifo(), 0, [Ok(0), Ok(1), Ok(2)]).await;
    check(Queue::adaptive_lifo(), 200, [Ok(2), Ok(1), Ok(0)]).await;
    check(Queue::codel(), 0, [Ok(0), Ok(1), Ok(2)]).await;
}

#[tokio::test(start_paused = true)]
async fn codel_sheds_who_waited_too_long_once_the_queue_stands() {
    let codel = Discipline::CoDel { target: ms(5), interval: ms(100) };
    let bench = Bench::new(|b| b.limit(1).queue(Queue::fifo().discipline(codel)));
    let mut permit = bench.take();
    // Nobody waits less than 20 ms for two intervals.
    for _ in 0..10 {
        let mut waiter = bench.limiter.acquire();
        assert!(is_pending(&mut waiter).await);
        advance(ms(20)).await;
        drop(permit);
        permit = match outcome(&mut waiter).await.expect("its turn has come") {
            Ok(permit) => permit,
            Err(refused) => {
                assert_eq!(refused.reason, RejectReason::Shed);
                bench.take()
            }
        };
    }
    let shed = bench.number(&metrics::REJECTED, &["shed", "normal"]);
    assert_eq!(shed, 4.0, "all but the first of the second interval");
    drop(permit);
    bench.check(1, 0, 0);
}

#[tokio::test(start_paused = true)]
async fn newcomers_to_a_standing_queue_wait_for_a_moment_only() {
    let bench = Bench::new(|b| b.limit(1).queue(Queue::adaptive_lifo()));
    let _held = bench.take();
    let mut first = bench.limiter.acquire();
    assert!(is_pending(&mut first).await);
    advance(ms(100)).await;
    let started = Instant::now();
    let refused = bench.limiter.acquire().await.unwrap_err();
    assert_eq!((refused.reason, started.elapsed()), (RejectReason::Deadline, ms(5)));
    assert!(is_pending(&mut first).await, "it came before and may wait for a second");
}

#[tokio::test(start_paused = true)]
async fn the_displaced_are_told_at_once_and_the_newcomer_has_their_place() {
    let bench = Bench::new(|b| b.limit(1).queue(Queue::fifo().capacity(2)));
    let held = bench.take();
    let ask = |priority| bench.limiter.acquire_with(Acquire::new().priority(priority));
    let (mut low, mut normal) = (tokio::spawn(ask(Priority::Low)), ask(Priority::Normal));
    assert!(is_pending(&mut normal).await);
    tokio::task::yield_now().await;
    bench.check(1, 1, 2);
    let mut high = ask(Priority::High);
    assert!(is_pending(&mut high).await);
    bench.check(1, 1, 2);
    // Woken, without a permit coming back and long before its deadline.
    let displaced = (&mut low).await.expect("no panic").unwrap_err();
    assert_eq!(displaced.reason, RejectReason::Displaced);
    assert_eq!(bench.number(&metrics::REJECTED, &["displaced", "low"]), 1.0);
    assert_eq!(
        outcome(&mut ask(Priority::Low)).await.unwrap().unwrap_err().reason,
        RejectReason::QueueFull
    );
    drop(held);
    let high = ready(&mut high).await.unwrap();
    assert!(is_pending(&mut normal).await);
    drop(high);
    assert!(ready(&mut normal).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn who_was_displaced_and_then_dropped_leaves_nothing_behind() {
    let bench = Bench::new(|b| b.limit(1).queue(Queue::lifo().capacity(1)));
    let held = bench.take();
    let mut first = bench.limiter.acquire();
    assert!(is_pending(&mut first).await);
    let mut second = bench.limiter.acquire();
    assert!(is_pending(&mut second).await);
    drop(first);
    bench.check(1, 1, 1);
    drop(held);
    drop(ready(&mut second).await.unwrap());
    bench.check(1, 0, 0);
    assert_eq!(bench.number(&metrics::CANCELLED, &[]), 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_cannot_be_met_is_refused_on_arrival_unless_one_is_alone() {
    let bench = Bench::new(|b| b.limit(1).queue(Queue::fifo().max_wait(ms(60_000))));
    let mut held = bench.take();
    let mut waiters: Vec<_> = (0..4).map(|_| bench.limiter.acquire()).collect();
    for waiter in &mut waiters {
        assert!(is_pending(waiter).await);
    }
    for waiter in waiters.iter_mut().take(3) {
        advance(ms(100)).await;
        drop(held);
        held = ready(waiter).await.unwrap();
    }
    // One is ahead and one comes back every 100 ms.
    let within = |millis| {
        let deadline = Instant::now() + ms(millis);
        bench.limiter.acquire_with(Acquire::new().deadline(deadline))
    };
    let refused = outcome(&mut within(199)).await.unwrap().unwrap_err();
    assert_eq!(refused.reason, RejectReason::Unmeetable);
    assert!(outcome(&mut within(201)).await.is_none());
    drop(waiters);
    assert!(outcome(&mut within(1)).await.is_none(), "alone it may wait");
}

/// A queue of another order, or a smaller one, holds from now on; nobody who waits is turned out.
#[tokio::test(start_paused = true)]
async fn a_change_of_the_queue_serves_who_waits_by_the_new_rules() {
    let bench = Bench::new(|b| b.limit(1));
    let handle = bench.limiter.handle();
    let held = bench.take();
    let mut waiters: Vec<_> = (0..3).map(|_| bench.limiter.acquire()).collect();
    for waiter in &mut waiters {
        assert!(is_pending(waiter).await);
    }
    handle.set_queue(Queue::lifo().capacity(1).max_wait(ms(1))).unwrap();
    bench.check(1, 1, 3);
    drop(held);
    let newest = ready(&mut waiters[2]).await.unwrap();
    advance(ms(900)).await;
    assert!(is_pending(&mut waiters[0]).await, "its deadline is what it came with");
    handle.set_queue(Queue::none()).unwrap();
    let refused = bench.acquire_now().await.unwrap().unwrap_err();
    assert_eq!(refused.reason, RejectReason::NoPermit);
    // `Queue::none` keeps the order of `Queue::fifo`.
    drop(newest);
    drop(ready(&mut waiters[0]).await.unwrap());
    drop(ready(&mut waiters[1]).await.unwrap());
    bench.check(1, 0, 0);
}
