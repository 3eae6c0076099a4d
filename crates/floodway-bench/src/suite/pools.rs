//! Connection pools of PostgreSQL on their own and behind what bounds them: under more load than
//! they can take, with callers that need several connections, and with callers that go away.

mod arms;
mod cancel;
mod cost;
mod drivers;
mod lap;
mod nested;
mod null;
mod open_loop;
mod overload;
mod server;

use std::time::Duration;

use tokio::runtime::Runtime;

use self::drivers::{Bb8, Deadpool, Sqlx};
use crate::{measure::Effort, report::Report};

type Part = fn(Plan, &mut Report) -> anyhow::Result<()>;

/// `--only` takes the name of one, or what several begin with before the dot.
const PARTS: [(&str, Part); 11] = [
    ("overload.sqlx", overload::measure::<Sqlx>),
    ("overload.deadpool", overload::measure::<Deadpool>),
    ("overload.bb8", overload::measure::<Bb8>),
    ("cost.permit", cost::permit_path),
    ("cost.sqlx", cost::connection::<Sqlx>),
    ("cost.deadpool", cost::connection::<Deadpool>),
    ("cost.bb8", cost::connection::<Bb8>),
    ("nested", nested::measure),
    ("cancel.sqlx", cancel::measure::<Sqlx>),
    ("cancel.deadpool", cancel::measure::<Deadpool>),
    ("cancel.bb8", cancel::measure::<Bb8>),
];

/// Of every pool.
const CONNECTIONS: u32 = 10;

/// Of the pools: how long somebody who asks for a connection waits for it.
const PATIENCE: Duration = Duration::from_secs(1);

/// Of a request: how long it may wait until its query begins. Shorter than [`PATIENCE`], so that it
/// is seen who of the two gave up.
const DEADLINE: Duration = Duration::from_millis(600);

/// What a request does with its connection.
const QUERY: &str = "SELECT pg_sleep(0.02)";

/// How much to measure.
#[derive(Clone, Copy, Debug)]
struct Plan {
    rounds: usize,
    /// What counts of a lap.
    lap: Duration,
}

impl Plan {
    fn new(effort: Effort) -> Self {
        let quick = effort.rounds <= Effort::QUICK.rounds;
        let (rounds, seconds) = if quick { (4, 5) } else { (6, 10) };
        Self { rounds, lap: Duration::from_secs(seconds) }
    }
}

pub(crate) fn run(effort: Effort, only: Option<&str>) -> anyhow::Result<Report> {
    let plan = Plan::new(effort);
    let mut report = Report::new("pools");
    let mut measured = false;
    for (_, measure) in PARTS.iter().filter(|(name, _)| only.is_none_or(|only| is(name, only))) {
        measure(plan, &mut report)?;
        measured = true;
    }
    let names = PARTS.map(|(name, _)| name).join(", ");
    anyhow::ensure!(measured, "--only: the parts of the pools suite are {names}");
    Ok(report)
}

fn is(part: &str, only: &str) -> bool {
    part == only || part.split('.').next() == Some(only)
}

/// With input, output and time. The load comes from a thread beside it.
fn runtime(threads: usize) -> anyhow::Result<Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?)
}
