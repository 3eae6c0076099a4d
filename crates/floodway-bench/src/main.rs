//! Benchmarks of Floodway beside its peers: `cargo xtask bench <suite>`.
#![expect(clippy::print_stdout, reason = "figures are what this program is for")]

mod measure;
mod report;
mod suite;

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::{measure::Effort, report::Report};

/// Measures Floodway and a named peer in turn, in one run, and prints the median ratio.
#[derive(Parser)]
struct Arguments {
    /// What to measure.
    suite: Suite,
    /// Also write the figures to this file, as JSON.
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,
    /// Only this part of the suite, such as `identity` of `fan-out`.
    #[arg(long, value_name = "PART")]
    only: Option<String>,
    /// Fewer and shorter rounds: for a smoke test, not for figures to quote.
    #[arg(long)]
    quick: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Suite {
    /// Acquire, release and layer call beside tokio's semaphore and tower's concurrency limit.
    Limiter,
    /// Fan-outs beside `buffer_unordered`, futures-buffered, `JoinSet`, rayon and chunks by hand.
    FanOut,
    /// The batcher beside calls without it, the best fixed setting and the batchers of others:
    /// PostgreSQL, Redis, SQLite and a downstream of known costs.
    Batching,
    /// One budget across a fleet: what a leased permit and a renewal cost, and whether the budget holds
    /// while 32 processes are killed and stopped and Redis goes away. Takes 12 minutes.
    Fleet,
    /// What measuring costs: a permit beside `metrics` macros, a page, scrapes under overload, memory
    /// while nobody scrapes. Takes 13 minutes, ten of them for the last.
    Observability,
    /// Pools of PostgreSQL connections under overload, alone and behind what bounds them: sqlx,
    /// deadpool, bb8; and what a pool limiter costs.
    Pools,
}

fn main() -> anyhow::Result<()> {
    let mut words = std::env::args().skip(1).peekable();
    if words.peek().is_some_and(|word| word == suite::fleet::worker::WORD) {
        return suite::fleet::worker::run(words);
    }
    let arguments = Arguments::parse();
    let effort = if arguments.quick { Effort::QUICK } else { Effort::FULL };
    let report: Report = match arguments.suite {
        Suite::Limiter => {
            anyhow::ensure!(arguments.only.is_none(), "--only: the limiter suite has no parts");
            suite::limiter::run(effort)?
        }
        Suite::FanOut => suite::fan_out::run(effort, arguments.only.as_deref())?,
        Suite::Fleet => suite::fleet::run(effort, arguments.only.as_deref())?,
        Suite::Observability => suite::observability::run(effort, arguments.only.as_deref())?,
        Suite::Pools => suite::pools::run(effort, arguments.only.as_deref())?,
        Suite::Batching => suite::batching::run(effort, arguments.only.as_deref())?,
    };
    report.print();
    match &arguments.json {
        Some(path) => report.write(path),
        None => Ok(()),
    }
}
