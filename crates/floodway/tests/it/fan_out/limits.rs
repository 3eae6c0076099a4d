//! Limiters and weights.

use std::{future::ready, time::Duration};

use floodway::fan_out::FanOutExt;
use tokio::time::{Instant, sleep};

use super::kit::{Gauge, R, ends, limiter, nz};
use crate::support::ms;

#[tokio::test(start_paused = true)]
async fn the_end_of_a_source_needs_no_permit() {
    for in_task in [false, true] {
        let limiter = limiter(|b| {
            b.limit(1).queue(floodway::Queue::fifo().max_wait(Duration::from_secs(86_400)))
        });
        let hog = {
            let l = limiter.clone();
            async move {
                let _p = l.acquire().await.unwrap();
                sleep(Duration::from_secs(3600)).await;
            }
        };
        let began = Instant::now();
        let f = [1_u32]
            .fan_out(|n| async move {
                sleep(ms(10)).await;
                R::Ok(n)
            })
            .limiter(&limiter);
        let run = async {
            let _ =
                if in_task { ends(f.in_task().collect()).await } else { ends(f.collect()).await };
            began.elapsed()
        };
        let hog = async {
            sleep(ms(1)).await;
            hog.await
        };
        let (took, ()) = tokio::join!(run, hog);
        assert_eq!(took, ms(10), "in_task {in_task}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_timed_out_is_gone_before_the_next_starts() {
    let gauge = Gauge::default();
    let g = gauge.clone();
    let limiter = limiter(|b| b.limit(1));
    let r = ends(
        (0..10_u32)
            .fan_out(move |n| {
                let g = g.enter();
                async move {
                    let _g = g;
                    sleep(ms(100)).await;
                    R::Ok(n)
                }
            })
            .limiter(&limiter)
            .concurrency(nz(1))
            .item_timeout(ms(10))
            .spawn_each()
            .collect(),
    )
    .await;
    assert_eq!(r.stats.counts.timed_out, 10);
    assert_eq!(gauge.most(), 1);
}

#[tokio::test(start_paused = true)]
async fn refusing_without_end_leaves_others_their_turn() {
    let limiter = limiter(|b| b.limit(2));
    limiter.close();
    let f =
        (0..).fan_out(|n: u64| async move { R::Ok(n) }).limiter(&limiter).for_each(|_| ready(()));
    let other = async {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! { _ = f => panic!("infinite"), () = other => {} }
}

#[tokio::test(start_paused = true)]
async fn no_weight_and_too_much_are_refused() {
    let limiter = limiter(|b| b.limit(2));
    for in_task in [false, true] {
        let f = (0..4_u32).fan_out(|n| async move { R::Ok(n) }).limiter(&limiter).weight(|n| *n);
        let r = if in_task { ends(f.in_task().collect()).await } else { ends(f.collect()).await };
        assert_eq!((r.stats.counts.succeeded, r.stats.counts.rejected), (2, 2));
    }
}

#[tokio::test(start_paused = true)]
async fn one_of_two_is_closed_meanwhile() {
    for in_task in [false, true] {
        let (a, b) = (limiter(|b| b.limit(3)), limiter(|b| b.limit(2)));
        let c = b.clone();
        let f = (0..20_u64)
            .fan_out(|n| async move {
                sleep(ms(10)).await;
                R::Ok(n)
            })
            .limiter(&a)
            .limiter(&b)
            .limiter(&a);
        let close = async {
            sleep(ms(25)).await;
            c.close();
        };
        let run = async {
            if in_task { ends(f.in_task().collect()).await } else { ends(f.collect()).await }
        };
        let (r, ()) = tokio::join!(run, close);
        assert_eq!(r.outcomes.len(), 20);
        assert_eq!(r.stats.counts.succeeded + r.stats.counts.rejected, 20);
        assert_eq!(r.stats.counts.succeeded, 6);
        assert_eq!((a.in_flight(), b.in_flight()), (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_queue_and_with_a_short_one() {
    for in_task in [false, true] {
        let a = limiter(|b| b.limit(2).queue(floodway::Queue::none()));
        let f = (0..20_u64)
            .fan_out(|n| async move {
                sleep(ms(10)).await;
                R::Ok(n)
            })
            .limiter(&a);
        let r = if in_task { ends(f.in_task().collect()).await } else { ends(f.collect()).await };
        assert_eq!(r.stats.counts.succeeded, 20);
        let queue = floodway::Queue::fifo().max_wait(ms(1));
        let a = limiter(|b| b.limit(1).queue(queue));
        let f = (0..20_u64)
            .fan_out(|n| async move {
                sleep(ms(10)).await;
                R::Ok(n)
            })
            .limiter(&a);
        let began = Instant::now();
        let r = if in_task { ends(f.in_task().collect()).await } else { ends(f.collect()).await };
        assert_eq!(r.stats.counts.succeeded, 20);
        assert!(began.elapsed() < ms(250));
    }
}
