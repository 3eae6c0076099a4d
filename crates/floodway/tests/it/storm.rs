//! Operations that are cancelled, panic, fail and succeed at random, on several threads: 40,000 of
//! them, or as many as `FLOODWAY_STORM` says.

use std::{
    future::pending,
    panic::{AssertUnwindSafe, resume_unwind},
    task::Poll,
    thread,
    time::Duration,
};

use floodway::{
    Batcher, Limiter, Outcome, Priority, Queue, Registry,
    fan_out::{FanOutExt, Name},
};
use floodway_metrics::{Snapshot, catalogue};
use futures::{FutureExt, future::poll_immediate, poll};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::{runtime, task::yield_now, time::timeout};

const THREADS: u64 = 4;
/// At a time on each thread.
const LANES: usize = 4;

fn operations() -> u64 {
    let number = std::env::var("FLOODWAY_STORM").ok();
    number.map_or(40_000, |number| number.parse().expect("FLOODWAY_STORM is a number"))
}

/// A panic that nobody reports on the way: the hook of the process is not called.
fn quiet_panic() -> ! {
    resume_unwind(Box::new("on purpose"))
}

/// One operation that ends in one of many ways.
async fn operate(limiter: &Limiter, random: &mut StdRng) {
    let kind = random.random_range(0..8);
    let waits = random.random_range(0..3);
    let acquire = floodway::Acquire::new()
        .priority(if random.random() { Priority::High } else { Priority::Low })
        .weight(random.random_range(1..=2));
    match kind {
        // Cancelled while it waits, or with a permit that nobody got to see.
        0 | 1 => {
            let mut asked = Box::pin(limiter.acquire_with(acquire));
            for _ in 0..waits {
                if poll!(&mut asked).is_ready() {
                    return;
                }
                yield_now().await;
            }
        }
        // Cancelled while it runs.
        2 => {
            let _ = poll_immediate(limiter.run(pending::<()>())).await;
        }
        // Panics while it runs.
        3 => {
            let run = limiter.run(async { quiet_panic() });
            let ended: Result<Result<(), _>, _> = AssertUnwindSafe(run).catch_unwind().await;
            drop(ended);
        }
        // Panics with a permit in hand.
        4 => {
            if let Ok(permit) = limiter.try_acquire() {
                let held = AssertUnwindSafe(async move {
                    let _permit = permit;
                    quiet_panic()
                });
                let ended: Result<(), _> = held.catch_unwind().await;
                assert!(ended.is_err());
            }
        }
        // Ends as it should.
        _ => {
            if let Ok(permit) = limiter.acquire_with(acquire).await {
                for _ in 0..waits {
                    yield_now().await;
                }
                let outcome = [Outcome::Success, Outcome::Overload, Outcome::Ignore][waits];
                permit.complete(outcome);
            }
        }
    }
}

/// What counts things that are there now, which nothing is at rest. Limits, estimates and the like
/// are no such counts.
fn counts_at_rest(snapshot: &Snapshot) -> Vec<(String, f64)> {
    let now = [
        &catalogue::limiter::IN_FLIGHT,
        &catalogue::limiter::QUEUED,
        &catalogue::fan_out::RUNNING_CALLS,
        &catalogue::fan_out::IN_FLIGHT_ITEMS,
        &catalogue::batcher::QUEUED,
        &catalogue::batcher::IN_FLIGHT,
    ];
    now.iter()
        .filter_map(|metric| Some((metric.name.to_owned(), snapshot.number(metric, &[])?)))
        .collect()
}

#[test]
fn whatever_ends_at_random_leaves_every_gauge_at_zero() {
    let registry = Registry::new();
    let queue = Queue::fifo().capacity(8).max_wait(Duration::from_millis(1));
    let limiter = Limiter::builder("storm").limit(9).queue(queue).registry(&registry);
    let limiter = limiter.build().unwrap();
    thread::scope(|scope| {
        for seed in 0..THREADS {
            let limiter = &limiter;
            scope.spawn(move || {
                let runtime = runtime::Builder::new_current_thread().enable_time().build().unwrap();
                let mut random = StdRng::seed_from_u64(seed);
                // Several at a time on each thread, so that they wait for each other.
                let each = operations() / THREADS / LANES as u64;
                let seeds: Vec<u64> = (0..LANES).map(|_| random.random()).collect();
                let lanes = seeds.into_iter().map(async |seed| {
                    let mut random = StdRng::seed_from_u64(seed);
                    for _ in 0..each {
                        operate(limiter, &mut random).await;
                    }
                });
                runtime.block_on(futures::future::join_all(lanes));
            });
        }
    });
    let snapshot = registry.snapshot();
    for (name, value) in counts_at_rest(&snapshot) {
        assert_eq!(value, 0.0, "{name}");
    }
    let total = |metric| snapshot.number(metric, &["storm"]).unwrap();
    let acquired = total(&catalogue::limiter::ACQUIRED);
    assert_eq!(acquired, total(&catalogue::limiter::COMPLETED));
    assert!(acquired > operations() as f64 / 10.0, "{acquired}");
    assert_eq!(limiter.in_flight(), 0);
    let held = snapshot.histogram(&catalogue::limiter::HOLD_DURATION, &["storm"]).unwrap();
    assert_eq!(held.count() as f64, acquired);
}

/// The same for what is built on limiters: calls of batchers and fan-outs, dropped at any poll,
/// whose functions panic now and then.
#[test]
fn batches_and_fan_outs_that_end_at_random_leave_every_gauge_at_zero() {
    let registry = Registry::new();
    let runtime = runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build();
    runtime.unwrap().block_on(async {
        let batcher = Batcher::builder("storm")
            .registry(&registry)
            .build(async |items: Vec<u32>| {
                yield_now().await;
                if items.contains(&13) {
                    quiet_panic();
                }
                Ok::<_, String>(items.into_iter().map(Ok::<_, String>).collect())
            })
            .unwrap();
        let name = Name::in_registry(&registry, "storm").unwrap();
        let mut random = StdRng::seed_from_u64(7);
        for _ in 0..operations() / 20 {
            let polls = random.random_range(0..6);
            let item = random.random_range(0..40);
            let mut call = Box::pin(batcher.call(item));
            let fan_out = (0..random.random_range(0..9u32))
                .fan_out(async |item: u32| {
                    yield_now().await;
                    if item == 8 {
                        quiet_panic();
                    }
                    Ok::<_, String>(item)
                })
                .name(&name);
            let mut fan_out = Box::pin(fan_out.collect());
            for _ in 0..polls {
                let ends = (poll!(&mut call), poll!(&mut fan_out));
                if let (Poll::Ready(_), _) | (_, Poll::Ready(_)) = ends {
                    break;
                }
                yield_now().await;
            }
        }
        // What was left behind ends by itself; at rest nothing is there.
        let rest = async {
            while counts_at_rest(&registry.snapshot()).iter().any(|(_, value)| *value != 0.0) {
                yield_now().await;
            }
        };
        let rested = timeout(Duration::from_secs(20), rest).await;
        assert!(rested.is_ok(), "{:?}", counts_at_rest(&registry.snapshot()));
        let snapshot = registry.snapshot();
        let total = |metric| snapshot.number(metric, &["storm"]).unwrap();
        assert!(total(&catalogue::batcher::BATCHES) > 0.0);
        assert!(total(&catalogue::fan_out::CALLS) > operations() as f64 / 40.0);
    });
}
