//! Admission, waiting, refusal and change of the limit.

use std::sync::{Arc, Mutex};

use floodway::{Acquire, Ceiling, CeilingTerm, Instrumentation, Outcome, Queue, RejectReason};
use floodway_metrics::catalogue::limiter as metrics;
use tokio::time::{Instant, advance, sleep};

use crate::support::{Bench, is_pending, ms, ready};

#[tokio::test(start_paused = true)]
async fn admits_up_to_the_limit_and_then_in_order_of_arrival() {
    let bench = Bench::new(|b| b.limit(2));
    let (first, second) = (bench.take(), bench.take());
    let mut third = bench.limiter.acquire();
    let mut fourth = bench.limiter.acquire();
    assert!(is_pending(&mut third).await && is_pending(&mut fourth).await);
    bench.check(2, 2, 2);

    drop(first);
    // The permit is the third's already: nobody overtakes.
    bench.check(2, 2, 1);
    assert_eq!(bench.limiter.try_acquire().unwrap_err().reason, RejectReason::NoPermit);
    assert!(is_pending(&mut fourth).await);
    let third = ready(&mut third).await.unwrap();
    second.complete(Outcome::Success);
    let fourth = ready(&mut fourth).await.unwrap();
    drop((third, fourth));
    bench.check(2, 0, 0);

    assert_eq!(bench.number(&metrics::ACQUIRED, &["immediate"]), 2.0);
    assert_eq!(bench.number(&metrics::ACQUIRED, &["queued"]), 2.0);
    assert_eq!(bench.number(&metrics::COMPLETED, &["success"]), 1.0);
    assert_eq!(bench.number(&metrics::COMPLETED, &["ignore"]), 3.0);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_refuses_at_once() {
    let bench = Bench::new(|b| b.limit(1).queue(Queue::fifo().capacity(1)));
    let _held = bench.take();
    let mut waiting = bench.limiter.acquire();
    assert!(is_pending(&mut waiting).await);
    let refused = bench.acquire_now().await.unwrap().unwrap_err();
    assert_eq!(refused.reason, RejectReason::QueueFull);
    assert_eq!((refused.limit, refused.in_flight), (1, 1));
    assert_eq!(bench.number(&metrics::REJECTED, &["queue_full"]), 1.0);
    bench.check(1, 1, 1);
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_at_the_bound_of_the_queue() {
    let bench = Bench::new(|b| b.limit(1).queue(Queue::fifo().max_wait(ms(100))));
    let _held = bench.take();
    let started = Instant::now();
    let refused = bench.limiter.acquire().await.unwrap_err();
    assert_eq!(refused.reason, RejectReason::Deadline);
    assert_eq!(started.elapsed(), ms(100));
    bench.check(1, 1, 0);
}

#[tokio::test(start_paused = true)]
async fn the_earlier_of_the_two_deadlines_counts() {
    let bench = Bench::new(|b| b.limit(1).queue(Queue::fifo().max_wait(ms(100))));
    let _held = bench.take();
    for (given, expected) in [(30, 30), (5_000, 100)] {
        let started = Instant::now();
        let request = Acquire::new().deadline(started + ms(given));
        let refused = bench.limiter.acquire_with(request).await.unwrap_err();
        assert_eq!((refused.reason, started.elapsed()), (RejectReason::Deadline, ms(expected)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_in_the_past_is_refused_even_with_a_permit_free() {
    let bench = Bench::new(|b| b.limit(1));
    let request = Acquire::new().deadline(Instant::now());
    let refused = bench.limiter.acquire_with(request).await.unwrap_err();
    assert_eq!(refused.reason, RejectReason::Deadline);
    bench.check(1, 0, 0);
}

#[tokio::test(start_paused = true)]
async fn a_permit_passes_over_waiters_whose_time_is_up() {
    let bench = Bench::new(|b| b.limit(1).queue(Queue::fifo().max_wait(ms(100))));
    let held = bench.take();
    let mut early = bench.limiter.acquire();
    assert!(is_pending(&mut early).await);
    sleep(ms(60)).await;
    let mut late = bench.limiter.acquire();
    assert!(is_pending(&mut late).await);
    // Not polled meanwhile, so its own timer has told it nothing.
    advance(ms(50)).await;
    drop(held);
    let _late = ready(&mut late).await.unwrap();
    assert_eq!(ready(&mut early).await.unwrap_err().reason, RejectReason::Deadline);
    bench.check(1, 1, 0);
}

#[tokio::test(start_paused = true)]
async fn without_a_queue_nobody_waits() {
    let bench = Bench::new(|b| b.limit(1).queue(Queue::none()));
    let held = bench.take();
    let refused = bench.acquire_now().await.unwrap().unwrap_err();
    assert_eq!(refused.reason, RejectReason::NoPermit);
    drop(held);
    assert!(bench.acquire_now().await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_dropped_waiter_leaves_its_place_and_a_granted_one_its_permit() {
    let bench = Bench::new(|b| b.limit(1));
    let held = bench.take();
    let mut first = bench.limiter.acquire();
    let mut second = bench.limiter.acquire();
    let mut third = bench.limiter.acquire();
    for waiter in [&mut first, &mut second, &mut third] {
        assert!(is_pending(waiter).await);
    }
    drop(second);
    bench.check(1, 1, 2);
    drop(held); // granted to the first
    drop(first); // which goes away without having seen it
    let _third = ready(&mut third).await.unwrap();
    bench.check(1, 1, 0);
    assert_eq!(bench.number(&metrics::CANCELLED, &[]), 1.0);
    assert_eq!(bench.number(&metrics::ACQUIRED, &["queued"]), 2.0);
}

#[tokio::test(start_paused = true)]
async fn a_larger_limit_admits_waiters_at_once() {
    let bench = Bench::new(|b| b.limit(1));
    let _held = bench.take();
    let mut waiters: Vec<_> = (0..3).map(|_| bench.limiter.acquire()).collect();
    for waiter in &mut waiters {
        assert!(is_pending(waiter).await);
    }
    bench.limiter.set_limit(3).unwrap();
    bench.check(3, 3, 1);
    let _first = ready(&mut waiters[0]).await.unwrap();
    let _second = ready(&mut waiters[1]).await.unwrap();
    assert!(is_pending(&mut waiters[2]).await);
    assert_eq!(bench.number(&metrics::LIMIT_CHANGES, &["up"]), 1.0);
}

/// With tokio's semaphore below, returned permits pass to waiters and a shrink waits for the whole
/// backlog (seen in tower-acc 0.1.1: 20 in flight under a limit of 2).
#[tokio::test(start_paused = true)]
async fn a_smaller_limit_holds_while_a_thousand_wait() {
    let bench = Bench::new(|b| b.limit(20));
    let mut held: Vec<_> = (0..20).map(|_| bench.take()).collect();
    let mut waiters: Vec<_> = (0..1_000).map(|_| bench.limiter.acquire()).collect();
    for waiter in &mut waiters {
        assert!(is_pending(waiter).await);
    }
    bench.limiter.set_limit(2).unwrap();
    bench.check(2, 20, 1_000);
    for left in (2..20).rev() {
        held.pop();
        bench.check(2, left, 1_000);
    }
    held.pop();
    bench.check(2, 2, 999);
}

#[tokio::test(start_paused = true)]
async fn closing_refuses_waiters_and_newcomers_and_leaves_permits_valid() {
    let bench = Bench::new(|b| b.limit(1));
    let held = bench.take();
    let mut waiting = bench.limiter.acquire();
    assert!(is_pending(&mut waiting).await);
    bench.limiter.close();
    assert!(bench.limiter.is_closed());
    assert_eq!(ready(&mut waiting).await.unwrap_err().reason, RejectReason::Closed);
    assert_eq!(bench.limiter.try_acquire().unwrap_err().reason, RejectReason::Closed);
    drop(held);
    assert_eq!(bench.limiter.acquire().await.unwrap_err().reason, RejectReason::Closed);
    bench.check(1, 0, 0);
}

#[tokio::test(start_paused = true)]
async fn the_lowest_ceiling_binds_and_moves_live() {
    let (pool, fleet) = (Ceiling::new(5), Ceiling::new(8));
    let bench = Bench::new(|b| b.limit(10).ceiling(pool.clone()).ceiling(fleet.clone()));
    bench.check(5, 0, 0);
    fleet.set(3);
    bench.check(3, 0, 0);
    fleet.set(100);
    pool.set(0);
    bench.check(0, 0, 0);
    let mut waiting = bench.limiter.acquire();
    assert!(is_pending(&mut waiting).await);
    pool.set(1);
    let _permit = ready(&mut waiting).await.unwrap();
    bench.check(1, 1, 0);
}

/// A lease of 4 permits until `until`, by tokio's clock, and of 1 from then on.
fn lease(until: &Arc<Mutex<Instant>>) -> Ceiling {
    let until = Arc::clone(until);
    Ceiling::leased(move || {
        let remaining = until.lock().unwrap().saturating_duration_since(Instant::now());
        if remaining.is_zero() {
            CeilingTerm { limit: 1, remaining: None }
        } else {
            CeilingTerm { limit: 4, remaining: Some(remaining) }
        }
    })
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_over_for_the_first_who_asks_after_its_end() {
    let until = Arc::new(Mutex::new(Instant::now() + ms(100)));
    let leased = lease(&until);
    for instrumentation in [Instrumentation::Full, Instrumentation::Counts] {
        *until.lock().unwrap() = Instant::now() + ms(100);
        leased.refresh();
        let bench =
            Bench::new(|b| b.limit(10).ceiling(leased.clone()).instrumentation(instrumentation));
        bench.check(4, 0, 0);
        let _first = bench.take();
        advance(ms(99)).await;
        let second = bench.take();
        // Renewed in time: it goes on.
        *until.lock().unwrap() = Instant::now() + ms(100);
        leased.refresh();
        advance(ms(99)).await;
        let third = bench.take();
        advance(ms(1)).await;
        assert_eq!(bench.limiter.try_acquire().unwrap_err().reason, RejectReason::NoPermit);
        bench.check(1, 3, 0);
        drop((second, third));
        assert_eq!(bench.limiter.try_acquire().unwrap_err().reason, RejectReason::NoPermit);
    }
}

#[tokio::test(start_paused = true)]
async fn a_permit_that_comes_back_after_the_end_of_a_lease_is_not_passed_on() {
    let until = Arc::new(Mutex::new(Instant::now() + ms(100)));
    let leased = lease(&until);
    let bench = Bench::new(|b| b.limit(10).ceiling(leased.clone()));
    let held: Vec<_> = (0..4).map(|_| bench.take()).collect();
    let mut waiting = bench.limiter.acquire();
    assert!(is_pending(&mut waiting).await);
    advance(ms(100)).await;
    let mut held = held.into_iter();
    drop(held.by_ref().take(3).collect::<Vec<_>>());
    assert!(is_pending(&mut waiting).await);
    bench.check(1, 1, 1);
    *until.lock().unwrap() = Instant::now() + ms(100);
    leased.refresh();
    let _permit = ready(&mut waiting).await.unwrap();
    bench.check(4, 2, 0);
}

#[tokio::test(start_paused = true)]
async fn retry_after_follows_the_rate_at_which_the_queue_drains() {
    let bench = Bench::new(|b| b.limit(1).queue(Queue::fifo().capacity(4).max_wait(ms(60_000))));
    let mut held = bench.take();
    let mut waiters: Vec<_> = (0..4).map(|_| bench.limiter.acquire()).collect();
    for waiter in &mut waiters {
        assert!(is_pending(waiter).await);
    }
    // Nothing has come back yet.
    let retry_after = || bench.limiter.try_acquire().unwrap_err().retry_after;
    assert!((ms(1_000)..ms(1_500)).contains(&retry_after()), "nothing is known");
    for waiter in waiters.iter_mut().take(3) {
        advance(ms(100)).await;
        drop(held);
        held = ready(waiter).await.unwrap();
    }
    // One is ahead, and one comes back every 100 ms. Each who is refused is told the next moment.
    for turn in 2..20 {
        let answer = retry_after();
        let expected = ms(turn * 100)..ms((turn + 1) * 100);
        assert!(expected.contains(&answer), "{answer:?} in turn {turn}");
    }
    // What was promised does not run away from what anybody would wait for.
    for _ in 0..1_000 {
        assert!(retry_after() <= ms(60_000));
    }
    // It is forgotten as time passes.
    advance(ms(61_000)).await;
    drop(held);
    let _held = bench.take();
    assert!((ms(100)..ms(300)).contains(&retry_after()), "{:?}", retry_after());
}

#[tokio::test(start_paused = true)]
async fn run_gives_the_permit_back_however_it_ends() {
    let bench = Bench::new(|b| b.limit(1));
    assert_eq!(bench.limiter.run(async { 5 }).await.unwrap(), 5);
    let mut cancelled = Box::pin(bench.limiter.run(std::future::pending::<()>()));
    assert!(is_pending(&mut cancelled).await);
    bench.check(1, 1, 0);
    drop(cancelled);
    let limiter = bench.limiter.clone();
    let panicked = tokio::spawn(async move { limiter.run(async { panic!("on purpose") }).await });
    assert!(panicked.await.unwrap_err().is_panic());
    bench.check(1, 0, 0);
    assert_eq!(bench.number(&metrics::COMPLETED, &["success"]), 1.0);
    assert_eq!(bench.number(&metrics::COMPLETED, &["ignore"]), 2.0);
}

#[tokio::test(start_paused = true)]
async fn durations_and_integrals_are_exact() {
    let bench = Bench::new(|b| b.limit(1));
    let held = bench.take();
    let mut waiting = bench.limiter.acquire();
    assert!(is_pending(&mut waiting).await);
    advance(ms(400)).await;
    let close = |actual: f64, expected: f64| {
        assert!((actual - expected).abs() < 0.001, "{actual} is not {expected}");
    };
    // Unfinished waits and holds count.
    close(bench.number(&metrics::PERMIT_SECONDS, &[]), 0.4);
    close(bench.number(&metrics::QUEUED_SECONDS, &[]), 0.4);
    close(bench.number(&metrics::SATURATED_SECONDS, &[]), 0.4);
    drop(held);
    let granted = ready(&mut waiting).await.unwrap();
    advance(ms(100)).await;
    drop(granted);
    advance(ms(1_000)).await;
    close(bench.number(&metrics::PERMIT_SECONDS, &[]), 0.5);
    close(bench.number(&metrics::QUEUED_SECONDS, &[]), 0.4);
    close(bench.number(&metrics::SATURATED_SECONDS, &[]), 0.5);
    let (wait, hold) =
        (bench.histogram(&metrics::WAIT_DURATION), bench.histogram(&metrics::HOLD_DURATION));
    assert_eq!((wait.count(), hold.count()), (2, 2));
    close(wait.sum, 0.4);
    close(hold.sum, 0.5);
}

#[tokio::test(start_paused = true)]
async fn saturated_time_follows_changes_of_the_limit() {
    let bench = Bench::new(|b| b.limit(2));
    let _held = bench.take();
    advance(ms(100)).await;
    bench.limiter.set_limit(1).unwrap();
    advance(ms(100)).await;
    bench.limiter.set_limit(2).unwrap();
    advance(ms(100)).await;
    let saturated = bench.number(&metrics::SATURATED_SECONDS, &[]);
    assert!((saturated - 0.1).abs() < 0.001, "{saturated}");
}

/// Without a queue the rate is worked out from the hold times, as soon as there is one.
#[tokio::test(start_paused = true)]
async fn retry_after_is_known_once_an_operation_has_ended() {
    let bench = Bench::new(|b| b.limit(1).queue(Queue::none()));
    let held = bench.take();
    let retry_after = || bench.limiter.try_acquire().unwrap_err().retry_after;
    assert!(retry_after() >= ms(1_000), "nothing is known");
    advance(ms(100)).await;
    held.complete(Outcome::Success);
    let _held = bench.take();
    let answer = retry_after();
    assert!((ms(100)..ms(200)).contains(&answer), "{answer:?}");
}
