//! `status`: who has what.

mod table;

use std::io::{self, IsTerminal as _};

use floodway_fleet::Status;
use serde::Serialize;
use tokio::time::sleep;

pub(crate) use self::table::{declared, plural};
use crate::{
    Outcome, arguments,
    engine::Engine,
    failure::Failure,
    output::{complain, say, say_json},
};

/// Clears a terminal and begins at its top.
const CLEAR: &str = "\x1b[H\x1b[2J";

#[derive(Serialize)]
struct Document<'a> {
    budgets: Vec<Named<'a>>,
}

#[derive(Serialize)]
struct Named<'a> {
    name: &'a str,
    /// What may be leased.
    usable: u32,
    #[serde(flatten)]
    status: &'a Status,
}

impl<'a> Named<'a> {
    fn of((name, status): &'a (String, Status)) -> Self {
        Self { name, usable: status.budget.saturating_sub(status.margin), status }
    }
}

pub(crate) async fn run(engine: &Engine, command: &arguments::Status) -> Result<Outcome, Failure> {
    let budget = command.budget.as_deref();
    // What fails at once is wrong with the command; later, with the engine.
    show(&engine.statuses(budget).await?, command)?;
    let Some(every) = command.watch else { return Ok(Outcome::Fine) };
    loop {
        sleep(every).await;
        match engine.statuses(budget).await {
            Ok(statuses) => show(&statuses, command)?,
            Err(failure) => complain(failure),
        }
    }
}

fn show(statuses: &[(String, Status)], command: &arguments::Status) -> io::Result<()> {
    if command.json {
        return say_json(&Document { budgets: statuses.iter().map(Named::of).collect() });
    }
    let texts: Vec<_> = statuses.iter().map(|(name, status)| table::of(name, status)).collect();
    let text = match texts.is_empty() {
        true => "no replica has leased anything yet".to_owned(),
        false => texts.join("\n\n"),
    };
    match command.watch {
        Some(_) if io::stdout().is_terminal() => say(format_args!("{CLEAR}{text}")),
        // One after another.
        Some(_) => say(format_args!("{text}\n")),
        None => say(text),
    }
}
