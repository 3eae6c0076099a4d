//! Nothing is lost, however callers come and go.

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

use floodway::{Limiter, Outcome, Permit, Queue, Registry};
use floodway_metrics::catalogue::limiter as metrics;
use futures::FutureExt;
use proptest::prelude::*;
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

#[derive(Clone, Debug)]
enum Step {
    Arrive,
    PollWaiter(usize),
    DropWaiter(usize),
    DropPermit(usize),
    SetLimit(u32),
    Ceiling(u32),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Arrive),
        3 => any::<usize>().prop_map(Step::PollWaiter),
        2 => any::<usize>().prop_map(Step::DropWaiter),
        3 => any::<usize>().prop_map(Step::DropPermit),
        1 => (1u32..6).prop_map(Step::SetLimit),
        1 => (0u32..6).prop_map(Step::Ceiling),
        1 => (1u64..80).prop_map(Step::Pass),
    ]
}

proptest! {
    /// After every step: a permit is admitted only below the limit
    /// and nobody waits while there is room.
    #[test]
    fn any_schedule_keeps_the_books(steps in proptest::collection::vec(step(), 1..120)) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let ceiling = floodway::Ceiling::new(5);
            let registry = Registry::new();
            let limiter = Limiter::builder("test").limit(3).ceiling(ceiling.clone())
                .queue(Queue::fifo().capacity(8).max_wait(ms(100)))
                .registry(&registry).clock(floodway::Clock::tokio()).build().unwrap();
            let bench = Bench { limiter: limiter.clone(), registry };
            let mut waiters: Vec<floodway::Acquiring> = Vec::new();
            let mut permits: Vec<Permit> = Vec::new();
            let mut arrivals = 0u64;
            for step in steps {
                let before = limiter.in_flight();
                match step {
                    Step::Arrive => {
                        arrivals += 1;
                        let mut waiter = limiter.acquire();
                        match (&mut waiter).now_or_never() {
                            Some(Ok(permit)) => permits.push(permit),
                            Some(Err(_)) => {}
                            None => waiters.push(waiter),
                        }
                    }
                    Step::PollWaiter(i) if !waiters.is_empty() => {
                        let i = i % waiters.len();
                        if let Some(result) = (&mut waiters[i]).now_or_never() {
                            drop(waiters.remove(i));
                            permits.extend(result.ok());
                        }
                    }
                    Step::DropWaiter(i) if !waiters.is_empty() => {
                        drop(waiters.remove(i % waiters.len()));
                    }
                    Step::DropPermit(i) if !permits.is_empty() => {
                        drop(permits.swap_remove(i % permits.len()));
                    }
                    Step::SetLimit(limit) => limiter.set_limit(limit).unwrap(),
                    Step::Ceiling(limit) => ceiling.set(limit),
                    Step::Pass(millis) => tokio::time::advance(ms(millis)).await,
                    _ => {}
                }
                let (in_flight, limit) = (limiter.in_flight(), limiter.limit());
                assert!(in_flight <= limit.max(before), "admitted above the limit");
                assert!(limiter.queued() == 0 || in_flight >= limit, "waiting with room");
                assert!(permits.len() as u32 <= in_flight);
            }
            drop((waiters, permits));
            check_at_rest(&bench, arrivals);
        });
    }
}
