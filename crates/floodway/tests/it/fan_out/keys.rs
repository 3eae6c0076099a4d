//! Items that share a limit by key.

use std::{
    convert::Infallible,
    future::ready,
    sync::{Arc, Mutex},
    time::Duration,
};

use floodway::fan_out::{FanOutExt, Outcome};
use futures::{StreamExt, stream};
use tokio::time::{Instant, sleep};

use super::kit::{R, ends, nz};
use crate::support::ms;

#[tokio::test(start_paused = true)]
async fn more_of_a_key_than_may_be_parked_idles_nobody_for_ever() {
    let report = ends(
        (0..40_u32)
            .fan_out(|n| async move {
                sleep(ms(u64::from(n % 5) * 10 + 1)).await;
                R::Ok(n)
            })
            .concurrency(nz(4))
            .lookahead(1)
            .limit_per_key(|n| if *n < 2 { *n } else { 7 }, nz(1))
            .collect(),
    )
    .await;
    assert_eq!(report.outcomes.len(), 40);
}

#[tokio::test(start_paused = true)]
async fn one_key_runs_one_after_the_other_in_the_task() {
    let report = ends(
        (0..40_u32)
            .fan_out(|n| async move {
                sleep(ms(1)).await;
                R::Ok(n)
            })
            .concurrency(nz(4))
            .group_by_key(|_| ())
            .in_task()
            .collect(),
    )
    .await;
    assert_eq!(report.outcomes.len(), 40);
}

#[tokio::test(start_paused = true)]
async fn nothing_need_be_parked() {
    for in_task in [false, true] {
        let f = (0..40_u32)
            .fan_out(|n| async move {
                sleep(ms(1)).await;
                R::Ok(n)
            })
            .concurrency(nz(4))
            .group_by_key(|n| *n % 3)
            .lookahead(0);
        let report =
            if in_task { ends(f.in_task().collect()).await } else { ends(f.collect()).await };
        assert_eq!(report.outcomes.len(), 40);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_parked_does_not_wait_for_a_stream() {
    let source = stream::iter(0..3_u32).chain(stream::once(async {
        sleep(Duration::from_secs(1000)).await;
        3
    }));
    let began = Instant::now();
    let at = Arc::new(Mutex::new(Vec::new()));
    let report = ends(
        source
            .fan_out(|n| {
                at.lock().unwrap().push(began.elapsed().as_secs());
                async move {
                    sleep(ms(1)).await;
                    R::Ok(n)
                }
            })
            .group_by_key(|_| ())
            .in_task()
            .collect(),
    )
    .await;
    assert_eq!(report.outcomes.len(), 4);
    assert_eq!(*at.lock().unwrap(), [0, 0, 0, 1000]);
}

#[tokio::test(start_paused = true)]
async fn keys_and_weights_together() {
    let report = ends(
        (0..40_u32)
            .fan_out(|n| async move {
                sleep(ms(1)).await;
                R::Ok(n)
            })
            .concurrency(nz(4))
            .group_by_key(|_| ())
            .weight(|_| 1)
            .in_task()
            .collect(),
    )
    .await;
    assert_eq!(report.outcomes.len(), 40);
}

#[tokio::test(start_paused = true)]
async fn keys_in_order_without_a_buffer() {
    let mut next = 0;
    ends(
        (0..40_u32)
            .fan_out(|n| async move {
                sleep(ms(1)).await;
                R::Ok(n)
            })
            .concurrency(nz(4))
            .buffer(0)
            .group_by_key(|n| *n % 2)
            .ordered()
            .in_task()
            .for_each(|o| {
                assert_eq!(o.index, next);
                next += 1;
                ready(())
            }),
    )
    .await;
    assert_eq!(next, 40);
}

#[tokio::test(start_paused = true)]
async fn in_order_with_every_small_bound() {
    for in_task in [false, true] {
        for conc in 1..4 {
            for buffer in 0..3 {
                for look in 1..3 {
                    let f = (0..30_u64)
                        .fan_out(|n| async move {
                            sleep(ms(n * 7 % 11)).await;
                            R::Ok(n)
                        })
                        .concurrency(nz(conc))
                        .buffer(buffer)
                        .lookahead(look)
                        .limit_per_key(|n| n * n % 3, nz(2))
                        .ordered();
                    let mut next = 0;
                    let body = |o: Outcome<u64, Infallible>| {
                        assert_eq!(o.index, next);
                        next += 1;
                        sleep(ms(3))
                    };
                    let s = if in_task {
                        ends(f.in_task().for_each(body)).await
                    } else {
                        ends(f.for_each(body)).await
                    };
                    assert_eq!(s.stats.counts.succeeded, 30);
                    assert_eq!(next, 30);
                }
            }
        }
    }
}
