//! What may be wrong with the engine.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Finding, Findings};
use crate::{engine::Engine, time::show};

/// So often the engine is asked; the median counts.
const LOOKS: usize = 5;

/// Leases do not depend on it, but people who compare logs do.
const CLOCKS_APART: Duration = Duration::from_secs(2);

/// Whether it answers.
pub(super) async fn examine(engine: &Engine, refresh: Duration, findings: &mut Findings) -> bool {
    let mut reports = Vec::new();
    for _ in 0..LOOKS {
        match engine.check().await {
            Ok(report) => reports.push((report, wall_clock())),
            Err(failure) => {
                findings.add(Finding::broken("engine", failure));
                return false;
            }
        }
    }
    reports.sort_by_key(|(report, _)| report.round_trip);
    let (report, now) = reports.swap_remove(LOOKS / 2);
    findings.add(Finding::ok("engine", &report.engine));
    for warning in &report.warnings {
        let (found, change) = warning
            .split_once("; ")
            .map_or((&**warning, None), |(found, change)| (found, Some(change)));
        let finding = Finding::warning("engine", found);
        findings.add(match change {
            Some(change) => finding.change(change),
            None => finding,
        });
    }
    // Where it has warnings of its own about that, they say what to change.
    if report.durable || report.warnings.is_empty() {
        findings.add(durability(report.durable));
    }
    findings.add(round_trip(report.round_trip, refresh));
    findings.add(clocks(report.wall_clock, now));
    true
}

fn durability(durable: bool) -> Finding {
    if durable {
        return Finding::ok("durability", "the engine keeps budgets across a restart");
    }
    let found =
        "the engine forgets budgets when it restarts, and then grants nothing new for some seconds";
    Finding::warning("durability", found)
}

fn round_trip(took: Duration, refresh: Duration) -> Finding {
    // Replicas give an attempt to renew half of that.
    let patience = refresh / 2;
    let found = format!("answers in {}, renewals wait {}", show(took), show(patience));
    let change = "move the engine closer to the replicas, or raise refresh and ttl";
    if took >= patience {
        Finding::broken("round trip", format!("{found}: every one of them fails")).change(change)
    } else if took >= patience / 4 {
        Finding::warning("round trip", found).change(change)
    } else {
        Finding::ok("round trip", found)
    }
}

fn clocks(engine: Duration, ours: Duration) -> Finding {
    let apart = engine.abs_diff(ours);
    if apart < CLOCKS_APART {
        let found =
            format!("the engine's and this machine's are less than {} apart", show(CLOCKS_APART));
        return Finding::ok("clock", found);
    }
    let which = if engine > ours { "ahead of" } else { "behind" };
    let found = format!("the engine's is {} {which} that of this machine", show(apart));
    Finding::warning("clock", found)
        .change("let both follow NTP; leases bear steps of a clock, but end late after one")
}

#[expect(clippy::disallowed_methods, reason = "the wall clock itself is what is looked at")]
fn wall_clock() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Outcome;

    fn level(finding: Finding) -> Outcome {
        let mut findings = Findings::default();
        findings.add(finding);
        findings.worst()
    }

    #[test]
    fn what_is_slow_beside_renewals_is_found() {
        let ms = Duration::from_millis;
        let found = |took| level(round_trip(ms(took), ms(1_000)));
        assert_eq!(found(124), Outcome::Fine);
        assert_eq!(found(125), Outcome::Warned);
        assert_eq!(found(500), Outcome::Broken);
    }

    #[test]
    fn clocks_may_be_a_little_apart_in_both_directions() {
        let secs = Duration::from_secs;
        assert_eq!(level(clocks(secs(101), secs(100))), Outcome::Fine);
        assert_eq!(level(clocks(secs(103), secs(100))), Outcome::Warned);
        assert_eq!(level(clocks(secs(97), secs(100))), Outcome::Warned);
    }
}
