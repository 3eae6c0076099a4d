//! Which share of a limit is used while there is input.

use std::{
    convert::Infallible,
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use floodway::{Limiter, fan_out::FanOutExt};
use floodway_metrics::Registry;
use tokio::time::{Instant, sleep};

use super::{in_a_task, runtime};
use crate::{measure::Effort, report::Report};

const LIMIT: NonZeroUsize = NonZeroUsize::new(16).expect("not zero");

/// How long an item sleeps.
const MILLISECONDS: std::ops::RangeInclusive<u64> = 1..=10;

pub(super) fn measure(effort: Effort, report: &mut Report) -> anyhow::Result<()> {
    let runtime = runtime(2)?;
    let limit = LIMIT.get() as u32;
    let limiter = Limiter::builder("sixteen").limit(limit).registry(&Registry::new()).build()?;
    let items = if effort.rounds > Effort::QUICK.rounds { 4_000 } else { 400 };
    let used = in_a_task(&runtime, utilisation(items, limiter))?;
    report.higher("fan_out.utilisation", used, "share", Some(0.99));
    Ok(())
}

/// From the start until the last item is started, which is as long as there is input.
async fn utilisation(items: usize, limiter: Limiter) -> anyhow::Result<f64> {
    let running = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let mut random = fastrand::Rng::with_seed(4);
    let source: Vec<_> =
        (0..items).map(|_| Duration::from_millis(random.u64(MILLISECONDS))).collect();
    let widest = Arc::clone(&most);
    let began = Instant::now();
    let fan_out = source.into_iter().fan_out(move |time| {
        let (running, most) = (Arc::clone(&running), Arc::clone(&most));
        async move {
            let started = Instant::now();
            // Relaxed: every addition sees all that were made before it, whatever the order.
            most.fetch_max(running.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            sleep(time).await;
            running.fetch_sub(1, Ordering::Relaxed);
            Ok::<_, Infallible>((started, Instant::now()))
        }
    });
    let ran = fan_out.concurrency(LIMIT).limiter(&limiter).try_collect().await;
    let ran = ran.map_err(|_| anyhow::anyhow!("an item did not run"))?;
    let most = widest.load(Ordering::Relaxed);
    anyhow::ensure!(most <= LIMIT.get(), "{most} items ran, and {LIMIT} may");
    let last = ran.iter().map(|(started, _)| *started).max().unwrap_or(began);
    let used = ran.iter().map(|(started, ended)| (*ended).min(last).duration_since(*started));
    let used: Duration = used.sum();
    let there = last.duration_since(began) * LIMIT.get() as u32;
    Ok(used.as_secs_f64() / there.as_secs_f64())
}
