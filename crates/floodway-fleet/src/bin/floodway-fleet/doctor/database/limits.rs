//! Whether the database bears the budget, and stops what exceeds it.

use super::{super::Finding, Case, Check, facts::Role};

pub(super) const CHECKS: &[Check] = &[role, database, server];

fn role(case: &Case<'_>) -> Option<Finding> {
    let Role { quoted, limit, superuser, login, .. } = case.facts.role.as_ref()?;
    let (budget, usable) = (case.budget(), case.usable());
    let limit = i64::from(*limit);
    let change = format!("ALTER ROLE {quoted} CONNECTION LIMIT {budget}");
    let limited = format!("role {quoted} may have {limit} connections, the budget is {budget}");
    let check = "role limit";
    Some(if *superuser {
        let found = format!("role {quoted} is a superuser: no limit of connections holds for it");
        Finding::warning(check, found).change(format!(
            "let the replicas connect as an ordinary role with CONNECTION LIMIT {budget}"
        ))
    } else if !login {
        let found = format!("role {quoted} may not log in: replicas connect as another one");
        Finding::warning(check, found).change("give that with --role")
    } else if limit < 0 {
        let found = format!(
            "role {quoted} may have any number of connections: nothing stops what is not leased"
        );
        Finding::warning(check, found).change(change)
    } else if limit < usable {
        let found = format!(
            "{limited}, {usable} of it may be leased: replicas are refused what they were granted"
        );
        let or = format!("or `floodway-fleet set-budget {} {limit}`", case.name);
        Finding::broken(check, found).change(format!("{change}, {or}"))
    } else if limit < budget {
        let found = format!("{limited}: the margin is not there when it is needed");
        Finding::warning(check, found).change(change)
    } else if limit > budget {
        let found = format!("{limited}: what is not leased is stopped late");
        Finding::warning(check, found).change(change)
    } else {
        Finding::ok(check, limited)
    })
}

fn database(case: &Case<'_>) -> Option<Finding> {
    let database = &case.facts.database;
    let (limit, usable) = (i64::from(database.limit), case.usable());
    (0..usable).contains(&limit).then(|| {
        let quoted = &database.quoted;
        let found =
            format!("database {quoted} may have {limit} connections, {usable} may be leased");
        Finding::broken("database limit", found)
            .change(format!("ALTER DATABASE {quoted} CONNECTION LIMIT -1"))
    })
}

fn server(case: &Case<'_>) -> Option<Finding> {
    let (places, budget, usable) = (case.facts.places, case.budget(), case.usable());
    let others = case.facts.open.others;
    let check = "server limit";
    let has = format!("the server has {places} connections for ordinary roles");
    let change = format!(
        "raise max_connections, which takes a restart, or `floodway-fleet set-budget {}` to less",
        case.name
    );
    Some(if usable > places {
        let found =
            format!("{has}, {usable} may be leased: replicas are refused what they were granted");
        Finding::broken(check, found).change(change)
    } else if budget > places {
        Finding::warning(check, format!("{has}, the budget is {budget}")).change(change)
    } else if budget + others > places {
        let found = format!(
            "{has}; the budget of {budget} and the {others} that other roles have now exceed that"
        );
        Finding::warning(check, found).change(change)
    } else {
        Finding::ok(check, format!("{has}; the budget is {budget}, other roles have {others} now"))
    })
}
