//! Nothing is lost, however callers come and go.

mod schedule;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Wake, Waker},
    time::Duration,
};

use floodway::{Limiter, Outcome, Queue, Registry};
use floodway_metrics::catalogue::limiter as metrics;
use futures::FutureExt;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::task::{JoinSet, yield_now};

use crate::support::{Bench, ms};

/// At rest: nothing in flight, nobody waiting, every permit granted has come back.
#[track_caller]
fn check_at_rest(bench: &Bench, arrivals: u64) {
    bench.check(bench.limiter.limit(), 0, 0);
    let acquired = bench.number(&metrics::ACQUIRED, &[]);
    let completed = bench.number(&metrics::COMPLETED, &[]);
    let refused = bench.number(&metrics::REJECTED, &[]) + bench.number(&metrics::CANCELLED, &[]);
    assert_eq!(acquired, completed, "acquired = completed + 0 in flight");
    assert_eq!(acquired + refused, arrivals as f64, "every arrival has one outcome");
}

/// One request that is dropped after a random number of polls, if it lives that long.
async fn request(limiter: Limiter, running: Arc<AtomicU32>, mut rng: StdRng) {
    struct Running(Arc<AtomicU32>);
    impl Drop for Running {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }
    let Ok(permit) = limiter.acquire().await else {
        return;
    };
    let now = running.fetch_add(1, Ordering::SeqCst) + 1;
    let guard = Running(running);
    assert!(now <= 8, "{now} operations under a limit of 8");
    for _ in 0..rng.random_range(0..6) {
        yield_now().await;
    }
    drop(guard);
    permit.complete(Outcome::Success);
}

/// Polls `future` at most `polls` times and drops it.
async fn cut_short(future: impl Future<Output = ()>, polls: u32) {
    let mut future = std::pin::pin!(future);
    for _ in 0..polls {
        if future.as_mut().now_or_never().is_some() {
            return;
        }
        yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_thousand_requests_dropped_at_random_leave_nothing_behind() {
    const REQUESTS: u64 = 100_000;
    let bench = Bench::new(|b| b.limit(8).queue(Queue::fifo().capacity(64).max_wait(ms(5))));
    let running = Arc::new(AtomicU32::new(0));
    let mut seeds = StdRng::seed_from_u64(7);
    let mut tasks = JoinSet::new();
    let mut arrivals = 0;
    for _ in 0..REQUESTS {
        let polls = seeds.random_range(1..12);
        arrivals += 1;
        let rng = StdRng::seed_from_u64(seeds.random());
        tasks.spawn(cut_short(request(bench.limiter.clone(), Arc::clone(&running), rng), polls));
        if tasks.len() >= 200 {
            tasks.join_next().await.expect("a task").expect("no panic");
        }
    }
    while let Some(task) = tasks.join_next().await {
        task.expect("no panic");
    }
    assert_eq!(running.load(Ordering::SeqCst), 0);
    check_at_rest(&bench, arrivals);
    assert!(bench.number(&metrics::CANCELLED, &[]) > 1_000.0, "enough were cut short in the queue");
    assert!(bench.number(&metrics::ACQUIRED, &["queued"]) > 1_000.0, "enough got through it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_wake_is_lost_while_the_limit_flaps() {
    let bench = Bench::new(|b| b.limit(1).queue(Queue::fifo().max_wait(Duration::from_secs(60))));
    let mut tasks = JoinSet::new();
    for _ in 0..64 {
        let limiter = bench.limiter.clone();
        tasks.spawn(async move {
            for _ in 0..200 {
                limiter.run(yield_now()).await.expect("waits as long as it takes");
            }
        });
    }
    let mut limit = 1;
    while !tasks.is_empty() {
        limit = limit % 7 + 1;
        bench.limiter.set_limit(limit).expect("in bounds");
        yield_now().await;
        while tasks.try_join_next().is_some() {}
    }
    check_at_rest(&bench, 64 * 200);
}

/// Waiting needs a timer, and outside a runtime there is none. The caller that panics never
/// arrived: it must not leave a place in the queue behind, to which a permit would go and never
/// come back.
#[test]
fn a_waiter_without_a_timer_panics_and_leaves_no_trace() {
    let registry = Registry::new();
    let limiter = Limiter::builder("test").limit(1).registry(&registry).build().unwrap();
    let held = limiter.try_acquire().unwrap();
    let waiting = AssertUnwindSafe(|| limiter.acquire().now_or_never());
    assert!(catch_unwind(waiting).is_err());
    drop(held);
    let bench = Bench { limiter, registry };
    check_at_rest(&bench, 1);
}

/// Only who has to wait needs a timer.
#[test]
fn a_refusal_needs_no_runtime() {
    let registry = Registry::new();
    let limiter = Limiter::builder("test").limit(1).registry(&registry).build().unwrap();
    limiter.close();
    assert!(matches!(limiter.acquire().now_or_never(), Some(Err(_))));
}

/// A waker may own whatever its task owns, a waiter of the same limiter included.
#[tokio::test(start_paused = true)]
async fn wakers_are_dropped_outside_the_lock() {
    struct Looks(Limiter);
    impl Wake for Looks {
        fn wake(self: Arc<Self>) {}
    }
    impl Drop for Looks {
        fn drop(&mut self) {
            assert!(self.0.queued() <= 1, "the lock is free, or this never returns");
        }
    }
    let bench = Bench::new(|b| b.limit(1));
    let _held = bench.take();
    let waker = || Waker::from(Arc::new(Looks(bench.limiter.clone())));
    let mut waiting = bench.limiter.acquire();
    for _ in 0..3 {
        let waker = waker();
        let polled = Pin::new(&mut waiting).poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
    }
    drop(waiting);
    bench.check(1, 1, 0);
}
