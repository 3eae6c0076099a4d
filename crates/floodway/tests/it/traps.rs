//! What has gone wrong in limiters of others, one test each.

use std::{pin::pin, sync::Arc};

use floodway::{
    Acquire, Aimd, Ceiling, LimitAlgorithm, Limiter, Outcome, Queue, Reason, RejectReason, Window,
    WindowConfig,
};
use floodway_metrics::catalogue::limiter as metrics;
use futures::{FutureExt, future::poll_immediate, poll};
use tokio::{
    sync::Notify,
    task::{JoinSet, coop},
    time::{Instant, advance, sleep},
};

use crate::support::{Bench, is_pending, ms, outcome, ready};

/// A semaphore passes the permits that come back to its waiters, so `forget_permits` finds none
/// to take away and the old concurrency lasts for the whole backlog.
///
/// What the method can do: <https://github.com/tokio-rs/tokio/pull/6331>.
#[tokio::test(start_paused = true)]
async fn a_shrink_holds_with_a_thousand_waiters_queued() {
    let bench = Bench::new(|b| b.limit(20).queue(Queue::fifo().max_wait(ms(600_000))));
    let mut permits: Vec<_> = (0..20).map(|_| bench.take()).collect();
    let mut tasks = JoinSet::new();
    let done = Arc::new(Notify::new());
    for _ in 0..1_000 {
        let (limiter, done) = (bench.limiter.clone(), Arc::clone(&done));
        tasks.spawn(async move {
            let permit = limiter.acquire().await.expect("it waits for as long as it takes");
            assert!(limiter.in_flight() <= 2, "{} of 2", limiter.in_flight());
            done.notified().await;
            drop(permit);
        });
    }
    sleep(ms(1)).await;
    bench.check(20, 20, 1_000);
    bench.limiter.set_limit(2).unwrap();
    for returned in 1..=18 {
        drop(permits.pop());
        sleep(ms(1)).await;
        bench.check(2, 20 - returned, 1_000);
    }
    drop(permits);
    for served in 0..1_000 {
        sleep(ms(1)).await;
        let running = 2.min(1_000 - served);
        bench.check(2, running as u32, 1_000 - served - running);
        done.notify_one();
        tasks.join_next().await.expect("a task").expect("never above the limit");
    }
    bench.check(2, 0, 0);
}

/// Computed as `limit - available`, the occupancy is wrong for as long as more are out than may.
///
/// megaeth-labs/stateless-validator#188.
#[tokio::test(start_paused = true)]
async fn occupancy_is_exact_while_more_are_out_than_may() {
    let bench = Bench::new(|b| b.limit(20));
    let mut permits: Vec<_> = (0..20).map(|_| bench.take()).collect();
    bench.limiter.set_limit(5).unwrap();
    for out in (0..20).rev() {
        drop(permits.pop());
        bench.check(5, out, 0);
        assert_eq!(bench.number(&metrics::IN_FLIGHT, &[]), f64::from(out));
        assert_eq!(bench.limiter.try_acquire().is_ok(), out < 5, "{out} are out");
    }
}

/// A permit that a finished future holds until it is dropped makes the limit look reached.
///
/// linkerd/linkerd2-proxy#751.
#[tokio::test(start_paused = true)]
async fn a_permit_is_back_when_the_operation_is_done_not_when_its_future_goes() {
    let bench = Bench::new(|b| b.limit(1));
    let mut operation = pin!(bench.limiter.run(sleep(ms(10))));
    assert!(poll!(operation.as_mut()).is_pending());
    advance(ms(11)).await;
    assert!(poll!(operation.as_mut()).is_ready());
    bench.check(1, 0, 0);
    assert!(bench.limiter.try_acquire().is_ok(), "with the future still there");
}

/// Tokio's semaphore answers `Pending` when the task's budget is used up, although a permit is
/// free; a layer that sheds who is not ready then refuses at random.
///
/// apollographql/router#9034.
#[tokio::test(start_paused = true)]
async fn a_free_permit_is_had_with_no_budget_left() {
    let bench = Bench::new(|b| b.limit(1));
    let task = tokio::spawn(async move {
        while coop::has_budget_remaining() {
            coop::consume_budget().now_or_never();
        }
        for _ in 0..1_000 {
            assert!(matches!(poll_immediate(bench.limiter.acquire()).await, Some(Ok(_))));
            assert!(poll_immediate(bench.limiter.run(async {})).await.is_some());
            assert!(bench.limiter.try_acquire().is_ok());
        }
    });
    task.await.expect("always free");
}

/// Overload, window after window.
struct Collapsing(f64);

impl LimitAlgorithm for Collapsing {
    fn limit(&self) -> f64 {
        self.0
    }

    fn set_limit(&mut self, limit: f64) {
        self.0 = limit;
    }

    fn window(&self) -> Option<WindowConfig> {
        Some(WindowConfig::new(ms(0), 1))
    }

    fn on_window(&mut self, _: &Window) -> Reason {
        self.0 *= 0.1;
        Reason::Overload
    }
}

/// A limit that was rounded down to nothing admits nobody, learns nothing and never comes back.
///
/// <https://github.com/vectordotdev/vector/issues/21340>
#[tokio::test(start_paused = true)]
async fn no_algorithm_brings_the_limit_to_nothing() {
    let every = WindowConfig::new(ms(0), 1);
    for bench in [
        Bench::new(|b| b.algorithm(Aimd::new(10).with_window(every))),
        Bench::new(|b| b.algorithm(Collapsing(10.0))),
    ] {
        for _ in 0..1_000 {
            let permit = bench.acquire_now().await.expect("never none").expect("never none");
            advance(ms(1)).await;
            permit.complete(Outcome::Overload);
        }
        bench.check(1, 0, 0);
    }
    // Only a ceiling does, and who waits for it to rise is let in when it does.
    let ceiling = Ceiling::new(0);
    let bench = Bench::new(|b| b.limit(1).ceiling(ceiling.clone()));
    let mut waiting = bench.limiter.acquire();
    assert!(is_pending(&mut waiting).await);
    ceiling.set(1);
    assert!(ready(&mut waiting).await.is_ok());
}

/// Counted up on admission and down on completion, what is in flight leaks with every future that
/// is dropped in between, until the limiter believes that it is always full.
///
/// <https://github.com/vectordotdev/vector/tree/master/src/sinks/util/adaptive_concurrency>
#[tokio::test(start_paused = true)]
async fn a_future_that_is_dropped_anywhere_leaves_nothing_in_flight() {
    let bench = Bench::new(|b| b.limit(2));
    for polls in 0..6 {
        let held = bench.take();
        let limiter = bench.limiter.clone();
        let mut operation = Box::pin(async move {
            let outer = limiter.run(async {
                sleep(ms(1)).await;
                limiter.run(sleep(ms(1))).await
            });
            let _ = outer.await;
            let _waits = limiter.acquire_with(Acquire::new().weight(2)).await;
        });
        for _ in 0..polls {
            let _ = outcome(&mut operation).await;
            advance(ms(2)).await;
        }
        drop(operation);
        bench.check(2, 1, 0);
        drop(held);
        bench.check(2, 0, 0);
    }
    let completed = bench.number(&metrics::COMPLETED, &[]);
    assert_eq!(bench.number(&metrics::ACQUIRED, &[]), completed);
}

/// With `std::time::Instant` inside, neither deadlines nor latencies follow paused time, and what
/// the limiter does over time cannot be tested.
///
/// As in tower-acc, tower-resilience and little-loadshedder.
#[tokio::test(start_paused = true)]
async fn everything_follows_the_paused_clock() {
    let bench = Bench::new(|b| b.limit(1).queue(Queue::fifo().max_wait(ms(3_600_000))));
    let held = bench.take();
    let started = Instant::now();
    let hour = bench.limiter.acquire().await.unwrap_err();
    assert_eq!((hour.reason, started.elapsed()), (RejectReason::Deadline, ms(3_600_000)));
    drop(held);
    let held_for = bench.histogram(&metrics::HOLD_DURATION).sum;
    assert!((held_for - 3_600.0).abs() < 0.01, "{held_for}");
}

/// A permit on its way to a caller who has gone is lost, and the next caller is refused with
/// nobody in flight: so it goes with tower's `LoadShed` over `ConcurrencyLimit`, where who was
/// shed stays in the semaphore's queue.
#[tokio::test(start_paused = true)]
async fn a_caller_who_gave_up_takes_no_permit_along() {
    let bench = Bench::new(|b| b.limit(1));
    let held = bench.take();
    let mut gone = bench.limiter.acquire();
    assert!(is_pending(&mut gone).await);
    drop(held);
    // Granted by now, and never polled again.
    bench.check(1, 1, 0);
    drop(gone);
    let clone: Limiter = bench.limiter.clone();
    assert!(clone.try_acquire().is_ok());
}
