//! How soon a fan-out ends that stops with 400,000 items to go.

use std::{
    convert::Infallible,
    future::pending,
    hint::black_box,
    sync::{Arc, OnceLock},
    time::Duration,
};

use floodway::fan_out::{FanOutExt, StopReason};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep},
};

use super::{WIDTH, in_a_task, runtime};
use crate::{
    measure::{Effort, median},
    report::Report,
};

/// Those that are never started, beside those that run.
const PENDING: usize = 400_000;

/// By then everything runs that may.
const SETTLED: Duration = Duration::from_millis(5);

pub(super) fn measure(effort: Effort, report: &mut Report) -> anyhow::Result<()> {
    let runtime = runtime(2)?;
    let times: Vec<_> = (0..effort.rounds).map(|_| in_a_task(&runtime, fail_fast())).collect();
    // Later ones get memory for their outcomes that the allocator has kept.
    report.lower("fan_out.cancel_400k.first.ms", times[0], "ms", None);
    report.lower("fan_out.cancel_400k.ms", median(times), "ms", Some(10.0));
    let times = (0..effort.rounds).map(|_| in_a_task(&runtime, cancelled()));
    report.lower("fan_out.cancel_400k.cancel_on.ms", median(times.collect()), "ms", Some(10.0));
    Ok(())
}

/// From the end of the item that fails until the end of the fan-out.
async fn fail_fast() -> f64 {
    let failed = Arc::new(OnceLock::new());
    let fails = Arc::clone(&failed);
    let fan_out = (0..PENDING + WIDTH.get()).fan_out(move |item| {
        let fails = Arc::clone(&fails);
        async move {
            if item > 0 {
                return pending().await;
            }
            sleep(SETTLED).await;
            let _ = fails.set(Instant::now());
            Err::<usize, _>("the first fails")
        }
    });
    let result = fan_out.concurrency(WIDTH).try_collect().await;
    let elapsed = failed.get().map_or(f64::NAN, milliseconds);
    let Err(error) = black_box(result) else {
        unreachable!("an item fails");
    };
    assert_eq!(error.report.stats.counts.not_started, PENDING);
    elapsed
}

/// From the cancellation until the end of the fan-out.
async fn cancelled() -> f64 {
    let (cancel, cancelled) = oneshot::channel::<()>();
    let fan_out = (0..PENDING + WIDTH.get()).fan_out(|_| pending::<Result<usize, Infallible>>());
    let cancelled = async move { drop(cancelled.await) };
    let collect = fan_out.concurrency(WIDTH).cancel_on(cancelled).collect();
    let cancel = tokio::spawn(async move {
        sleep(SETTLED).await;
        let at = Instant::now();
        drop(cancel);
        at
    });
    let report = black_box(collect.await);
    let ended = Instant::now();
    let began = cancel.await.unwrap_or(ended);
    assert_eq!(report.stop, StopReason::Cancelled);
    assert_eq!(report.stats.counts.not_started, PENDING);
    ended.duration_since(began).as_secs_f64() * 1e3
}

fn milliseconds(since: &Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}
