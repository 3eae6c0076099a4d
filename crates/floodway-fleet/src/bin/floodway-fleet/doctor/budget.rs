//! What may be wrong with a budget.

use std::time::Duration;

use floodway_fleet::{MemberStatus, Status};

use super::{Finding, Findings};
use crate::{
    status::{declared, plural},
    time::{show, show_ms},
};

/// A budget, looked at twice.
pub(super) struct Looks<'a> {
    pub(super) before: &'a Status,
    pub(super) now: &'a Status,
    pub(super) apart: Duration,
}

pub(super) fn examine(name: &str, looks: &Looks<'_>, findings: &mut Findings) {
    let checks = [
        summary,
        declarations,
        learning,
        renewals,
        outstanding,
        replicas,
        floors,
        hungry,
        lapsed,
        left_behind,
    ];
    let found = checks.into_iter().filter_map(|check| check(name, looks));
    for finding in found {
        findings.add(finding.of(name));
    }
}

fn usable(status: &Status) -> u64 {
    status.budget.saturating_sub(status.margin).into()
}

fn summary(_: &str, looks: &Looks<'_>) -> Option<Finding> {
    let now = looks.now;
    let wanted: u64 = now.replicas.iter().map(|one| u64::from(one.want)).sum();
    let (out, usable) = (now.outstanding, usable(now));
    let replicas = plural(now.replicas.len(), "replica");
    let found = format!("{out} of {usable} permits out, to {replicas} that want {wanted}");
    Some(Finding::ok("budget", found))
}

fn declarations(name: &str, looks: &Looks<'_>) -> Option<Finding> {
    let now = looks.now;
    let kinds: Vec<_> = now.declared.iter().map(declared).collect();
    let kinds = if kinds.is_empty() { "nothing".to_owned() } else { kinds.join(", ") };
    let Status { budget, margin, .. } = now;
    if now.set_by_operator {
        let found = format!("an operator has set {budget} less {margin}, replicas declare {kinds}");
        return Some(Finding::ok("declared", found));
    }
    (now.declared.len() > 1).then(|| {
        let found = format!("replicas disagree: {kinds}; the lowest is in force");
        Finding::warning("declared", found).change(format!(
            "deploy the same everywhere, or `floodway-fleet set-budget {name} PERMITS`"
        ))
    })
}

fn learning(_: &str, looks: &Looks<'_>) -> Option<Finding> {
    looks.now.learning.then(|| {
        let found =
            "the engine has lost what it knew, learns from the replicas and grants nothing new yet";
        Finding::warning("learning", found)
            .change("wait for a lease's length; if it lasts, no replica renews")
    })
}

/// The fleet's time goes on with renewals only.
fn renewals(_: &str, looks: &Looks<'_>) -> Option<Finding> {
    let running = looks.now.replicas.iter().filter(|one| !one.lapsed).count();
    (running > 0 && looks.before.time_ms == looks.now.time_ms).then(|| {
        let found = format!(
            "none of {} has renewed within {}: their leases end at the next renewal of any",
            plural(running, "replica"),
            show(looks.apart)
        );
        Finding::warning("renewals", found).change(
            "see whether they run and reach the engine; if they renew less often, say so with --refresh",
        )
    })
}

fn outstanding(_: &str, looks: &Looks<'_>) -> Option<Finding> {
    let (out, usable) = (looks.now.outstanding, usable(looks.now));
    (out > usable).then(|| {
        let found = format!(
            "{out} permits are out, {usable} may be: the budget was lowered below what was held"
        );
        Finding::warning("outstanding", found).change(
            "wait until connections come back; if they do not, let pools close idle ones sooner",
        )
    })
}

fn running(status: &Status) -> impl Iterator<Item = &MemberStatus> {
    status.replicas.iter().filter(|one| !one.lapsed)
}

fn replicas(_: &str, looks: &Looks<'_>) -> Option<Finding> {
    let (replicas, usable) = (running(looks.now).count(), usable(looks.now));
    (replicas as u64 > usable).then(|| {
        let found = format!("{replicas} replicas share {usable} permits: they take turns of seconds");
        Finding::warning("replicas", found).change(
            "raise the budget, run fewer replicas, or put a pooler such as PgBouncer in front of the database",
        )
    })
}

fn floors(_: &str, looks: &Looks<'_>) -> Option<Finding> {
    let usable = usable(looks.now);
    let floors: u64 = looks.now.replicas.iter().map(|one| u64::from(one.floor)).sum();
    // Four fifths: with less than that left, hardly anything moves to where the load is.
    (floors > 0 && 5 * floors > 4 * usable).then(|| {
        let found =
            format!("floors take {floors} of {usable} permits: little moves to where the load is");
        Finding::warning("floors", found)
            .change("lower the floor of the replicas, or raise the budget")
    })
}

fn hungry(_: &str, looks: &Looks<'_>) -> Option<Finding> {
    let was = |one: &&MemberStatus| {
        looks.before.replicas.iter().any(|before| before.replica == one.replica && before.hungry)
    };
    let starving = running(looks.now).filter(|one| one.hungry).filter(was).count();
    (starving > 0 && looks.before.time_ms < looks.now.time_ms).then(|| {
        let of = looks.now.replicas.len();
        let found = format!(
            "{starving} of {of} replicas had less than their share for {}: others hold connections beyond theirs",
            show(looks.apart)
        );
        Finding::warning("shares", found)
            .change("let pools close idle connections sooner, and bound how long one is held")
    })
}

fn lapsed(name: &str, looks: &Looks<'_>) -> Option<Finding> {
    let lapsed: Vec<_> = looks.now.replicas.iter().filter(|one| one.lapsed).collect();
    let first = lapsed.first()?;
    let floors: u64 = lapsed.iter().map(|one| u64::from(one.floor)).sum();
    let found = format!(
        "{} not seen for a lease's length, such as {:?}, last {} ago; their floors hold {floors} permits",
        plural(lapsed.len(), "replica"),
        first.replica,
        show_ms(first.age_ms),
    );
    Some(Finding::warning("lapsed", found).change(format!(
        "if one is gone for good, `floodway-fleet evict {name} {}`; else see why it does not reach the engine",
        first.replica
    )))
}

fn left_behind(_: &str, looks: &Looks<'_>) -> Option<Finding> {
    let waited = |replica: &str, epoch| {
        let mut before = looks.before.remnants.iter();
        before.any(|one| one.replica == replica && one.epoch == epoch && one.remaining_ms.is_none())
    };
    let waiting = looks.now.remnants.iter().filter(|one| one.remaining_ms.is_none());
    let waiting: Vec<_> = waiting.filter(|one| waited(&one.replica, one.epoch)).collect();
    let first = waiting.first()?;
    let permits: u64 = waiting.iter().map(|one| u64::from(one.permits)).sum();
    let found = format!(
        "{permits} permits of leases that have ended, such as {} of {:?}, wait for a fence to close their \
         connections, and none does",
        first.epoch, first.replica
    );
    Some(Finding::warning("left behind", found).change(
        "see floodway_fleet_fence_failures_total and the logs of a replica that has a fence; look again with \
         --database",
    ))
}
