//! How long the server keeps what a client has left behind that is gone.

use std::time::Duration;

use super::{super::Finding, Case, Check};
use crate::time::show;

/// A minute without a sign of life.
const SILENCE: i64 = 60;

pub(super) const CHECKS: &[Check] = &[checking, statements, keepalives];

fn millis(millis: i64) -> Duration {
    Duration::from_millis(millis.unsigned_abs())
}

/// In which statement a setting is made for the role alone.
fn alter(case: &Case<'_>) -> String {
    let role = case.facts.role.as_ref();
    format!("ALTER ROLE {} SET", role.map_or(&*case.facts.role_name, |role| &role.quoted))
}

fn checking(case: &Case<'_>) -> Option<Finding> {
    let every = case.facts.setting("client_connection_check_interval");
    let check = "connection check";
    let change = format!("{} client_connection_check_interval = '1s'", alter(case));
    Some(if every == 0 {
        let found = "client_connection_check_interval is 0: when a replica dies, its queries run to their end";
        Finding::warning(check, found).change(change)
    } else if millis(every) > case.command.ttl {
        let (every, ttl) = (show(millis(every)), show(case.command.ttl));
        let found = format!(
            "client_connection_check_interval is {every}, a lease lasts {ttl}: queries of a dead replica \
             outlive it"
        );
        Finding::warning(check, found).change(change)
    } else {
        let every = show(millis(every));
        Finding::ok(check, format!("queries of clients that are gone end within {every}"))
    })
}

fn statements(case: &Case<'_>) -> Option<Finding> {
    let timeout = case.facts.setting("statement_timeout");
    let linger = case.command.linger;
    let check = "statement timeout";
    // With such names there is somebody who closes what outlives a lease.
    let fenced = case.facts.open.named > 0;
    let set = format!(
        "{} statement_timeout = '30s', or what the longest query takes, and linger to no less (--linger tells \
         the doctor); or use a fence",
        alter(case)
    );
    Some(if timeout == 0 {
        let found = "statement_timeout is 0: nothing bounds how long a query outlives its lease";
        if fenced {
            Finding::ok(check, format!("{found}, but a fence"))
        } else {
            Finding::warning(check, format!("{found}, unless the replicas set it themselves"))
                .change(set)
        }
    } else if millis(timeout) > linger && !fenced {
        let found = format!(
            "statement_timeout is {}, linger {}: a query may outlive what is counted for it",
            show(millis(timeout)),
            show(linger)
        );
        Finding::warning(check, found).change(set)
    } else {
        Finding::ok(check, format!("queries end after {}", show(millis(timeout))))
    })
}

fn keepalives(case: &Case<'_>) -> Option<Finding> {
    let facts = case.facts;
    let check = "keepalives";
    if facts.local {
        return Some(Finding::ok(
            check,
            "not seen: the database was reached through a Unix socket",
        ));
    }
    let setting = |name| facts.setting(name);
    let (idle, interval) = (setting("tcp_keepalives_idle"), setting("tcp_keepalives_interval"));
    let count = setting("tcp_keepalives_count");
    let after = idle + interval * count;
    let shown = show(Duration::from_secs(after.unsigned_abs()));
    Some(if after > SILENCE || after == 0 {
        let found = format!(
            "a connection whose client's machine has vanished is noticed after {shown} \
             (tcp_keepalives_idle {idle} s, interval {interval} s, count {count})"
        );
        let alter = alter(case);
        Finding::warning(check, found).change(format!(
            "{alter} tcp_keepalives_idle = 10; {alter} tcp_keepalives_interval = 5; \
             {alter} tcp_keepalives_count = 3"
        ))
    } else {
        Finding::ok(check, format!("clients whose machine has vanished are noticed after {shown}"))
    })
}
