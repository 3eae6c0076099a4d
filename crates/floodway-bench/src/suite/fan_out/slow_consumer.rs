//! What a slow consumer does to the items that run beside it: 24 ms each in four waits, and 20 ms
//! for the consumer.

use std::{convert::Infallible, num::NonZeroUsize, pin::pin, time::Duration};

use floodway::fan_out::FanOutExt;
use futures::{Stream, StreamExt, stream};
use tokio::time::{Instant, sleep};

use super::{in_a_task, runtime};
use crate::{
    measure::{Effort, median},
    report::Report,
};

const WAIT: Duration = Duration::from_millis(6);
const CONSUME: Duration = Duration::from_millis(20);
const LIMIT: NonZeroUsize = NonZeroUsize::new(8).expect("not zero");

pub(super) fn measure(effort: Effort, report: &mut Report) -> anyhow::Result<()> {
    let runtime = runtime(2)?;
    let items = if effort.rounds > Effort::QUICK.rounds { 100 } else { 24 };
    // Waits of a timer that counts milliseconds are longer than asked for, so the same items
    // running by themselves are what this is beside.
    let alone = median(in_a_task(&runtime, async move {
        let mut alone = Vec::new();
        for _ in 0..items / 2 {
            let Ok(took) = item(0).await;
            alone.push(took);
        }
        alone
    }));
    let ours = in_a_task(&runtime, async move {
        let outcomes = (0..items).fan_out(item).concurrency(LIMIT).stream();
        consume(outcomes.map(|outcome| outcome.result.unwrap_or(f64::NAN))).await
    });
    let peer = in_a_task(&runtime, async move {
        let values = stream::iter(0..items).map(item).buffer_unordered(LIMIT.get());
        consume(values.map(|Ok(took)| took)).await
    });
    report.lower("fan_out.slow_consumer.own_work.ms", alone, "ms", None);
    let ours = median(ours);
    report.lower("fan_out.slow_consumer.item_p50.ms", ours, "ms", None);
    let id = "fan_out.slow_consumer.item_p50_vs_own_work";
    report.lower(id, ours / alone, "ratio", Some(1.1));
    let id = "fan_out.slow_consumer.buffer_unordered.item_p50_vs_own_work";
    report.lower(id, median(peer) / alone, "ratio", None);
    Ok(())
}

/// Says how many milliseconds it took.
async fn item(_: u32) -> Result<f64, Infallible> {
    let began = Instant::now();
    for _ in 0..4 {
        sleep(WAIT).await;
    }
    Ok(began.elapsed().as_secs_f64() * 1e3)
}

async fn consume(values: impl Stream<Item = f64>) -> Vec<f64> {
    let mut values = pin!(values);
    let mut all = Vec::new();
    while let Some(value) = values.next().await {
        all.push(value);
        sleep(CONSUME).await;
    }
    all
}
