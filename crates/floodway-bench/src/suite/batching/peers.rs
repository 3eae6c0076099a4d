//! One downstream, and everybody on it: alone, adaptive, the best fixed setting, the peers.

use std::time::Duration;

use tokio::runtime::Runtime;

use super::{
    CALLERS, LINGERS, Plan, SIZES, SLOTS, arms,
    downstream::Downstream,
    fixed_settings,
    lap::{Arm, Trials},
    report_arms, trials, tuning,
};
use crate::report::Report;

/// Batches in flight of the peers, which have a say in that too.
const PEER_SLOTS: [usize; 3] = [1, 2, 4];

/// Where each arm is in the trials.
pub(super) const UNBATCHED: usize = 0;
pub(super) const OURS: usize = 1;
pub(super) const FIXED: usize = 2;
pub(super) const AINT_ONE: usize = 3;
pub(super) const TOWER_BATCH: usize = 4;
pub(super) const MORE: usize = 5;

/// Finds the best settings, then runs all in turn, and `more` beside them. `alone` is the
/// downstream for single items.
pub(super) fn race<'a>(
    (plan, runtime): (Plan, &'a Runtime),
    report: &mut Report,
    prefix: &str,
    (alone, downstream, more): (&Downstream, &Downstream, Vec<Arm<'a>>),
    mut between: impl FnMut(),
) -> Trials {
    // A batch of more than there are callers waits for its timer, and is the same as one of all.
    let sizes: Vec<usize> = SIZES.into_iter().filter(|size| *size <= CALLERS).collect();

    let what = format!("{prefix}, fixed");
    let ours = |setting| arms::ours(runtime, downstream, setting);
    let fixed = tuning::best(plan, &what, &fixed_settings(&[SLOTS]), ours, &mut between);
    let what = format!("{prefix}, batch-aint-one");
    let settings = arms::aint_one_settings(&sizes, &LINGERS, &PEER_SLOTS);
    let aint_one = |setting| arms::aint_one(runtime, downstream, setting);
    let aint_one_setting = tuning::best(plan, &what, &settings, aint_one, &mut between);
    let what = format!("{prefix}, tower-batch-control");
    let mut settings = Vec::new();
    for &size in &sizes {
        for linger in LINGERS {
            let slots = PEER_SLOTS.into_iter().map(|slots| (size, linger, slots));
            settings.extend(slots.filter(|_| !linger.is_zero()));
        }
    }
    let tower_batch = |setting| arms::tower_batch(runtime, downstream, setting);
    let tower_batch_setting = tuning::best(plan, &what, &settings, tower_batch, &mut between);

    let mut all = vec![
        arms::unbatched(runtime, alone),
        arms::ours(runtime, downstream, arms::Setting::adaptive(SLOTS)),
        arms::ours(runtime, downstream, fixed),
        arms::aint_one(runtime, downstream, aint_one_setting),
        arms::tower_batch(runtime, downstream, tower_batch_setting),
    ];
    all.extend(more);
    let trials = trials(plan, prefix, &all, between);
    let names = [
        (UNBATCHED, "unbatched"),
        (OURS, "adaptive"),
        (FIXED, "best_fixed"),
        (AINT_ONE, "batch_aint_one"),
        (TOWER_BATCH, "tower_batch"),
        (MORE, "tuned_unbatched"),
    ];
    let names: Vec<_> = names.into_iter().take(all.len()).collect();
    report_arms(report, prefix, &trials, &names);
    report_fixed(report, prefix, fixed);
    trials
}

fn report_fixed(report: &mut Report, prefix: &str, fixed: arms::Setting) {
    let size = match fixed.sizing {
        floodway::BatchSizing::Fixed(size) => size as f64,
        _ => f64::NAN,
    };
    let linger = fixed.linger.unwrap_or(Duration::ZERO).as_secs_f64() * 1e3;
    report.lower(format!("{prefix}.best_fixed.size"), size, "items", None);
    report.lower(format!("{prefix}.best_fixed.linger"), linger, "ms", None);
}

/// Items a second and the 99th percentile, beside both peers.
pub(super) fn report_peers(report: &mut Report, on: &str, trials: &Trials) {
    for (peer, name) in [(AINT_ONE, "vs_batch_aint_one"), (TOWER_BATCH, "vs_tower_batch")] {
        let rate = trials.ratio(OURS, peer, |lap| lap.rate);
        report.higher(format!("batch.{name}.{on}"), rate, "ratio", Some(1.0));
        let p99 = trials.ratio(OURS, peer, |lap| lap.p99);
        report.lower(format!("batch.{name}.{on}.p99"), p99, "ratio", Some(1.0));
    }
}
