//! The text of statements.
//!
//! They are sent as text, values included, because only so do several go in one message: a renewal is two
//! messages there and back instead of six, and holds its row for one. It also leaves nothing prepared
//! behind, which poolers that give out a connection per transaction do not bear.

use floodway_control::fleet::{LAPSES_PER_STEP, Ledger, Member, Remnant};
use serde::Serialize;

/// Which rows of a budget a step needs, beside its account.
#[derive(Clone, Debug)]
pub(super) enum Rows {
    None,
    All,
    /// A replica, and what it has left behind.
    Replica(String),
    /// What these leases have left behind.
    Leases(Vec<(String, u64)>),
}

/// `text` as a literal, as `quote_literal` has it.
pub(super) fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') {
        // Means the same whatever `standard_conforming_strings` is.
        format!("E'{}'", quoted.replace('\\', "\\\\"))
    } else {
        format!("'{quoted}'")
    }
}

fn json(value: &impl Serialize) -> Result<String, sqlx::Error> {
    let text = serde_json::to_string(value);
    Ok(literal(&text.map_err(|error| sqlx::Error::Encode(error.into()))?))
}

/// Begins a step: locks the account of `budget`, which is in `first` if there is none yet.
pub(super) fn begin(budget: &str, first: Option<&str>) -> String {
    let budget = literal(budget);
    let create = first.map_or_else(String::new, |state| {
        format!(
            "INSERT INTO floodway_fleet_account (budget, state) VALUES ({budget}, {}) \
             ON CONFLICT (budget) DO NOTHING;",
            literal(state)
        )
    });
    // Should this process stop in the middle, others get the lock soon. What follows is another
    // statement, so that it sees what was committed before the lock was given.
    format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED;\
         SET LOCAL statement_timeout = 2000;\
         SET LOCAL idle_in_transaction_session_timeout = 2000;\
         {create}\
         SELECT FROM floodway_fleet_account WHERE budget = {budget} FOR UPDATE;"
    )
}

/// Reads the account of `budget` and `rows`, the wall clock, and when something ends first.
pub(super) fn read(budget: &str, rows: &Rows) -> String {
    let budget = literal(budget);
    let (members, remnants) = match rows {
        Rows::None => ("false".to_owned(), "false".to_owned()),
        Rows::All => ("true".to_owned(), "true".to_owned()),
        Rows::Replica(replica) => {
            let it = format!("replica = {}", literal(replica));
            (it.clone(), it)
        }
        Rows::Leases(leases) => {
            let leases: Vec<_> = leases
                .iter()
                .map(|(replica, epoch)| format!("({}, {epoch})", literal(replica)))
                .collect();
            let leases = leases.join(", ");
            let any = if leases.is_empty() { "false".to_owned() } else { in_list(&leases) };
            ("false".to_owned(), any)
        }
    };
    format!(
        "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS wall, \
         account.state::text AS account, \
         (SELECT coalesce(json_agg(state), '[]')::text FROM floodway_fleet_member \
          WHERE budget = {budget} AND {members}) AS members, \
         (SELECT coalesce(json_agg(state), '[]')::text FROM floodway_fleet_remnant \
          WHERE budget = {budget} AND {remnants}) AS remnants, \
         least((SELECT min(due) FROM floodway_fleet_member WHERE budget = {budget}), \
          (SELECT min(due) FROM floodway_fleet_remnant WHERE budget = {budget})) AS earliest \
         FROM floodway_fleet_account AS account WHERE account.budget = {budget};"
    )
}

fn in_list(leases: &str) -> String {
    format!("(replica, epoch) IN ({leases})")
}

/// Reads what ends first until `now`: of as many as end in one step, the replicas and all that those have
/// left behind.
pub(super) fn read_due(budget: &str, now: u64) -> String {
    let budget = literal(budget);
    format!(
        "WITH ending AS (\
          SELECT replica FROM (\
           SELECT replica, NULL::bigint AS epoch, due FROM floodway_fleet_member \
           WHERE budget = {budget} AND due <= {now} \
           UNION ALL SELECT replica, epoch, due FROM floodway_fleet_remnant \
           WHERE budget = {budget} AND due <= {now}) AS ended \
          ORDER BY due, replica, epoch NULLS FIRST LIMIT {LAPSES_PER_STEP}) \
         SELECT (SELECT coalesce(json_agg(state), '[]')::text FROM floodway_fleet_member \
          WHERE budget = {budget} AND replica IN (SELECT replica FROM ending)) AS members, \
         (SELECT coalesce(json_agg(state), '[]')::text FROM floodway_fleet_remnant \
          WHERE budget = {budget} AND replica IN (SELECT replica FROM ending)) AS remnants;"
    )
}

/// Writes what differs between both, and ends the step.
pub(super) fn commit(budget: &str, before: &Ledger, after: &Ledger) -> Result<String, sqlx::Error> {
    let budget = literal(budget);
    let mut sql = String::new();
    if before.account() != after.account() {
        let state = json(after.account())?;
        sql +=
            &format!("UPDATE floodway_fleet_account SET state = {state} WHERE budget = {budget};");
    }
    for gone in before.members().filter(|one| member(after, one).is_none()) {
        let replica = literal(&gone.replica);
        sql += &format!(
            "DELETE FROM floodway_fleet_member WHERE budget = {budget} AND replica = {replica};"
        );
    }
    for changed in after.members().filter(|one| member(before, one) != Some(one)) {
        let (replica, due, state) = (literal(&changed.replica), changed.due, json(changed)?);
        sql += &format!(
            "INSERT INTO floodway_fleet_member (budget, replica, due, state) \
             VALUES ({budget}, {replica}, {due}, {state}) ON CONFLICT (budget, replica) \
             DO UPDATE SET due = excluded.due, state = excluded.state;"
        );
    }
    for gone in before.remnants().filter(|one| remnant(after, one).is_none()) {
        let (replica, epoch) = (literal(&gone.replica), gone.epoch);
        sql += &format!(
            "DELETE FROM floodway_fleet_remnant \
             WHERE budget = {budget} AND replica = {replica} AND epoch = {epoch};"
        );
    }
    for changed in after.remnants().filter(|one| remnant(before, one) != Some(one)) {
        let (replica, epoch, state) = (literal(&changed.replica), changed.epoch, json(changed)?);
        let due = changed.due.map_or_else(|| "NULL".to_owned(), |due| due.to_string());
        sql += &format!(
            "INSERT INTO floodway_fleet_remnant (budget, replica, epoch, due, state) \
             VALUES ({budget}, {replica}, {epoch}, {due}, {state}) \
             ON CONFLICT (budget, replica, epoch) \
             DO UPDATE SET due = excluded.due, state = excluded.state;"
        );
    }
    Ok(sql + "COMMIT;")
}

fn member<'a>(ledger: &'a Ledger, like: &Member) -> Option<&'a Member> {
    ledger.members().find(|one| one.replica == like.replica)
}

fn remnant<'a>(ledger: &'a Ledger, like: &Remnant) -> Option<&'a Remnant> {
    ledger.remnants().find(|one| one.replica == like.replica && one.epoch == like.epoch)
}

#[cfg(test)]
mod tests {
    use super::literal;

    #[test]
    fn literals_end_where_they_end() {
        for (text, quoted) in
            [("a", "'a'"), ("it's", "'it''s'"), ("\\", "E'\\\\'"), ("\\'; --", "E'\\\\''; --'")]
        {
            assert_eq!(literal(text), quoted, "{text}");
        }
    }
}
