//! Fan-outs inside fan-outs of the same limiter.

use std::{convert::Infallible, pin::Pin, time::Duration};

use floodway::{Limiter, fan_out::FanOutExt};
use tokio::time::sleep;

use super::kit::{Gauge, R, ends, limiter, nz};
use crate::support::ms;

type Leaves = Pin<Box<dyn Future<Output = usize> + Send>>;

/// How the fan-out at each depth is run.
#[derive(Clone, Copy, Debug)]
enum How {
    Spawned,
    InTask,
    Alternating,
}

/// How many leaves there are below, each of which was inside of the limiter.
fn descend(limiter: Limiter, depth: usize, how: How, gauge: Gauge) -> Leaves {
    Box::pin(async move {
        if depth == 0 {
            let _inside = gauge.enter();
            sleep(ms(3)).await;
            return 1;
        }
        let in_task = match how {
            How::Spawned => false,
            How::InTask => true,
            How::Alternating => depth.is_multiple_of(2),
        };
        let below = limiter.clone();
        let fan_out = (0..3_u64)
            .fan_out(move |n| {
                let inner = descend(below.clone(), depth - 1, how, gauge.clone());
                async move {
                    sleep(ms(n)).await;
                    Ok::<_, Infallible>(inner.await)
                }
            })
            .limiter(&limiter)
            .concurrency(nz(2));
        let values = if in_task {
            fan_out.in_task().try_collect().await
        } else {
            fan_out.try_collect().await
        };
        values.expect("none fails").into_iter().sum()
    })
}

async fn descend_all(how: How) {
    for depth in 1..=4_u32 {
        for limit in 1..=3 {
            let limiter = limiter(|b| b.limit(limit));
            let gauge = Gauge::default();
            let leaves = ends(descend(limiter.clone(), depth as usize, how, gauge.clone())).await;
            assert_eq!(leaves, 3_usize.pow(depth), "depth {depth}, limit {limit}");
            assert!(gauge.most() <= limit as usize, "{} inside, limit {limit}", gauge.most());
            assert_eq!((limiter.in_flight(), limiter.queued()), (0, 0));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn spawned_in_spawned_completes_at_every_depth_and_limit() {
    descend_all(How::Spawned).await;
}

#[tokio::test(start_paused = true)]
async fn in_task_in_in_task_completes_at_every_depth_and_limit() {
    descend_all(How::InTask).await;
}

#[tokio::test(start_paused = true)]
async fn engines_that_alternate_complete_at_every_depth_and_limit() {
    descend_all(How::Alternating).await;
}

#[tokio::test(start_paused = true)]
async fn spawned_for_each_item_completes_under_a_limit_of_one() {
    let limiter = limiter(|b| {
        b.limit(1).queue(floodway::Queue::fifo().max_wait(Duration::from_secs(86_400)))
    });
    let l = limiter.clone();
    let r = ends(
        (0..3_u32)
            .fan_out(move |n| {
                let l = l.clone();
                async move {
                    let inner = (0..3_u32)
                        .fan_out(|m| async move {
                            sleep(ms(1)).await;
                            R::Ok(m)
                        })
                        .limiter(&l)
                        .collect()
                        .await;
                    if inner.is_complete() { Ok(n) } else { Err(n) }
                }
            })
            .limiter(&limiter)
            .spawn_each()
            .collect(),
    )
    .await;
    assert_eq!(r.stats.counts.succeeded, 3);
}
