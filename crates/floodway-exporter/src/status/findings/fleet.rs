//! What is wrong with a lease, or with the fleet that shares its budget.

use super::{
    super::data::{FleetRow, rate_of},
    Severity::{self, Critical, Info, Warning},
    percent,
};

/// Seconds after which what the engine said last is not worth a word. Refreshes are a few seconds apart.
const FRESH: f64 = 30.0;

/// Of the renewals that end: more than a lost packet.
const OFTEN: f64 = 0.1;

pub(super) fn lease(row: &FleetRow) -> Vec<(Severity, String)> {
    let mut said = Vec::new();
    // The cause before what comes of it.
    said.extend(renewing(row));
    said.extend(own(row));
    let is_answered = row.state != Some("none");
    if is_answered && row.lease_age.is_some_and(|age| age < FRESH) {
        fleet(row, &mut said);
    }
    said
}

/// What this replica has, where that is not a lease.
fn own(row: &FleetRow) -> Option<(Severity, String)> {
    let granted = row.granted.unwrap_or(0.0);
    let until =
        row.lease_remaining.map_or_else(String::new, |left| format!(" for another {}", span(left)));
    match row.state? {
        "superseded" => Some((
            Critical,
            "another process has taken this replica's name: it has no permits until it is \
             restarted under a name of its own"
                .to_owned(),
        )),
        // Before the first answer, that is how every lease begins.
        "none" if row.lease_age.is_some_and(|age| age > 2.0) => {
            Some((Critical, "has no lease, and so no permits".to_owned()))
        }
        "reused" => Some((
            Warning,
            format!("its lease has lapsed: goes on with {granted:.0} permits{until}"),
        )),
        "floor" => {
            Some((Warning, format!("its lease has lapsed: uses its floor of {granted:.0}{until}")))
        }
        "unleased" => {
            Some((Warning, format!("has no lease: uses a share of {granted:.0} without one")))
        }
        "learning" => Some((
            Info,
            "the engine has lost what it knew, and grants no more than replicas had".to_owned(),
        )),
        "leased" => wanting(row, granted),
        _ => None,
    }
}

fn wanting(row: &FleetRow, granted: f64) -> Option<(Severity, String)> {
    let wanted = row.wanted.filter(|wanted| *wanted > granted)?;
    let usable = row.usable.filter(|usable| row.outstanding.is_some_and(|out| out >= *usable))?;
    Some((
        Warning,
        format!(
            "could use {wanted:.0} permits and has {granted:.0}: all {usable:.0} of the budget are \
             leased"
        ),
    ))
}

fn renewing(row: &FleetRow) -> Option<(Severity, String)> {
    let failed = rate_of(&row.renewals, &["timed_out", "failed"]);
    let ended = failed + rate_of(&row.renewals, &["granted", "refused", "ignored"]);
    let share = failed / ended;
    if failed > 0.0 && rate_of(&row.renewals, &["granted"]) == 0.0 {
        let text = format!("cannot reach its engine, {failed:.1} failures/s");
        // Whoever has no permits any more refuses callers.
        let has_some = row.granted.is_some_and(|granted| granted > 0.0);
        return Some((if has_some { Warning } else { Critical }, text));
    }
    // Nothing at all is no number, and nothing to say.
    (share > OFTEN).then(|| (Warning, format!("{} of its renewals fail", percent(share))))
}

/// What the engine says of all replicas.
fn fleet(row: &FleetRow, said: &mut Vec<(Severity, String)>) {
    let (usable, outstanding) = (row.usable.unwrap_or(0.0), row.outstanding.unwrap_or(0.0));
    if outstanding > usable {
        said.push((
            Warning,
            format!(
                "replicas hold {outstanding:.0} of {usable:.0} permits: they have to close some"
            ),
        ));
    }
    if row.disagreement {
        let budget = row.budget.unwrap_or(0.0);
        said.push((
            Warning,
            format!("replicas declare different budgets: {budget:.0} is in force for all of them"),
        ));
    }
    let (replicas, hungry) = (row.replicas.unwrap_or(0.0), row.hungry_replicas.unwrap_or(0.0));
    if replicas > usable {
        said.push((
            Warning,
            format!("{replicas:.0} replicas share {usable:.0} permits: not each can have one"),
        ));
    }
    if hungry > 0.0 {
        said.push((
            Info,
            format!(
                "{hungry:.0} of {replicas:.0} replicas have less than their fair share: others have \
                 not given theirs back yet"
            ),
        ));
    }
    if let Some(unfenced) = row.unfenced.filter(|unfenced| *unfenced > 0.0) {
        said.push((
            Info,
            format!(
                "{unfenced:.0} permits are held for replicas that are gone, until they are closed"
            ),
        ));
    }
}

fn span(seconds: f64) -> String {
    if seconds < 90.0 { format!("{seconds:.0} s") } else { format!("{:.0} min", seconds / 60.0) }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::check, *};
    use crate::status::change::Labelled;

    fn well() -> FleetRow {
        FleetRow {
            state: Some("leased"),
            granted: Some(10.0),
            wanted: Some(4.0),
            budget: Some(40.0),
            usable: Some(38.0),
            outstanding: Some(38.0),
            replicas: Some(4.0),
            lease_age: Some(0.5),
            renewals: renewals(1.0, 0.0),
            ..FleetRow::default()
        }
    }

    fn renewals(granted: f64, failed: f64) -> Vec<Labelled> {
        [("granted", granted), ("failed", failed)]
            .map(|(label, per_second)| Labelled { label, per_second, total: 100.0 })
            .into()
    }

    #[test]
    fn a_lease_that_is_well_says_nothing() {
        assert_eq!(lease(&well()), []);
        let begins = FleetRow {
            state: Some("none"),
            granted: Some(0.0),
            lease_age: Some(0.5),
            renewals: Vec::new(),
            ..well()
        };
        assert_eq!(lease(&begins), []);
    }

    #[test]
    fn a_lease_says_that_it_is_not_renewed_and_what_is_left() {
        let cut_off = FleetRow { renewals: renewals(0.0, 4.0), ..well() };
        check(&lease(&cut_off), Warning, "cannot reach its engine, 4.0 failures/s");
        let floor = FleetRow {
            state: Some("floor"),
            granted: Some(2.0),
            lease_remaining: Some(500.0),
            ..cut_off
        };
        check(&lease(&floor), Warning, "uses its floor of 2 for another 8 min");
        let ended =
            FleetRow { state: Some("none"), granted: Some(0.0), lease_age: Some(700.0), ..floor };
        let said = lease(&ended);
        check(&said, Critical, "has no lease, and so no permits");
        check(&said, Critical, "cannot reach its engine");
        let shaky = FleetRow { renewals: renewals(3.0, 1.0), ..well() };
        check(&lease(&shaky), Warning, "25 % of its renewals fail");
        let once = FleetRow { renewals: renewals(19.0, 1.0), ..well() };
        assert_eq!(lease(&once), []);
    }

    #[test]
    fn a_lease_says_whom_its_permits_went_to() {
        let taken = FleetRow { state: Some("superseded"), granted: Some(0.0), ..well() };
        check(&lease(&taken), Critical, "another process has taken this replica's name");
        let small = FleetRow { wanted: Some(14.0), ..well() };
        check(&lease(&small), Warning, "could use 14 permits and has 10: all 38 of the budget");
        // It will get what it wants: there is some left.
        let soon = FleetRow { outstanding: Some(30.0), ..small };
        assert_eq!(lease(&soon), []);
    }

    #[test]
    fn a_lease_says_what_the_engine_says_of_the_fleet_while_that_is_news() {
        let fleet = FleetRow {
            outstanding: Some(43.0),
            replicas: Some(60.0),
            hungry_replicas: Some(3.0),
            unfenced: Some(5.0),
            disagreement: true,
            ..well()
        };
        let said = lease(&fleet);
        check(&said, Warning, "43 of 38 permits");
        check(&said, Warning, "different budgets: 40 is in force");
        check(&said, Warning, "60 replicas share 38 permits");
        check(&said, Info, "3 of 60 replicas have less");
        check(&said, Info, "5 permits are held for replicas that are gone");
        assert_eq!(lease(&FleetRow { lease_age: Some(31.0), ..fleet }), []);
    }
}
