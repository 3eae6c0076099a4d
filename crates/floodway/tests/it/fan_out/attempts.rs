//! Retries and rivals.

use std::{
    num::NonZeroU32,
    sync::{Arc, Mutex},
    task::{Poll, Waker},
    time::Duration,
};

use floodway::fan_out::{AttemptBudget, FanOutExt, ItemError, OnStop, Retry};
use futures::{StreamExt, stream};
use tokio::time::{Instant, sleep};

use super::kit::{Count, Gauge, ends, limiter, nz};
use crate::support::ms;

#[tokio::test(start_paused = true)]
async fn the_budget_counts_items() {
    for in_task in [false, true] {
        let budget = AttemptBudget::new(0.5, 0).unwrap();
        let retry =
            Retry::up_to(NonZeroU32::new(100).unwrap()).backoff(ms(1), ms(1)).budget(&budget);
        let f = (0..100_u32)
            .fan_out(|n| async move {
                sleep(ms(1)).await;
                Err::<(), _>(n)
            })
            .attempts(retry);
        let r = if in_task { ends(f.in_task().collect()).await } else { ends(f.collect()).await };
        assert_eq!(r.stats.extra_attempts, 50, "in task {in_task}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stale_wake_starts_nothing_twice() {
    // The waker of the first attempt is called while the slot waits for permits of the second.
    let limiter = limiter(|b| {
        b.limit(2).queue(floodway::Queue::fifo().max_wait(Duration::from_secs(86_400)))
    });
    let stale: Arc<Mutex<Option<Waker>>> = Arc::default();
    let calls = Count::default();
    let (c, s) = (calls.clone(), stale.clone());
    let retry = Retry::up_to(NonZeroU32::new(5).unwrap()).backoff(ms(2), ms(2));
    let f = [0_u32]
        .fan_out(move |n| {
            let attempt = c.up();
            let s = s.clone();
            async move {
                std::future::poll_fn(|cx| {
                    s.lock().unwrap().get_or_insert_with(|| cx.waker().clone());
                    Poll::Ready(())
                })
                .await;
                sleep(ms(10)).await;
                if attempt == 0 { Err(n) } else { Ok(n) }
            }
        })
        .limiter(&limiter)
        .attempts(retry)
        .in_task()
        .collect();
    let l = limiter.clone();
    let other = async {
        sleep(ms(1)).await;
        let _p = l.acquire().await.unwrap();
        let _q = l.acquire().await.unwrap();
        sleep(ms(5)).await; // attempt 2 wants now
        for _ in 0..3 {
            stale.lock().unwrap().as_ref().unwrap().wake_by_ref();
            sleep(ms(1)).await;
        }
        sleep(ms(5)).await;
    };
    let (r, ()) = tokio::join!(ends(f), other);
    assert_eq!(r.stats.counts.succeeded, 1);
    assert_eq!(calls.get(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_rival_wins_and_the_first_is_dropped() {
    for in_task in [false, true] {
        let budget = AttemptBudget::new(10.0, 100).unwrap();
        let calls = Count::default();
        let c = calls.clone();
        let gauge = Gauge::default();
        let g = gauge.clone();
        let f = (0..10_u32)
            .fan_out(move |n| {
                let call = c.up();
                let g = g.enter();
                async move {
                    let _g = g;
                    sleep(ms(if call % 2 == 0 { 1000 } else { 20 })).await;
                    if n == 5 { Err(n) } else { Ok(n) }
                }
            })
            .attempts(Retry::hedge(ms(100)).budget(&budget))
            .concurrency(nz(1));
        let began = Instant::now();
        let r = if in_task { ends(f.in_task().collect()).await } else { ends(f.collect()).await };
        assert_eq!(r.stats.counts.succeeded, 9);
        assert_eq!(gauge.now(), 0);
        assert_eq!(calls.get(), 20);
        assert_eq!(began.elapsed(), ms(9 * 120 + 1000));
        assert_eq!(r.outcomes[0].attempts, 2);
    }
}

#[tokio::test(start_paused = true)]
async fn what_timed_out_is_tried_again() {
    for in_task in [false, true] {
        let a = limiter(|b| b.limit(2));
        let budget = AttemptBudget::new(10.0, 100).unwrap();
        let retry =
            Retry::up_to(NonZeroU32::new(3).unwrap()).backoff(ms(10), ms(10)).budget(&budget);
        let f = (0..10_u32)
            .fan_out(move |n| async move {
                sleep(ms(if n % 2 == 0 { 1000 } else { 20 })).await;
                if n == 5 { Err(n) } else { Ok(n) }
            })
            .attempts(retry)
            .limiter(&a)
            .item_timeout(ms(50));
        let r = if in_task { ends(f.in_task().collect()).await } else { ends(f.collect()).await };
        assert_eq!(
            (r.stats.counts.succeeded, r.stats.counts.timed_out, r.stats.counts.failed),
            (4, 5, 1)
        );
        assert_eq!(r.stats.extra_attempts, 12);
        assert_eq!(a.in_flight(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn none_begins_after_the_stop() {
    // The error of an attempt that failed is not forgotten when the fan-out stops in its backoff.
    for in_task in [false, true] {
        let retry = Retry::up_to(NonZeroU32::new(3).unwrap()).backoff(ms(1000), ms(1000));
        let f = [1_u32]
            .fan_out(|n| async move {
                sleep(ms(10)).await;
                Err::<(), _>(n)
            })
            .attempts(retry)
            .timeout(ms(100))
            .on_stop(OnStop::Drain(ms(5000)));
        let began = Instant::now();
        let r = if in_task { ends(f.in_task().collect()).await } else { ends(f.collect()).await };
        assert_eq!((r.outcomes[0].attempts, began.elapsed()), (1, ms(100)), "in task {in_task}");
        assert!(matches!(r.outcomes[0].result, Err(ItemError::Failed(1))));
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_does_not_wait_for_the_source() {
    // One worker waits for a source that gives nothing; another item retries under a limiter that is busy for an instant.
    for in_task in [false, true] {
        let l = limiter(|b| b.limit(1));
        let retry = Retry::up_to(NonZeroU32::new(3).unwrap()).backoff(ms(10), ms(10));
        let source = stream::iter([1_u32]).chain(stream::once(async {
            sleep(Duration::from_secs(1000)).await;
            2
        }));
        let calls = Count::default();
        let c = calls.clone();
        let began = Instant::now();
        let at = Arc::new(Mutex::new(Vec::new()));
        let a = at.clone();
        let f = source
            .fan_out(move |n| {
                let call = c.up();
                a.lock().unwrap().push(began.elapsed().as_millis());
                async move {
                    sleep(ms(10)).await;
                    if call == 0 { Err(n) } else { Ok(n) }
                }
            })
            .attempts(retry)
            .limiter(&l);
        let other = async {
            sleep(ms(5)).await;
            let _p = l.acquire().await.unwrap();
            sleep(ms(100)).await;
        };
        let run = async {
            if in_task { ends(f.in_task().collect()).await } else { ends(f.collect()).await }
        };
        let (r, ()) = tokio::join!(run, other);
        assert_eq!(r.stats.counts.succeeded, 2);
        let at = at.lock().unwrap().clone();
        assert_eq!(at[1], 110, "in task {in_task} {at:?}");
    }
}
