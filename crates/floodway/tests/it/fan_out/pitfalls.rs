//! What goes wrong in other fan-outs, one test for each: `docs/guides/fan-out.md` has the list.

use std::{
    future::{pending, poll_fn, ready},
    sync::{Arc, Mutex},
};

use floodway::{
    Clock, Limiter, Registry,
    fan_out::{FanOutExt, ItemError, Name},
};
use floodway_metrics::catalogue::fan_out as metrics;
use futures::{FutureExt, StreamExt, stream};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};

use super::kit::{Count, Gauge, R, ends, limiter, nz, panics, waits};
use crate::support::ms;

#[tokio::test(start_paused = true)]
async fn pitfall_1_items_go_on_while_the_consumer_works() {
    let times = Arc::new(Mutex::new(Vec::new()));
    let fan_out = |_: usize| {
        let times = Arc::clone(&times);
        (0..100_u32)
            .fan_out(move |n| {
                let times = Arc::clone(&times);
                async move {
                    let began = Instant::now();
                    for _ in 0..4 {
                        sleep(ms(6)).await;
                    }
                    times.lock().unwrap().push(began.elapsed());
                    R::Ok(n)
                }
            })
            .concurrency(nz(8))
    };
    let mut outcomes = fan_out(0).stream();
    while ends(outcomes.next()).await.is_some() {
        sleep(ms(20)).await;
    }
    let _ = ends(fan_out(1).in_task().for_each(|_| sleep(ms(20)))).await;
    let _ = ends(fan_out(2).for_each(|_| sleep(ms(20)))).await;
    let times = times.lock().unwrap();
    assert_eq!(times.len(), 300);
    assert!(times.iter().all(|time| *time == ms(24)), "{:?}", times.iter().max());
}

#[tokio::test(start_paused = true)]
async fn pitfall_2_whoever_holds_a_permit_is_polled() {
    let limiter = limiter(|b| b.limit(1));
    let own = || async {
        let _permit = limiter.acquire().await.expect("it is busy for a moment only");
        sleep(ms(5)).await;
    };
    let fan_out = || {
        let operation = |n| async move {
            sleep(ms(10)).await;
            R::Ok(n)
        };
        (0..20_u32).fan_out(operation).limiter(&limiter).concurrency(nz(4))
    };
    let _ = ends(fan_out().in_task().for_each(|_| own())).await;
    let _ = ends(fan_out().for_each(|_| own())).await;
    let mut outcomes = fan_out().stream();
    while ends(outcomes.next()).await.is_some() {
        let _ = ends(own()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn pitfall_3_nested_fan_outs_share_a_limit_of_one() {
    let limiter = limiter(|b| b.limit(1));
    let inner = limiter.clone();
    let operation = move |n| {
        let inner = inner.clone();
        async move {
            let below = (0..3_u32).fan_out(|m| sleep(ms(1)).map(move |()| R::Ok(m)));
            let values = below.limiter(&inner).try_collect().await;
            R::Ok(values.expect("none fails").len() + n)
        }
    };
    let values = ends((0..3_usize).fan_out(operation).limiter(&limiter).try_collect()).await;
    assert_eq!(values.expect("none fails"), [3, 4, 5]);
}

#[tokio::test(start_paused = true)]
async fn pitfall_4_a_permit_comes_before_the_pull_and_the_future() {
    for in_task in [false, true] {
        let limiter = limiter(|b| b.limit(1));
        let source = stream::iter([1_u32]).chain(stream::pending());
        let fan_out = source.fan_out(|n| async move { R::Ok(n) }).limiter(&limiter);
        let mut running = if in_task {
            fan_out.in_task().for_each(|_| ready(())).boxed_local()
        } else {
            fan_out.for_each(|_| ready(())).boxed_local()
        };
        assert!(waits(&mut running).await);
        sleep(ms(10)).await;
        assert!(waits(&mut running).await);
        assert_eq!(limiter.in_flight(), 0, "the source gives nothing, in task {in_task}");

        let fan_out = (0..100_u32).fan_out(|n| async move { R::Ok(n) });
        let fan_out = fan_out.limiter(&limiter).concurrency(nz(2)).buffer(1);
        let mut running = if in_task {
            fan_out.in_task().for_each(|_| pending()).boxed_local()
        } else {
            fan_out.for_each(|_| pending()).boxed_local()
        };
        for _ in 0..5 {
            assert!(waits(&mut running).await);
            sleep(ms(10)).await;
        }
        assert_eq!(limiter.in_flight(), 0, "the consumer takes nothing, in task {in_task}");
    }
}

#[tokio::test(start_paused = true)]
async fn pitfall_5_a_spent_budget_polls_nothing_in_vain() {
    let polls = Count::default();
    let counted = polls.clone();
    let operation = move |n: u32| {
        let (sender, mut receiver) = mpsc::channel(8);
        for _ in 0..8 {
            sender.try_send(n).expect("there is room");
        }
        let counted = counted.clone();
        async move {
            let _sender = sender;
            let mut receiving = Box::pin(async move {
                for _ in 0..8 {
                    receiver.recv().await;
                }
            });
            poll_fn(|context| {
                counted.up();
                receiving.as_mut().poll(context)
            })
            .await;
            R::Ok(n)
        }
    };
    let report = ends((0..1000).fan_out(operation).in_task().concurrency(nz(256)).collect()).await;
    assert!(report.is_complete());
    // Each needs one poll, and a budget of 128 lets 16 of them through at a time.
    assert!(polls.get() <= 2500, "{} polls of 1000 items", polls.get());
}

#[tokio::test(start_paused = true)]
async fn pitfall_6_the_window_is_filled_on_every_end() {
    let operation = |n: u64| async move {
        sleep(ms(if n == 0 { 100 } else { 10 })).await;
        R::Ok(n)
    };
    let fan_out = || (0..11_u64).fan_out(operation).concurrency(nz(2)).buffer(20).ordered();
    let began = Instant::now();
    let _ = ends(fan_out().for_each(|_| ready(()))).await;
    assert_eq!(began.elapsed(), ms(100), "spawned");
    let began = Instant::now();
    let _ = ends(fan_out().in_task().for_each(|_| ready(()))).await;
    assert_eq!(began.elapsed(), ms(100), "in task");
}

#[tokio::test(start_paused = true)]
async fn pitfall_7_no_limit_is_zero_and_unbounded_is_spelt_out() {
    assert!(Limiter::builder("none").limit(0).registry(&Registry::new()).build().is_err());
    let began = Instant::now();
    let slow = |n| sleep(ms(10)).map(move |()| R::Ok(n));
    let fan_out = || (0..500_u32).fan_out(slow).unbounded();
    assert_eq!(ends(fan_out().collect()).await.stats.width, 500);
    assert_eq!(ends(fan_out().in_task().collect()).await.stats.width, 500);
    assert_eq!(began.elapsed(), ms(20));
}

#[tokio::test(start_paused = true)]
async fn pitfall_8_every_end_is_bounded() {
    let gauge = Gauge::default();
    let make = || {
        let gauge = gauge.clone();
        let operation = move |n: u32| {
            let inside = gauge.enter();
            async move {
                let _inside = inside;
                sleep(ms(1)).await;
                R::Ok(n)
            }
        };
        (0..100_u32).fan_out(operation).concurrency(nz(4))
    };
    let _ = ends(make().collect()).await;
    ends(make().try_collect()).await.expect("none fails");
    let _ = ends(make().for_each(|_| ready(()))).await;
    let _ = ends(make().fold((), |(), _| ready(()))).await;
    ends(make().first_ok()).await.expect("none fails");
    ends(make().quorum(nz(50))).await.expect("none fails");
    let _ = ends(make().stream().for_each(|_| ready(()))).await;
    let _ = ends(make().start().join()).await;
    let _ = ends(make().spawn_each().collect()).await;
    let _ = ends(make().in_task().collect()).await;
    let _ = ends(make().in_task().for_each(|_| ready(()))).await;
    let _ = ends(make().in_task().stream_lazy().for_each(|_| ready(()))).await;
    assert_eq!((gauge.most(), gauge.now()), (4, 0));
}

#[tokio::test(start_paused = true)]
async fn pitfall_9_fail_fast_does_not_wait_for_the_slow_head() {
    for in_task in [false, true] {
        let gauge = Gauge::default();
        let entering = gauge.clone();
        let operation = move |n: u64| {
            let inside = entering.enter();
            async move {
                let _inside = inside;
                sleep(ms(if n == 63 { 10 } else { 10_000 })).await;
                if n == 63 { Err(n) } else { Ok(n) }
            }
        };
        let fan_out = (0..64_u64).fan_out(operation).concurrency(nz(64));
        let began = Instant::now();
        let result = if in_task {
            ends(fan_out.in_task().try_collect()).await
        } else {
            ends(fan_out.try_collect()).await
        };
        assert_eq!(result.expect_err("63 fails").first, Some(63));
        assert_eq!((began.elapsed(), gauge.now()), (ms(10), 0), "in task {in_task}");
    }
}

#[tokio::test(start_paused = true)]
async fn pitfall_10_stopped_means_gone() {
    let gauge = Gauge::default();
    let entering = gauge.clone();
    let operation = move |n: u64| {
        let inside = entering.enter();
        async move {
            let _inside = inside;
            sleep(ms(1_000 + n)).await;
            R::Ok(n)
        }
    };
    let running = (0..100_u64).fan_out(operation.clone()).spawn_each().start();
    sleep(ms(10)).await;
    assert_eq!(gauge.now(), 16);
    let _ = ends(running.shutdown()).await;
    assert_eq!(gauge.now(), 0);
    let _ = ends((0..100_u64).fan_out(operation).timeout(ms(10)).collect()).await;
    assert_eq!(gauge.now(), 0);
}

#[tokio::test(start_paused = true)]
async fn pitfall_11_no_permit_is_lost_to_a_panic_or_a_cancel() {
    let limiter = limiter(|b| b.limit(3));
    let operation = |n: u32| {
        if n.is_multiple_of(5) {
            panics();
        }
        async move {
            sleep(ms(u64::from(n))).await;
            if n % 5 == 1 {
                panics();
            }
            R::Ok(n)
        }
    };
    let fan_out = || (0..40_u32).fan_out(operation).limiter(&limiter);
    assert_eq!(ends(fan_out().collect()).await.stats.counts.panicked, 16);
    assert_eq!(ends(fan_out().in_task().collect()).await.stats.counts.panicked, 16);
    assert_eq!(ends(fan_out().spawn_each().collect()).await.stats.counts.panicked, 16);
    assert_eq!(limiter.in_flight(), 0);
    let mut cancelled = fan_out().collect();
    assert!(waits(&mut cancelled).await);
    sleep(ms(30)).await;
    assert_eq!(limiter.in_flight(), 3);
    drop(cancelled);
    sleep(ms(1)).await;
    assert_eq!((limiter.in_flight(), limiter.queued()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn pitfall_12_a_panic_is_an_outcome_that_names_its_item() {
    let operation = |n: u32| async move {
        if n == 7 {
            panics();
        }
        R::Ok(n)
    };
    let report = ends((0..10).fan_out(operation).collect()).await;
    let failures: Vec<_> = report.failures().collect();
    assert!(
        matches!(failures[..], [(7, ItemError::Panicked(panic))] if panic.message() == "on purpose")
    );
}

#[tokio::test(start_paused = true)]
async fn pitfall_13_the_heavy_are_refused_or_wait_their_turn() {
    for in_task in [false, true] {
        let limiter = limiter(|b| b.limit(4));
        let begun = Arc::new(Mutex::new(Vec::new()));
        let begins = Arc::clone(&begun);
        let operation = move |n: u32| {
            begins.lock().unwrap().push(n);
            sleep(ms(10)).map(move |()| R::Ok(n))
        };
        let fan_out = [1, 4, 1, 9, 1, 3].fan_out(operation).weight(|n| *n).limiter(&limiter);
        let report = if in_task {
            ends(fan_out.in_task().collect()).await
        } else {
            ends(fan_out.collect()).await
        };
        assert!(matches!(report.outcomes[3].result, Err(ItemError::Rejected(_))));
        assert_eq!(report.stats.counts.succeeded, 5);
        assert_eq!(*begun.lock().unwrap(), [1, 4, 1, 1, 3], "in task {in_task}");
    }
}

#[tokio::test(start_paused = true)]
async fn pitfall_14_nothing_stays_in_flight_after_a_cancel() {
    let registry = Registry::new();
    let name = Name::in_registry(&registry, "bulk").expect("a name");
    let number = |metric| registry.snapshot().number(metric, &["bulk"]);
    let fan_out = (0..100_u32).fan_out(|n| sleep(ms(10)).map(move |()| R::Ok(n)));
    let mut cancelled = fan_out.name(&name).clock(Clock::tokio()).concurrency(nz(5)).collect();
    assert!(waits(&mut cancelled).await);
    sleep(ms(15)).await;
    assert_eq!(number(&metrics::IN_FLIGHT_ITEMS), Some(5.0));
    assert_eq!(number(&metrics::RUNNING_CALLS), Some(1.0));
    drop(cancelled);
    sleep(ms(1)).await;
    assert_eq!(number(&metrics::IN_FLIGHT_ITEMS), Some(0.0));
    assert_eq!(number(&metrics::RUNNING_CALLS), Some(0.0));
}

#[tokio::test(start_paused = true)]
async fn pitfall_15_fan_outs_take_turns_however_wide() {
    for in_task in [false, true] {
        let limiter = limiter(|b| b.limit(1));
        let slow = |n| sleep(ms(10)).map(move |()| R::Ok(n));
        let wide = (0..1000_u32).fan_out(slow).concurrency(nz(64)).limiter(&limiter);
        let mut wide = if in_task {
            wide.in_task().collect().boxed_local()
        } else {
            wide.collect().boxed_local()
        };
        assert!(waits(&mut wide).await);
        sleep(ms(5)).await;
        let began = Instant::now();
        let narrow = (0..10_u32).fan_out(slow).concurrency(nz(2)).limiter(&limiter).collect();
        tokio::select! {
            _ = wide => panic!("the wide one has a thousand items"),
            report = ends(narrow) => assert!(report.is_complete()),
        }
        // Every second turn is its own.
        assert!(began.elapsed() <= ms(10 * 2 * 10 + 10), "{:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn pitfall_16_what_nobody_took_counts_against_the_buffer() {
    let begun = Count::default();
    let begins = begun.clone();
    let operation = move |n: u32| {
        begins.up();
        async move { R::Ok(n) }
    };
    let mut outcomes = (0..1000).fan_out(operation).concurrency(nz(4)).buffer(3).stream();
    assert!(ends(outcomes.next()).await.is_some());
    sleep(ms(100)).await;
    assert_eq!(begun.get(), 1 + 4 + 3);
}

#[tokio::test(start_paused = true)]
async fn pitfall_17_borrowed_arguments_are_send_inside_a_spawned_task() {
    async fn get(host: &str, path: &str) -> Result<usize, String> {
        tokio::task::yield_now().await;
        Ok(host.len() + path.len())
    }
    let task = tokio::spawn(async {
        let (host, paths) = (String::from("host"), vec![String::from("a"), String::from("bc")]);
        let fan_out = paths.iter().fan_out(|path| get(&host, path));
        let borrowed = fan_out.in_task().try_collect().await.expect("none fails");
        let fan_out = paths.iter().fan_out(async |path: &String| get(&host, path).await);
        let by_closure = fan_out.in_task().collect().await;
        assert_eq!(by_closure.outcomes.len(), 2);
        let streamed = stream::iter(&paths).fan_out(|path| get(&host, path));
        let mut seen = Vec::new();
        streamed
            .in_task()
            .for_each(|outcome| {
                seen.push(outcome.index);
                ready(())
            })
            .await;
        assert_eq!(seen.len(), 2);
        borrowed
    });
    assert_eq!(task.await.expect("no panic"), [5, 6]);
}
