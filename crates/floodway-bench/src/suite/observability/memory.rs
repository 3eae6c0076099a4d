//! Memory of a process whose numbers nobody looks at.

use std::{fs, time::Duration};

use anyhow::Context;
use floodway::{Batcher, Limiter, Outcome};
use floodway_exporter::Exporter;
use floodway_metrics::Registry;
use tokio::{
    runtime::Builder,
    task::yield_now,
    time::{Instant, sleep},
};

use crate::{measure::Effort, report::Report};

/// Ten minutes, and a short one to see that it works.
const FULL: Duration = Duration::from_secs(600);
const QUICK: Duration = Duration::from_secs(20);

/// From then on: the history of the status page is full after a quarter of an hour, and says little
/// of so few components; the rest is warm long before.
const WARM: f64 = 0.1;

pub(super) fn measure(effort: Effort, report: &mut Report) -> anyhow::Result<()> {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let length = if effort.rounds < Effort::FULL.rounds { QUICK } else { FULL };
    let grown = runtime.block_on(grown(length))?;
    report.lower("obs.rss_growth_kib", grown, "KiB", Some(1_024.0));
    Ok(())
}

/// By how much the resident memory grew between the first tenth and the end, in KiB.
async fn grown(length: Duration) -> anyhow::Result<f64> {
    let registry = Registry::new();
    // With the recorder of the facade, which keeps samples until somebody sorts them, and the history
    // of the status page.
    let exporter = Exporter::new(&registry).with_facade()?;
    let _server = exporter.serve(([127, 0, 0, 1], 0).into()).await?;
    let limiter = Limiter::builder("memory").limit(4).registry(&registry).build()?;
    let batcher =
        Batcher::builder("memory").registry(&registry).build(async |items: Vec<u64>| {
            Ok::<_, String>(items.into_iter().map(Ok::<_, String>).collect())
        })?;
    let work = tokio::spawn(async move {
        for item in 0.. {
            if let Ok(permit) = limiter.acquire().await {
                permit.complete(Outcome::Success);
            }
            metrics::counter!("memory_total").increment(1);
            metrics::histogram!("memory_seconds").record(0.001);
            let _ = batcher.call(item).await;
            // A pace at which a service is busy and not drowned.
            if item % 64 == 0 {
                sleep(Duration::from_millis(1)).await;
            }
            yield_now().await;
        }
    });
    let begun = Instant::now();
    sleep(length.mul_f64(WARM)).await;
    let warm = resident_kib()?;
    while begun.elapsed() < length {
        sleep(Duration::from_secs(1)).await;
    }
    let grown = resident_kib()? - warm;
    work.abort();
    Ok(grown)
}

fn resident_kib() -> anyhow::Result<f64> {
    let status = fs::read_to_string("/proc/self/status").context("this needs Linux")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.context("/proc/self/status has no VmRSS")?.parse()?)
}
