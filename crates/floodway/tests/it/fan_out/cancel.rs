//! Dropped after every possible number of polls.

use std::{
    future::{pending, ready},
    num::NonZeroU32,
    sync::Arc,
    task::Poll,
};

use floodway::{
    Chunking, Clock, Limiter, Registry,
    fan_out::{AttemptBudget, FanOutExt, Name, OnStop, Retry},
};
use floodway_metrics::catalogue::fan_out as metrics;
use futures::{FutureExt, StreamExt, stream};
use tokio::{
    task::yield_now,
    time::{advance, sleep},
};

use super::kit::{Count, Gauge, R, limiter, nz, waits};
use crate::support::ms;

/// What a fan-out must leave nothing of.
struct Traces {
    limiter: Limiter,
    registry: Registry,
    inside: Gauge,
    begun: Count,
}

impl Traces {
    fn new() -> Self {
        Self {
            limiter: limiter(|b| b.limit(2)),
            registry: Registry::new(),
            inside: Gauge::default(),
            begun: Count::default(),
        }
    }

    fn name(&self) -> Name {
        Name::in_registry(&self.registry, "cancelled").expect("a name")
    }

    /// Waits, fails at first, and lives until it is dropped.
    fn operation(&self) -> impl Fn(u64) -> Operation + Send + Sync + 'static + use<> {
        let (inside, begun) = (self.inside.clone(), self.begun.clone());
        move |n| {
            let (alive, call) = (inside.enter(), begun.up());
            async move {
                let _alive = alive;
                sleep(ms(n % 3)).await;
                yield_now().await;
                if call % 3 == 1 { Err(n) } else { Ok(n) }
            }
            .boxed()
        }
    }

    #[track_caller]
    fn check(&self, polls: usize) {
        let limiter = &self.limiter;
        assert_eq!(self.inside.now(), 0, "alive after {polls} polls");
        assert_eq!((limiter.in_flight(), limiter.queued()), (0, 0), "after {polls} polls");
        let snapshot = self.registry.snapshot();
        for metric in [&metrics::IN_FLIGHT_ITEMS, &metrics::RUNNING_CALLS] {
            assert_eq!(snapshot.number(metric, &["cancelled"]), Some(0.0), "after {polls} polls");
        }
    }
}

type Operation = futures::future::BoxFuture<'static, Result<u64, u64>>;

/// Polls `fan_out` for every number of times until it is ready, and drops it then.
async fn dropped_everywhere<F: Future>(settles_at_once: bool, fan_out: impl Fn(&Traces) -> F) {
    for most in 0.. {
        let traces = Traces::new();
        let mut running = Box::pin(fan_out(&traces));
        let mut over = false;
        for _ in 0..most {
            over = futures::poll!(running.as_mut()).is_ready();
            if over {
                traces.check(most);
                break;
            }
            advance(ms(1)).await;
        }
        drop(running);
        if !settles_at_once {
            // Workers drop what they have when they are polled next.
            for _ in 0..20 {
                yield_now().await;
            }
        }
        traces.check(most);
        if over {
            assert!(most > 5, "ready after {most} polls");
            return;
        }
        assert!(most < 1000, "it does not end");
    }
}

fn retry() -> Retry<floodway::fan_out::Always> {
    let budget = AttemptBudget::new(1.0, 100).expect("a ratio");
    let attempts = NonZeroU32::new(3).expect("not zero");
    Retry::up_to(attempts).backoff(ms(1), ms(1)).hedge_after(ms(1)).budget(&budget)
}

macro_rules! everything {
    ($traces:expr, $source:expr) => {
        $source
            .fan_out($traces.operation())
            .name(&$traces.name())
            .clock(Clock::tokio())
            .concurrency(nz(3))
            .buffer(1)
            .limiter(&$traces.limiter)
            .limit_per_key(|n| n % 4, nz(1))
            .weight(|n| 1 + (*n == 5) as u32)
            .attempts(retry())
    };
}

#[tokio::test(start_paused = true)]
async fn in_task() {
    dropped_everywhere(true, |t| everything!(t, 0..12_u64).in_task().collect()).await;
    let slow = || stream::iter(0..12_u64).then(|n| sleep(ms(1)).map(move |()| n));
    dropped_everywhere(true, |t| everything!(t, slow()).in_task().collect()).await;
    dropped_everywhere(true, |t| {
        everything!(t, 0..12_u64).in_task().ordered().for_each(|_| sleep(ms(2)))
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn spawned() {
    dropped_everywhere(false, |t| everything!(t, 0..12_u64).collect()).await;
    let slow = || stream::iter(0..12_u64).then(|n| sleep(ms(1)).map(move |()| n));
    dropped_everywhere(false, |t| everything!(t, slow().boxed()).collect()).await;
    dropped_everywhere(false, |t| everything!(t, 0..12_u64).ordered().for_each(|_| sleep(ms(2))))
        .await;
    dropped_everywhere(false, |t| {
        everything!(t, 0..12_u64).timeout(ms(10)).on_stop(OnStop::Drain(ms(3))).collect()
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn spawned_for_each_item() {
    dropped_everywhere(false, |t| everything!(t, 0..12_u64).spawn_each().collect()).await;
}

#[tokio::test(start_paused = true)]
async fn in_chunks() {
    for chunking in [Chunking::Adaptive, Chunking::Fixed(nz(3))] {
        dropped_everywhere(false, |t| {
            (0..30_u64)
                .fan_out(t.operation())
                .name(&t.name())
                .concurrency(nz(2))
                .chunks(chunking)
                .collect()
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_loses_no_outcome_when_its_next_is_dropped() {
    let mut outcomes = (0..20_u64)
        .fan_out(|n| async move {
            sleep(ms(n % 3)).await;
            Ok::<_, u64>(n)
        })
        .concurrency(nz(2))
        .buffer(1)
        .ordered()
        .stream();
    let mut seen = Vec::new();
    loop {
        match futures::poll!(Box::pin(outcomes.next())) {
            Poll::Ready(Some(outcome)) => seen.push(outcome.index),
            Poll::Ready(None) => break,
            Poll::Pending => advance(ms(1)).await,
        }
        ready(()).await;
    }
    assert_eq!(seen, Vec::from_iter(0..20));
}

// Drop of a spawned fan-out at a gate: nothing leaks.
#[tokio::test(start_paused = true)]
async fn who_waits_for_room_or_keys_is_gone_as_well() {
    let gauge = Gauge::default();
    for keyed in [false, true] {
        let held = Arc::new(gauge.enter());
        let h = held.clone();
        let f = (0..1000_u32)
            .fan_out(move |n| {
                let h = h.clone();
                async move {
                    let _h = h;
                    sleep(ms(u64::from(n))).await;
                    R::Ok(n)
                }
            })
            .concurrency(nz(4))
            .buffer(1);
        drop(held);
        if keyed {
            let mut f = f.limit_per_key(|n| n % 2, nz(1)).lookahead(1).collect();
            assert!(waits(&mut f).await);
            sleep(ms(50)).await;
            drop(f);
        } else {
            let mut f = Box::pin(f.for_each(|_| pending()));
            assert!(waits(&mut f).await);
            sleep(ms(50)).await;
            assert!(waits(&mut f).await);
            sleep(ms(50)).await;
            drop(f);
        }
        sleep(ms(1)).await;
        assert_eq!(gauge.now(), 0, "keyed {keyed}");
    }
}

#[tokio::test(start_paused = true)]
async fn before_the_first_poll_nothing_begins() {
    // An end that is dropped before it was polled does nothing.
    let calls = Count::default();
    let c = calls.clone();
    drop(
        (0..3_u32)
            .fan_out(move |n| {
                c.up();
                async move { R::Ok(n) }
            })
            .collect(),
    );
    sleep(ms(10)).await;
    assert_eq!(calls.get(), 0);
}
