//! A downstream whose costs are known: 1 ms for a batch and 10 µs for an item.

use std::time::Duration;

use super::{
    Plan,
    clockwork::Clockwork,
    downstream::Downstream,
    peers::{self, FIXED, OURS, UNBATCHED},
    runtime,
};
use crate::report::Report;

pub(super) const OVERHEAD: Duration = Duration::from_millis(1);
pub(super) const ITEM: Duration = Duration::from_micros(10);

pub(super) fn measure(plan: Plan, report: &mut Report) -> anyhow::Result<()> {
    let runtime = runtime(2)?;
    let downstream = of(&Clockwork::start(), OVERHEAD, ITEM);
    let downstreams = (&downstream, &downstream, Vec::new());
    let trials = peers::race((plan, &runtime), report, "batch.synthetic", downstreams, || {});
    let ratio = trials.ratio(OURS, UNBATCHED, |lap| lap.rate);
    report.higher("batch.synthetic.vs_unbatched", ratio, "ratio", None);
    let ratio = trials.ratio(OURS, FIXED, |lap| lap.rate);
    report.higher("batch.synthetic.vs_best_fixed", ratio, "ratio", Some(0.95));
    let ratio = trials.ratio(OURS, FIXED, |lap| lap.p99);
    report.lower("batch.synthetic.p99.vs_best_fixed", ratio, "ratio", Some(1.2));
    peers::report_peers(report, "synthetic", &trials);
    Ok(())
}

/// A batch takes `overhead` and `item` for each, however many others run.
pub(super) fn of(clockwork: &Clockwork, overhead: Duration, item: Duration) -> Downstream {
    let clockwork = clockwork.clone();
    Downstream::new(move |items| {
        let clockwork = clockwork.clone();
        async move {
            let items = u32::try_from(items.len()).unwrap_or(u32::MAX);
            clockwork.sleep(overhead + item * items).await;
            Ok(())
        }
    })
}
