//! Where there is nothing to gain: a single caller, and items beside which the overhead is small.

use std::{sync::Arc, time::Duration};

use tokio::{runtime::Runtime, sync::Semaphore};

use super::{
    CALLERS, Plan, arms,
    clockwork::Clockwork,
    downstream::Downstream,
    lap::{Pause, Trials},
    report_arms, runtime, synthetic, trials,
};
use crate::report::Report;

/// Of the downstream where batching does not pay, with or without a batcher.
const SLOTS: usize = 4;

pub(super) fn measure(plan: Plan, report: &mut Report) -> anyhow::Result<()> {
    let runtime = runtime(2)?;
    let clockwork = Clockwork::start();
    light(plan, &runtime, &clockwork, report);
    no_pay(plan, &runtime, &clockwork, report);
    Ok(())
}

/// One caller, 1 ms.
fn light(plan: Plan, runtime: &Runtime, clockwork: &Clockwork, report: &mut Report) {
    let downstream = synthetic::of(clockwork, Duration::from_millis(1), Duration::ZERO);
    let all = [
        arms::unbatched_from(runtime, &downstream, (1, None)),
        arms::ours_from(runtime, &downstream, arms::Setting::adaptive(SLOTS), (1, None)),
    ];
    let trials = trials(plan, "batch.light_load", &all, || {});
    compared(report, "batch.light_load", &trials, Some(1.05));
}

/// 5 µs for a batch and 1 ms for an item, of which four are done at once, 80 % of the time.
fn no_pay(plan: Plan, runtime: &Runtime, clockwork: &Clockwork, report: &mut Report) {
    let (overhead, item) = (Duration::from_micros(5), Duration::from_millis(1));
    let batches = synthetic::of(clockwork, overhead, item);
    let alone = limited(&batches);
    // Callers who come with a load of 0.8, whatever they waited for.
    let mean = item.mul_f64(CALLERS as f64 / (0.8 * SLOTS as f64)) - item;
    let callers = (CALLERS, Some(Pause { clockwork: clockwork.clone(), mean }));
    let all = [
        arms::unbatched_from(runtime, &alone, callers.clone()),
        arms::ours_from(runtime, &batches, arms::Setting::adaptive(SLOTS), callers),
    ];
    let plan = Plan { lap: plan.lap * 2, ..plan };
    let trials = trials(plan, "batch.no_pay", &all, || {});
    compared(report, "batch.no_pay", &trials, None);
}

/// As many at once as a batcher sends.
fn limited(downstream: &Downstream) -> Downstream {
    let (slots, downstream) = (Arc::new(Semaphore::new(SLOTS)), downstream.clone());
    Downstream::new(move |items| {
        let (slots, downstream) = (Arc::clone(&slots), downstream.clone());
        async move {
            let _slot = slots.acquire().await;
            downstream.send(items).await
        }
    })
}

fn compared(report: &mut Report, prefix: &str, trials: &Trials, goal: Option<f64>) {
    report_arms(report, prefix, trials, &[(0, "unbatched"), (1, "adaptive")]);
    let ratio = trials.ratio(1, 0, |lap| lap.p50);
    report.lower(format!("{prefix}.p50.vs_unbatched"), ratio, "ratio", goal);
    let ratio = trials.ratio(1, 0, |lap| lap.p99);
    report.lower(format!("{prefix}.p99.vs_unbatched"), ratio, "ratio", None);
}
