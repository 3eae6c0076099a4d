//! Fan-outs: one outcome for every item, bounded, whatever happens.

mod attempts;
mod cancel;
mod chunks;
mod ends;
mod handle;
mod keys;
mod kit;
mod limits;
mod memory;
mod metrics;
mod nested;
mod panics;
mod pitfalls;
mod property;
mod runtime;
mod shapes;
mod sources;
mod time;

use std::{
    convert::Infallible,
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use floodway::{
    Clock, Limiter, Registry,
    fan_out::{ErrorPolicy, FanOutExt, ItemError, OnStop, StopReason},
};
use futures::{StreamExt, stream};
use tokio::time::sleep;

use crate::support::ms;

fn nz(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).expect("not zero")
}

/// Counts who is inside, and the most that ever were.
#[derive(Clone, Default)]
struct Gauge(Arc<(AtomicUsize, AtomicUsize)>);

impl Gauge {
    fn enter(&self) -> Inside {
        let now = self.0.0.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.1.fetch_max(now, Ordering::SeqCst);
        Inside(self.clone())
    }

    fn most(&self) -> usize {
        self.0.1.load(Ordering::SeqCst)
    }

    fn now(&self) -> usize {
        self.0.0.load(Ordering::SeqCst)
    }
}

struct Inside(Gauge);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[tokio::test(start_paused = true)]
async fn every_item_has_one_outcome_by_index_within_the_concurrency() {
    let gauge = Gauge::default();
    let inside = gauge.clone();
    let report = (0..100_u64)
        .fan_out(move |n| {
            let inside = inside.clone();
            async move {
                let _inside = inside.enter();
                sleep(ms(n % 7)).await;
                if n % 10 == 3 { Err(n) } else { Ok(n * 2) }
            }
        })
        .concurrency(nz(8))
        .clock(Clock::tokio())
        .collect()
        .await;
    assert_eq!(report.stop, StopReason::Completed);
    assert_eq!(report.outcomes.len(), 100);
    for (index, outcome) in report.outcomes.iter().enumerate() {
        assert_eq!(outcome.index, index);
        match &outcome.result {
            Ok(value) => assert_eq!(*value, index as u64 * 2),
            Err(ItemError::Failed(n)) => assert!(n % 10 == 3),
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!((gauge.most(), gauge.now()), (8, 0));
    assert_eq!(report.stats.counts.failed, 10);
    assert_eq!(report.stats.width, 8);
}

#[tokio::test(start_paused = true)]
async fn in_task_borrows() {
    let words = [String::from("a"), String::from("bb"), String::from("ccc")];
    let local = std::rc::Rc::new(1);
    let report = words
        .iter()
        .fan_out(|word| {
            let local = std::rc::Rc::clone(&local);
            async move {
                sleep(ms(10 - word.len() as u64)).await;
                Ok::<_, Infallible>(word.len() + *local)
            }
        })
        .in_task()
        .concurrency(nz(2))
        .try_collect()
        .await;
    assert_eq!(report.expect("none fails"), [2, 3, 4]);
}

#[tokio::test(start_paused = true)]
async fn streams_are_sources_and_outcomes_stream() {
    let mut outcomes = stream::iter(0..50_u32)
        .then(|n| async move {
            sleep(ms(1)).await;
            n
        })
        .fan_out(|n| async move {
            sleep(ms(u64::from(50 - n))).await;
            Ok::<_, Infallible>(n)
        })
        .concurrency(nz(4))
        .ordered()
        .stream();
    let mut next = 0;
    while let Some(outcome) = outcomes.next().await {
        assert_eq!(outcome.index, next);
        next += 1;
    }
    assert_eq!(next, 50);
    assert_eq!(outcomes.summary().expect("it is over").stop, StopReason::Completed);
}

#[tokio::test(start_paused = true)]
async fn blocking_runs_plain_functions() {
    let values = (0..100_u32)
        .fan_out(|n| if n == 1000 { Err("no") } else { Ok(n + 1) })
        .blocking()
        .try_collect()
        .await;
    assert_eq!(values.expect("none fails").len(), 100);
}

#[tokio::test(start_paused = true)]
async fn spawn_each_isolates() {
    let report = (0..10_u32)
        .fan_out(|n| async move {
            tokio::task::yield_now().await;
            assert!(n != 5, "five");
            Ok::<_, Infallible>(n)
        })
        .spawn_each()
        .collect()
        .await;
    assert_eq!(report.stats.counts.panicked, 1);
    assert_eq!(report.stats.counts.succeeded, 9);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_gives_partial_results() {
    for in_task in [false, true] {
        let gauge = Gauge::default();
        let inside = gauge.clone();
        let fan_out = (0..10_u64)
            .fan_out(move |n| {
                let inside = inside.enter();
                async move {
                    let _inside = inside;
                    sleep(ms(n * 100)).await;
                    Ok::<_, Infallible>(n)
                }
            })
            .concurrency(nz(5))
            .timeout(ms(250));
        let report =
            if in_task { fan_out.in_task().collect().await } else { fan_out.collect().await };
        assert_eq!(report.stop, StopReason::Deadline);
        assert_eq!(gauge.now(), 0, "in task {in_task}");
        let counts = report.stats.counts;
        assert_eq!((counts.succeeded, counts.cancelled, counts.not_started), (3, 5, 2));
    }
}

#[tokio::test(start_paused = true)]
async fn a_shared_limiter_bounds_all_fan_outs_together() {
    let registry = Registry::new();
    let limiter = Limiter::builder("shared").limit(3).registry(&registry).build().expect("valid");
    let gauge = Gauge::default();
    let run = |in_task: bool| {
        let (inside, limiter) = (gauge.clone(), limiter.clone());
        async move {
            let fan_out = (0..30_u64)
                .fan_out(move |n| {
                    let inside = inside.enter();
                    async move {
                        let _inside = inside;
                        sleep(ms(5 + n % 3)).await;
                        Ok::<_, Infallible>(n)
                    }
                })
                .limiter(&limiter);
            if in_task {
                fan_out.in_task().try_collect().await.expect("none fails").len()
            } else {
                fan_out.try_collect().await.expect("none fails").len()
            }
        }
    };
    let all = tokio::join!(run(false), run(true), run(false));
    assert_eq!(all, (30, 30, 30));
    assert_eq!(gauge.most(), 3);
    assert_eq!(limiter.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn fail_fast_returns_after_the_children_are_gone() {
    let gauge = Gauge::default();
    let inside = gauge.clone();
    let error = (0..1000_u64)
        .fan_out(move |n| {
            let inside = inside.enter();
            async move {
                let _inside = inside;
                sleep(ms(10 + n)).await;
                if n == 3 { Err("three") } else { Ok(n) }
            }
        })
        .concurrency(nz(8))
        .on_stop(OnStop::Abort)
        .on_error(ErrorPolicy::FailFast)
        .try_collect()
        .await
        .expect_err("three fails");
    assert_eq!(error.first, Some(3));
    assert!(matches!(error.first(), Some(ItemError::Failed("three"))));
    assert_eq!(gauge.now(), 0);
    assert_eq!(error.report.outcomes.len(), 1000);
    assert_eq!(
        error.to_string(),
        "too many items failed: 3 of 1000 items succeeded, item 3 failed first"
    );
}

#[tokio::test(start_paused = true)]
async fn a_started_fan_out_takes_pushes_until_it_is_joined() {
    let running = std::iter::empty::<u32>()
        .fan_out(|n| async move {
            sleep(ms(1)).await;
            Ok::<_, Infallible>(n)
        })
        .start();
    for n in 0..10 {
        running.push(n).expect("it runs");
    }
    sleep(Duration::from_secs(1)).await;
    assert_eq!(running.progress().done(), 10);
    running.push(10).expect("it runs");
    let handle = running.handle().clone();
    let report = running.join().await;
    assert_eq!(report.outcomes.len(), 11);
    assert_eq!(handle.progress().done(), 11);
}
