//! How many batches to have in flight: what the default should be.

use tokio::runtime::Runtime;

use super::{
    Plan, arms, downstream::Downstream, fixed_settings, postgres::Database, redis, report_arms,
    runtime, synthetic, trials, tuning,
};
use crate::report::Report;

const SLOTS: [usize; 4] = [1, 2, 4, 8];

pub(super) fn measure(plan: Plan, report: &mut Report) -> anyhow::Result<()> {
    let runtime = runtime(2)?;
    if let Some(database) = Database::start(&runtime)? {
        let empty = || database.empty(&runtime);
        each((plan, &runtime), report, "postgres", &database.batches(), empty);
    }
    if let Some(cache) = redis::Cache::start(&runtime)? {
        each((plan, &runtime), report, "redis", &cache.batches(), || {});
    }
    let clockwork = super::clockwork::Clockwork::start();
    let downstream = synthetic::of(&clockwork, synthetic::OVERHEAD, synthetic::ITEM);
    each((plan, &runtime), report, "synthetic", &downstream, || {});
    Ok(())
}

/// Adaptive with each, and the best fixed setting with each.
fn each(
    (plan, runtime): (Plan, &Runtime),
    report: &mut Report,
    on: &str,
    downstream: &Downstream,
    mut between: impl FnMut(),
) {
    let prefix = format!("batch.in_flight.{on}");
    let ours = |setting| arms::ours(runtime, downstream, setting);
    let mut all: Vec<_> =
        SLOTS.into_iter().map(|slots| ours(arms::Setting::adaptive(slots))).collect();
    for slots in SLOTS {
        let what = format!("{prefix}.{slots}, fixed");
        let fixed = tuning::best(plan, &what, &fixed_settings(&[slots]), ours, &mut between);
        all.push(ours(fixed));
    }
    let trials = trials(plan, &prefix, &all, between);
    for (place, slots) in SLOTS.into_iter().enumerate() {
        let prefix = format!("{prefix}.{slots}");
        let arms = [(place, "adaptive"), (SLOTS.len() + place, "best_fixed")];
        report_arms(report, &prefix, &trials, &arms);
    }
}
