//! The pool limiter in front of services, over a pool that counts.

#[cfg(feature = "http")]
mod responses;

use std::{
    convert::Infallible,
    fmt,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use floodway::{
    Clock, ConnectionError, NestedAcquire, Pool, PoolCause, PoolFailure, PoolLimiter, PoolRejected,
    PoolSnapshot, Pooled, Queue, Registry, Weight,
};
use floodway_metrics::catalogue::pool as metrics;
use floodway_tower::{BoxError, PoolLimitLayer};
use futures::{FutureExt, poll};
use tokio::{
    sync::Semaphore,
    task::yield_now,
    time::{Duration, Instant},
};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_test::mock;

use crate::support::{ms, next_request, served};

/// A pool that always has what it is asked for, and counts.
#[derive(Clone)]
struct CountingPool(Arc<Counts>);

struct Counts {
    max: u32,
    used: AtomicU32,
    most_used: AtomicU32,
}

#[derive(Debug)]
struct Connection;

#[derive(Debug)]
struct Never;

impl fmt::Display for Never {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("never happens")
    }
}

impl std::error::Error for Never {}

impl Pool for CountingPool {
    type Connection = Connection;
    type Error = Never;

    fn snapshot(&self) -> PoolSnapshot {
        let Counts { max, used, .. } = &*self.0;
        let idle = max.saturating_sub(used.load(Ordering::Relaxed));
        PoolSnapshot { max: *max, open: *max, idle, closed: false }
    }

    fn acquire(&self) -> impl Future<Output = Result<Connection, Never>> + Send + 'static {
        let counts = Arc::clone(&self.0);
        async move {
            let used = counts.used.fetch_add(1, Ordering::Relaxed) + 1;
            counts.most_used.fetch_max(used, Ordering::Relaxed);
            Ok(Connection)
        }
    }

    fn release(&self, _: Connection) -> Option<impl Future<Output = ()> + Send + 'static> {
        self.0.used.fetch_sub(1, Ordering::Relaxed);
        None::<std::future::Ready<()>>
    }

    fn failure(_: &Never) -> PoolFailure {
        PoolFailure::Failed
    }
}

/// How long callers of the bench wait: far more than any test takes.
const LONG: Duration = ms(60_000);

struct Bench {
    limiter: PoolLimiter<CountingPool>,
    registry: Registry,
}

impl Bench {
    /// A pool of `max`, behind a queue in which callers wait for 400 ms.
    fn new(max: u32) -> Self {
        let registry = Registry::new();
        let counts = Counts { max, used: AtomicU32::new(0), most_used: AtomicU32::new(0) };
        let limiter = PoolLimiter::builder("db", CountingPool(Arc::new(counts)))
            .queue(Queue::fifo().max_wait(ms(400)))
            .clock(Clock::tokio())
            .registry(&registry)
            .build()
            .expect("a valid description");
        Self { limiter, registry }
    }

    fn layer(&self) -> PoolLimitLayer<CountingPool> {
        PoolLimitLayer::new(self.limiter.clone())
    }

    /// Permits out, callers waiting, connections in use.
    #[track_caller]
    fn check(&self, in_flight: u32, queued: usize, used: u32) {
        let inner = self.limiter.limiter();
        let found =
            (inner.in_flight(), inner.queued(), self.limiter.pool().0.used.load(Ordering::Relaxed));
        assert_eq!(found, (in_flight, queued, used), "in flight, queued, used");
    }

    fn claims(&self) -> Option<f64> {
        self.registry.snapshot().number(&metrics::CLAIMS, &["db"])
    }
}

type Taken = Result<Pooled<CountingPool>, ConnectionError<Never>>;

/// A connection, and how long it took.
async fn timed(limiter: &PoolLimiter<CountingPool>) -> (Taken, Duration) {
    let began = Instant::now();
    let taken = limiter.connection(began + LONG).await;
    (taken, began.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_ready_service_that_is_never_called_holds_nothing() {
    let bench = Bench::new(1);
    let service = bench.layer().layer(service_fn(served));
    let mut idle: Vec<_> = (0..8).map(|_| service.clone()).collect();
    for service in &mut idle {
        service.ready().await.unwrap();
    }
    bench.check(0, 0, 0);
    assert_eq!(idle[3].call(()).await.unwrap(), "served");
    bench.check(0, 0, 0);
}

#[tokio::test(start_paused = true)]
async fn requests_beyond_the_pool_reach_the_service_when_a_claim_ends() {
    let bench = Bench::new(1);
    // The mock panics if it is called without having been ready.
    let (service, mut handle) = mock::pair::<&str, &str>();
    let mut limited = bench.layer().layer(service);
    handle.allow(10);
    let mut first = pin!(limited.ready().await.unwrap().call("first"));
    let mut second = pin!(limited.ready().await.unwrap().call("second"));
    assert!(poll!(&mut first).is_pending() && poll!(&mut second).is_pending());
    let (request, respond) = next_request(&mut handle).await;
    assert_eq!(request, "first");
    bench.check(1, 1, 0);
    assert!(poll!(pin!(handle.next_request())).is_pending(), "the second waits in front");
    respond.send_error("broken");
    // The response future is kept, the claim is not.
    assert_eq!((&mut first).await.unwrap_err().to_string(), "broken");
    assert!(poll!(&mut second).is_pending());
    let (request, respond) = next_request(&mut handle).await;
    assert_eq!(request, "second");
    respond.send_response("done");
    assert_eq!(second.await.unwrap(), "done");
    bench.check(0, 0, 0);
}

/// While somebody waits in the queue, so that every other connection would have to.
#[tokio::test(start_paused = true)]
async fn inside_a_connection_never_waits_for_a_permit_and_one_too_many_is_an_error_at_once() {
    for most in [1, 2, 3] {
        let bench = Bench::new(3);
        let limiter = bench.limiter.clone();
        let pressed = service_fn(move |(): ()| {
            let limiter = limiter.clone();
            async move {
                let outside = limiter.clone();
                let all = tokio::spawn(async move {
                    outside.claim(Weight::Exact(3), Instant::now() + LONG).await.map(drop)
                });
                yield_now().await;
                assert_eq!(limiter.limiter().queued(), 1);
                let mut held = Vec::new();
                for _ in 0..most {
                    let (connection, waited) = timed(&limiter).await;
                    assert_eq!(waited, ms(0));
                    held.push(connection.expect("claimed"));
                }
                let (refused, waited) = timed(&limiter).await;
                let Err(ConnectionError::NestedAcquire(NestedAcquire { weight, .. })) = refused
                else {
                    panic!("not refused: {refused:?}");
                };
                assert_eq!((weight, waited), (most, ms(0)));
                // Given back, it can be taken again.
                held.pop();
                assert!(timed(&limiter).await.0.is_ok());
                drop(held);
                Ok::<_, Infallible>(all)
            }
        });
        let layer = bench.layer().weight(Weight::Exact(most));
        let waiting = layer.layer(pressed).oneshot(()).await.unwrap();
        waiting.await.expect("no panic").expect("after the request");
        bench.check(0, 0, 0);
        assert_eq!(bench.limiter.pool().0.most_used.load(Ordering::Relaxed), most);
    }
}

/// Each request holds a connection and waits for a second one.
#[tokio::test(start_paused = true)]
async fn requests_that_need_two_connections_never_wait_for_each_other() {
    for (weight, expected_at_once) in [(Weight::Exact(2), 2), (Weight::UpTo(2), 4)] {
        let bench = Bench::new(5);
        let (running, most_running) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let service = {
            let (limiter, most_running) = (bench.limiter.clone(), Arc::clone(&most_running));
            service_fn(move |(): ()| {
                let (limiter, running) = (limiter.clone(), Arc::clone(&running));
                let most_running = Arc::clone(&most_running);
                async move {
                    let now = running.fetch_add(1, Ordering::Relaxed) + 1;
                    most_running.fetch_max(now, Ordering::Relaxed);
                    let first = limiter.connection(Instant::now() + LONG).await;
                    tokio::time::sleep(ms(10)).await;
                    let second = limiter.connection(Instant::now() + LONG).await;
                    running.fetch_sub(1, Ordering::Relaxed);
                    Ok::<_, Infallible>(first.is_ok() && second.is_ok())
                }
            })
        };
        let service = bench.layer().weight(weight).layer(service);
        let all = (0..20).map(|_| service.clone().oneshot(()));
        let answers = futures::future::try_join_all(all).await.expect("nobody is refused");
        assert_eq!(answers, [true; 20], "{weight:?}");
        assert_eq!(most_running.load(Ordering::Relaxed), expected_at_once, "{weight:?}");
        bench.check(0, 0, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_an_error_with_the_cause_after_the_longest_wait_of_the_queue() {
    let bench = Bench::new(1);
    // A queue that has never moved refuses nobody before the deadline.
    let held = bench.limiter.connection(Instant::now() + LONG).await.unwrap();
    for (patience, expected) in [(None, 400), (Some(ms(30)), 30), (Some(LONG), 400)] {
        let layer = match patience {
            None => bench.layer(),
            Some(patience) => bench.layer().deadline_in(patience),
        };
        let began = Instant::now();
        let error = layer.layer(service_fn(served)).oneshot(()).await.unwrap_err();
        assert_eq!(began.elapsed(), ms(expected), "{patience:?}");
        let refused = error.downcast_ref::<PoolRejected>().expect("the leaf is there");
        assert!(matches!(refused.cause, PoolCause::PoolHeld { .. }), "{refused:?}");
    }
    drop(held);
    let layer = bench.layer().weight(Weight::Exact(2));
    let error = layer.layer(service_fn(served)).oneshot(()).await.unwrap_err();
    let refused = error.downcast_ref::<PoolRejected>().expect("the leaf is there");
    assert_eq!(refused.cause, PoolCause::Weight { weight: 2, most: 1 });
    bench.check(0, 0, 0);
}

#[tokio::test(start_paused = true)]
async fn one_of_these_layers_inside_another_is_refused_at_once() {
    let bench = Bench::new(4);
    let twice = bench.layer().layer(bench.layer().layer(service_fn(served)));
    let error: BoxError = twice.oneshot(()).now_or_never().expect("at once").unwrap_err();
    assert_eq!(error.downcast_ref::<NestedAcquire>().expect("the leaf is there").weight, 1);
    bench.check(0, 0, 0);
}

#[tokio::test(start_paused = true)]
async fn a_closure_answers_refusals_and_the_error_stays_that_of_the_service() {
    let bench = Bench::new(1);
    let layer = bench.layer().deadline_in(ms(5)).respond(|error: &ConnectionError<Never>| {
        if error.to_string().is_empty() { "" } else { "no" }
    });
    let service = layer.layer(service_fn(served));
    let held = bench.limiter.connection(Instant::now() + LONG).await.unwrap();
    let answer: Result<_, Infallible> = service.clone().oneshot(()).await;
    assert_eq!(answer.unwrap(), "no");
    drop(held);
    assert_eq!(service.oneshot(()).await.unwrap(), "served");
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_gives_back_its_place_or_its_claim() {
    let bench = Bench::new(1);
    let gate = Arc::new(Semaphore::new(0));
    let service = {
        let (limiter, gate) = (bench.limiter.clone(), Arc::clone(&gate));
        service_fn(move |(): ()| {
            let (limiter, gate) = (limiter.clone(), Arc::clone(&gate));
            async move {
                let _connection = limiter.connection(Instant::now() + LONG).await;
                gate.acquire().await.expect("never closed").forget();
                Ok::<_, Infallible>(())
            }
        })
    };
    let service = bench.layer().layer(service);
    let mut running = Box::pin(service.clone().oneshot(()));
    let mut waiting = Box::pin(service.clone().oneshot(()));
    // The connection comes from a task of its own.
    for _ in 0..4 {
        assert!(poll!(&mut running).is_pending() && poll!(&mut waiting).is_pending());
        yield_now().await;
    }
    bench.check(1, 1, 1);
    assert_eq!(bench.claims(), Some(1.0));
    drop(waiting);
    bench.check(1, 0, 1);
    drop(running);
    bench.check(0, 0, 0);
    assert_eq!(bench.claims(), Some(0.0));
    gate.add_permits(1);
    service.oneshot(()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_connection_in_the_response_keeps_what_was_set_aside() {
    let bench = Bench::new(2);
    let limiter = bench.limiter.clone();
    let streams = service_fn(move |(): ()| limiter.connection(Instant::now() + LONG));
    let service = bench.layer().weight(Weight::Exact(2)).layer(streams);
    let body = service.oneshot(()).await.unwrap();
    bench.check(2, 0, 1);
    drop(body);
    bench.check(0, 0, 0);
}

#[tokio::test(start_paused = true)]
async fn a_service_gives_back_what_it_is_made_of() {
    let bench = Bench::new(3);
    let mut limited = bench.layer().layer(service_fn(served));
    assert_eq!(limited.pool().limiter().limit(), 3);
    let _: (&_, &mut _) = (&limited.inner().clone(), limited.inner_mut());
    assert_eq!(limited.into_inner().oneshot(()).await, Ok("served"));
    assert_eq!(bench.claims(), Some(0.0));
}
