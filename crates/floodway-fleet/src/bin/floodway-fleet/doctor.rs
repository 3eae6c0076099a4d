//! `doctor`: what is wrong, and what to change.

mod budget;
mod database;
mod engine;
mod finding;

use std::time::Duration;

use floodway_fleet::Status;
use tokio::time::{sleep, timeout};

use self::finding::{Finding, Findings};
use crate::{Outcome, arguments::Doctor, engine::Engine, failure::Failure, time::show};

pub(crate) async fn run(
    engine: Result<Engine, Failure>,
    patience: Duration,
    command: &Doctor,
) -> Result<Outcome, Failure> {
    let mut findings = Findings::default();
    let engine = match engine {
        Err(Failure::NoEngine) => return Err(Failure::NoEngine),
        Err(failure) => {
            let change = "check the URL, the network and the credentials";
            findings.add(Finding::broken("engine", failure).change(change));
            None
        }
        Ok(engine) => Some(engine),
    };
    // Of the engine alone: without it nothing is known of budgets, nor what a database has to bear.
    if let Some(engine) = &engine
        && engine::examine(engine, command.refresh, &mut findings).await
    {
        budgets(engine, patience, command, &mut findings).await?;
    }
    findings.show(command.json)?;
    Ok(findings.worst())
}

async fn budgets(
    engine: &Engine,
    patience: Duration,
    command: &Doctor,
    findings: &mut Findings,
) -> Result<(), Failure> {
    let first = engine.statuses(command.budget.as_deref()).await?;
    let moves = |status: &Status| !status.replicas.is_empty() || !status.remnants.is_empty();
    let apart = command.refresh.mul_f64(1.5);
    if first.iter().any(|(_, status)| moves(status)) {
        sleep(apart).await;
    }
    if first.is_empty() {
        findings.add(Finding::warning("budgets", "no replica has leased anything yet"));
    }
    let mut second = Vec::new();
    for (name, before) in &first {
        let Some(now) = engine.find(name).await? else { continue };
        budget::examine(name, &budget::Looks { before, now: &now, apart }, findings);
        second.push((name.clone(), now));
    }
    let Some(url) = &command.database else { return Ok(()) };
    let [(name, status)] = &*second else {
        let names: Vec<_> = second.iter().map(|(name, _)| &**name).collect();
        return Err(Failure::Refused(format!(
            "--database is looked at beside one budget: name it; there are: {}",
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        )));
    };
    let examined = timeout(patience, database::examine(url, name, status, command, findings)).await;
    if examined.is_err() {
        let found = format!("the database has not answered within {}", show(patience));
        findings.add(Finding::broken("database", found).of(name));
    }
    Ok(())
}
