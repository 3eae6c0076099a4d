//! Whether connections are those that the fleet counts.

use floodway_fleet::{Left, RemnantStatus};

use super::{super::Finding, Case, Check};

pub(super) const CHECKS: &[Check] = &[counted, named, left_behind];

fn counted(case: &Case<'_>) -> Option<Finding> {
    let (open, out) = (case.facts.open.role, case.status.outstanding);
    let role = &case.facts.role_name;
    let found = format!("role {role:?} has {open} connections open, the fleet counts {out}");
    Some(if open.unsigned_abs() > out {
        Finding::warning("connections", format!("{found}: some are not leased")).change(
            "find who connects as that role without a lease (pg_stat_activity), and give it another role",
        )
    } else {
        Finding::ok("connections", found)
    })
}

fn named(case: &Case<'_>) -> Option<Finding> {
    let open = &case.facts.open;
    let nameless = open.role - open.named;
    (open.named > 0 && nameless > 0).then(|| {
        let found = format!(
            "{nameless} of {} connections lack the name of a lease: a fence does not find them",
            open.role
        );
        Finding::warning("names", found).change(
            "let pools open nothing before they have a lease: connect_lazy and min_connections(0), with \
             on_lease(name_connections(&pool))",
        )
    })
}

fn left_behind(case: &Case<'_>) -> Option<Finding> {
    let waiting: Vec<_> =
        case.status.remnants.iter().filter(|one| one.remaining_ms.is_none()).collect();
    let first = waiting.first()?;
    let still = |one: &&RemnantStatus| {
        let name = Left::name(case.name, one.epoch, &one.replica);
        case.facts.open.by_name.get(&name).copied().unwrap_or_default()
    };
    let open: i64 = waiting.iter().map(still).sum();
    Some(if open > 0 {
        let found = format!("{open} connections of leases that have ended are still open");
        Finding::warning("left behind", found).change(
            "let a replica have a fence that may close them; or close them by hand with \
             pg_terminate_backend, then evict their replica",
        )
    } else {
        let found = "no connection has the name of a lease that has ended and waits for a fence";
        Finding::warning("left behind", found).change(format!(
            "if the pools are named, `floodway-fleet evict {} {} --yes`",
            case.name, first.replica
        ))
    })
}
