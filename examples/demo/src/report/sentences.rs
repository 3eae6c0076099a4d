//! The comparison in words, from measured numbers only.

use super::{Figures, Phases, Report};
use crate::latency;

/// Five sentences; fewer if not everything was measured.
pub(crate) fn sentences(report: &Report) -> Vec<String> {
    let (plain, protected) = (&report.arms.plain, &report.arms.protected);
    let mut sentences = Vec::new();
    if let (Some(capacity), Some(without), Some(with)) =
        (report.capacity_rps, &plain.overload, &protected.overload)
    {
        let share = |figures: &Figures| 100.0 * figures.goodput_rps / capacity;
        sentences.push(format!(
            "Offered {:.1} times its capacity of {capacity:.0} requests/s, the plain service answered {:.0}/s ({:.0} % of capacity), the protected one {:.0}/s ({:.0} %).",
            with.offered_rps / capacity,
            without.goodput_rps,
            share(without),
            with.goodput_rps,
            share(with),
        ));
        sentences.push(format!(
            "99 % of those answers took at most {} plain and {} protected, where 99 % of the rejections took at most {}.",
            latency::shown(without.p99_s),
            latency::shown(with.p99_s),
            latency::shown(with.rejected_p99_s),
        ));
    }
    if let (Some(without), Some(with)) = (&plain.recovery, &protected.recovery) {
        let timeouts = |phases: &Phases| {
            let figures = phases.in_order().into_iter().filter_map(|(_, figures)| figures);
            figures.map(|figures| figures.pool_timeouts).sum::<u64>()
        };
        let recovered = |figures: &Figures| match figures.recovered_after_s {
            Some(seconds) => format!("had recovered {seconds:.1} s after the overload"),
            None => "had not recovered when the measurement ended".to_owned(),
        };
        sentences.push(format!(
            "The plain service's pool timed out {} times and it {}; the protected one's {} times and it {}.",
            timeouts(plain),
            recovered(without),
            timeouts(protected),
            recovered(with),
        ));
    }
    if let Some(median) = report.goodput_share {
        let shares = report.rounds.iter().map(|round| format!("{:.0} %", 100.0 * round.share));
        sentences.push(format!(
            "In short overloads between two measurements of the capacity, the protected service answered {} of it (median {:.0} %).",
            shares.collect::<Vec<_>>().join(", "),
            100.0 * median,
        ));
    }
    if let Some(inserts) = &report.inserts {
        sentences.push(format!(
            "{} callers stored {:.1} times as many orders per second through the batcher.",
            inserts.callers,
            inserts.batched.rows_per_s / inserts.unbatched.rows_per_s,
        ));
    }
    sentences
}
