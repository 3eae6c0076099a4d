//! What may be wrong with the database that a budget is for.

mod connections;
mod facts;
mod gone;
mod limits;

use floodway_fleet::Status;
use sqlx::{Connection as _, PgConnection, postgres::PgConnectOptions};

use self::facts::Facts;
use super::{Finding, Findings};
use crate::{arguments::Doctor, failure::with_causes};

/// The oldest server that closes connections of clients that are gone while a query runs.
const OLDEST: u32 = 140_000;

/// What is looked at, beside what.
struct Case<'a> {
    name: &'a str,
    status: &'a Status,
    command: &'a Doctor,
    facts: &'a Facts,
}

impl Case<'_> {
    fn budget(&self) -> i64 {
        self.status.budget.into()
    }

    fn usable(&self) -> i64 {
        self.status.budget.saturating_sub(self.status.margin).into()
    }
}

pub(super) async fn examine(
    url: &str,
    name: &str,
    status: &Status,
    command: &Doctor,
    findings: &mut Findings,
) {
    let add = |finding: Finding, findings: &mut Findings| findings.add(finding.of(name));
    let ours = ["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme));
    // What is wrong with it may quote the password.
    let Some(options) = ours.then(|| url.parse::<PgConnectOptions>().ok()).flatten() else {
        let found = "--database is not a URL of PostgreSQL";
        let change = "give one such as postgres://user:password@host:5432/database";
        return add(Finding::broken("database", found).change(change), findings);
    };
    let server = server(&options);
    let facts = match look(&options, name, command).await {
        Ok(facts) => facts,
        Err(error) => {
            let found = format!("PostgreSQL at {server}: {}", with_causes(&error));
            return add(Finding::broken("database", found), findings);
        }
    };
    let Facts { version, .. } = &facts;
    let found = format!("PostgreSQL {version} at {server}");
    if facts.version_number < OLDEST {
        let finding = Finding::broken("database", found).change(
            "use PostgreSQL 14 or later: earlier ones keep the queries of clients that are gone",
        );
        return add(finding, findings);
    }
    add(Finding::ok("database", found), findings);
    if facts.role.is_none() {
        let found = format!("there is no role {:?}", facts.role_name);
        let change = "give the one as which the replicas connect with --role";
        return add(Finding::broken("role", found).change(change), findings);
    }
    let case = Case { name, status, command, facts: &facts };
    for checks in [limits::CHECKS, gone::CHECKS, connections::CHECKS] {
        for finding in checks.iter().filter_map(|check| check(&case)) {
            add(finding, findings);
        }
    }
}

type Check = fn(&Case<'_>) -> Option<Finding>;

async fn look(
    options: &PgConnectOptions,
    budget: &str,
    command: &Doctor,
) -> Result<Facts, sqlx::Error> {
    let options = options.clone().application_name(facts::NAME);
    let mut connection = PgConnection::connect_with(&options).await?;
    let role = command.role.as_deref();
    let facts = Facts::of(&mut connection, budget, role).await;
    // All is known by now.
    let _ = connection.close().await;
    facts
}

fn server(options: &PgConnectOptions) -> String {
    let (host, port) = (options.get_host(), options.get_port());
    let socket = options.get_socket().map(|socket| socket.display().to_string());
    socket.unwrap_or_else(|| format!("{host}:{port}"))
}
