//! Items in chunks.

use std::time::Duration;

use floodway::{
    Chunking,
    fan_out::{Backlog, FanOutExt, OnStop, StopReason},
};
use tokio::time::{Instant, sleep};

use super::kit::{Count, R, ends, nz};
use crate::support::ms;

#[tokio::test(start_paused = true)]
async fn a_failure_stops_within_a_chunk() {
    let began = Count::default();
    let b = began.clone();
    let r = ends(
        (0..1000_u32)
            .fan_out(move |n| {
                b.up();
                async move {
                    sleep(ms(10)).await;
                    if n == 0 { Err(n) } else { Ok(n) }
                }
            })
            .chunks(Chunking::Fixed(nz(100)))
            .concurrency(nz(2))
            .try_collect(),
    )
    .await;
    assert_eq!(r.unwrap_err().report.stats.counts.failed, 1);
    assert!(began.get() <= 4, "{}", began.get());
}

#[tokio::test(start_paused = true)]
async fn nothing_of_a_chunk_starts_during_the_grace() {
    let began = Count::default();
    let b = began.clone();
    let r = ends(
        (0..1000_u32)
            .fan_out(move |n| {
                b.up();
                async move {
                    sleep(ms(10)).await;
                    R::Ok(n)
                }
            })
            .chunks(Chunking::Fixed(nz(100)))
            .concurrency(nz(2))
            .timeout(ms(15))
            .on_stop(OnStop::Drain(Duration::from_secs(100)))
            .collect(),
    )
    .await;
    assert_eq!(r.stop, StopReason::Deadline);
    assert_eq!(began.get(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_source_may_panic_within_a_chunk() {
    let r = ends(
        (0..1000_u32)
            .inspect(|n| assert!(*n != 10, "source"))
            .fan_out(move |n| async move {
                sleep(ms(10)).await;
                R::Ok(n)
            })
            .chunks(Chunking::Fixed(nz(8)))
            .concurrency(nz(4))
            .collect(),
    )
    .await;
    assert!(matches!(r.stop, StopReason::SourceFailed(_)));
    assert_eq!(r.outcomes.len(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_panics_within_a_chunk_stops_at_once() {
    let began = Instant::now();
    let r = ends(
        (0..1000_u32)
            .inspect(|n| assert!(*n != 10, "source"))
            .fan_out(move |n| async move {
                sleep(ms(10)).await;
                R::Ok(n)
            })
            .chunks(Chunking::Fixed(nz(8)))
            .concurrency(nz(4))
            .collect(),
    )
    .await;
    assert!(matches!(r.stop, StopReason::SourceFailed(_)));
    assert_eq!(r.outcomes.len(), 10);
    assert!(began.elapsed() <= ms(1), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_waits_inline_goes_on_elsewhere() {
    for n in [0_u32, 1, 2, 5, 100] {
        let r = ends(
            (0..n)
                .fan_out(|n| async move {
                    if n % 2 == 1 {
                        sleep(ms(10)).await;
                    }
                    R::Ok(n)
                })
                .chunks(Chunking::Adaptive)
                .concurrency(nz(4))
                .collect(),
        )
        .await;
        assert_eq!((r.outcomes.len(), r.stop), (n as usize, StopReason::Completed));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_pushed_inline_is_run() {
    let backlog = Backlog::new();
    let push = backlog.clone();
    let r = ends(
        [8_u32]
            .fan_out(move |n| {
                let push = push.clone();
                async move {
                    if n > 1 {
                        sleep(ms(1)).await;
                        push.push(n / 2).ok();
                        push.push(n / 2).ok();
                    }
                    R::Ok(n)
                }
            })
            .chunks(Chunking::Adaptive)
            .backlog(&backlog)
            .collect(),
    )
    .await;
    assert_eq!(r.outcomes.len(), 15);
    assert_eq!(backlog.push(1), Err(1));
}

#[tokio::test(start_paused = true)]
async fn what_waits_holds_up_nobody_behind_it() {
    let began = Instant::now();
    let r = ends(
        (0..16_u32)
            .fan_out(|n| async move {
                sleep(ms(100)).await;
                R::Ok(n)
            })
            .concurrency(nz(16))
            .chunks(Chunking::Adaptive)
            .collect(),
    )
    .await;
    assert_eq!(r.stats.counts.succeeded, 16);
    assert_eq!(began.elapsed(), ms(100));
}
