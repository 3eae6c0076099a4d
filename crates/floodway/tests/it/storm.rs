//! Operations that are cancelled, panic, fail and succeed at random, on several threads: 40,000 of
//! them, or as many as `FLOODWAY_STORM` says.

use std::{
    future::pending,
    mem,
    panic::{AssertUnwindSafe, resume_unwind},
    task::Poll,
    thread,
    time::Duration,
};

use floodway::{
    Batcher, Limiter, Outcome, PoolLimiter, Priority, Queue, Registry, Weight,
    fan_out::{FanOutExt, Name},
};
use floodway_metrics::{
    Metric, Snapshot,
    catalogue::{batcher, fan_out, limiter, pool},
};
use futures::{
    FutureExt,
    future::{BoxFuture, poll_immediate},
    poll,
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::{
    runtime,
    task::yield_now,
    time::{Instant, timeout},
};

use crate::pool::kit::FakePool;

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

/// A metric of a component called `storm`, and the values of its other labels.
type Gauge = (&'static Metric, &'static [&'static str]);

/// What counts things that are there now, which nothing is at rest. Limits, estimates and the like
/// are no such counts.
const OF_LIMITERS: [Gauge; 2] = [(&limiter::IN_FLIGHT, &[]), (&limiter::QUEUED, &[])];
const OF_FAN_OUTS: [Gauge; 2] = [(&fan_out::RUNNING_CALLS, &[]), (&fan_out::IN_FLIGHT_ITEMS, &[])];
const OF_BATCHERS: [Gauge; 2] = [(&batcher::QUEUED, &[]), (&batcher::IN_FLIGHT, &[])];
const OF_POOLS: [Gauge; 4] = [
    (&pool::CONNECTIONS, &["used"]),
    (&pool::PENDING_REQUESTS, &[]),
    (&pool::CLAIMS, &[]),
    (&pool::OLDEST_HOLD, &[]),
];

/// Those of `gauges` that are not zero.
fn restless(
    snapshot: &Snapshot,
    gauges: impl IntoIterator<Item = Gauge>,
) -> Vec<(&'static str, f64)> {
    let numbers = gauges.into_iter().map(|(metric, labels)| {
        let labels = [&["storm"], labels].concat();
        let number = snapshot.number(metric, &labels);
        (metric.name, number.unwrap_or_else(|| panic!("{} {labels:?} is not there", metric.name)))
    });
    numbers.filter(|(_, number)| *number != 0.0).collect()
}

/// Uses a connection, or a claim to several.
async fn use_connections(pool: PoolLimiter<FakePool>, seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let deadline = Instant::now() + Duration::from_secs(20);
    if random.random() {
        let _held = pool.connection(deadline).await;
        yield_now().await;
        return;
    }
    let most = random.random_range(1..=3);
    let weight = if random.random() { Weight::Exact(most) } else { Weight::UpTo(most) };
    if let Ok(claim) = pool.claim(weight, deadline).await {
        let mut held = Vec::new();
        for _ in 0..most {
            held.push(claim.connection(deadline).await);
            yield_now().await;
        }
    }
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
    assert_eq!(restless(&snapshot, OF_LIMITERS), []);
    let total = |metric| snapshot.number(metric, &["storm"]).unwrap();
    let acquired = total(&limiter::ACQUIRED);
    assert_eq!(acquired, total(&limiter::COMPLETED));
    assert!(acquired > operations() as f64 / 10.0, "{acquired}");
    assert_eq!(limiter.in_flight(), 0);
    let held = snapshot.histogram(&limiter::HOLD_DURATION, &["storm"]).unwrap();
    assert_eq!(held.count() as f64, acquired);
}

/// The same for what is built on limiters: calls of batchers and fan-outs, dropped at any poll,
/// whose functions panic now and then, and connections and claims of a pool that is too small.
#[test]
fn batches_fan_outs_and_connections_that_end_at_random_leave_every_gauge_at_zero() {
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
        let connections = PoolLimiter::builder("storm", FakePool::new(3)).registry(&registry);
        let connections = connections.build().unwrap();
        // Several at a time, so that they wait for each other.
        let mut crowd: Vec<BoxFuture<'_, ()>> = Vec::new();
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
            let pool_user = use_connections(connections.clone(), random.random());
            crowd.push(Box::pin(pool_user));
            for _ in 0..polls {
                let ends = (poll!(&mut call), poll!(&mut fan_out));
                if let (Poll::Ready(_), _) | (_, Poll::Ready(_)) = ends {
                    break;
                }
                yield_now().await;
            }
            for mut one in mem::take(&mut crowd) {
                if poll!(&mut one).is_pending() && random.random_range(0..8) > 0 {
                    crowd.push(one);
                }
            }
        }
        drop(crowd);
        // What was left behind ends by itself; at rest nothing is there.
        let expected =
            || [OF_LIMITERS, OF_FAN_OUTS, OF_BATCHERS].into_iter().flatten().chain(OF_POOLS);
        let rest = async {
            while !restless(&registry.snapshot(), expected()).is_empty() {
                yield_now().await;
            }
        };
        let rested = timeout(Duration::from_secs(20), rest).await;
        assert!(rested.is_ok(), "{:?}", restless(&registry.snapshot(), expected()));
        let snapshot = registry.snapshot();
        let total = |metric| snapshot.number(metric, &["storm"]).unwrap();
        assert!(total(&batcher::BATCHES) > 0.0);
        let queued = snapshot.number(&limiter::ACQUIRED, &["storm", "queued"]).unwrap();
        assert!(queued > operations() as f64 / 400.0, "{queued} waited for a connection");
        assert!(total(&fan_out::CALLS) > operations() as f64 / 40.0);
    });
}
