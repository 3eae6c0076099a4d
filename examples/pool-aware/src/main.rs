//! An axum service on an sqlx pool, with and without a limiter that knows the pool.
//!
//! - `connection.rs`: an extractor that hands a handler a connection that is ready for use.
//! - `service.rs`: the routes; one of them takes two connections and is inside a `PoolLimitLayer`.
//! - `plain.rs`: the same routes on the bare pool.
//!
//! Without arguments both are put under up to ten times the load that the pool can serve, which
//! takes less than a minute; `--serve` serves the limited one, with `/metrics`, until Ctrl-C.
//!
//! ```sh
//! cargo run --release -p floodway-pool-aware
//! cargo run --release -p floodway-pool-aware -- --serve
//! # The pictures of docs/guides/pools, with a PostgreSQL:
//! cargo run --release -p floodway-pool-aware -- --database-url postgres://… --seconds 5 \
//!     --load 0.5x,1x,1.5x,2x,3x,5x,7x,10x --svg docs/guides/pools --json docs/guides/pools/load.json
//! ```
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for people: results go to stdout, progress and errors to stderr"
)]

mod arguments;
mod arm;
mod charts;
mod compare;
mod connection;
mod database;
mod load;
mod plain;
mod report;
mod serve;
mod service;
mod table;
mod url;

use std::{
    fs::{self, OpenOptions},
    future::{pending, poll_fn},
    path::Path,
    process::ExitCode,
    task::Poll,
};

use anyhow::{Context, Result};
use clap::Parser;

use crate::{arguments::Arguments, database::Database};

/// What shells expect of a program that Ctrl-C has ended.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match start(&arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn start(arguments: &Arguments) -> Result<ExitCode> {
    arguments.check()?;
    let interrupted = ctrl_c().await;
    let database = Database::open(arguments.database_url.as_deref()).await?;
    if arguments.serve {
        serve::until(interrupted, &database, arguments.port).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let outcome = tokio::select! {
        outcome = compared(arguments, &database) => outcome.map(|()| ExitCode::SUCCESS),
        () = interrupted => Ok(ExitCode::from(INTERRUPTED)),
    };
    database.remove().await;
    outcome
}

/// Gives what is done with the next Ctrl-C, which does not end the process from now on.
async fn ctrl_c() -> impl Future<Output = ()> {
    let mut pressed = Box::pin(async {
        // Without a handler there is nothing to wait for, and Ctrl-C ends the process as ever.
        if tokio::signal::ctrl_c().await.is_err() {
            pending::<()>().await;
        }
    });
    // The first poll installs the handler.
    poll_fn(|context| Poll::Ready(pressed.as_mut().poll(context).is_ready())).await;
    pressed
}

async fn compared(arguments: &Arguments, database: &Database) -> Result<()> {
    if let Some(path) = &arguments.json {
        check_writable(path)?;
    }
    if let Some(folder) = &arguments.svg {
        fs::create_dir_all(folder)
            .with_context(|| format!("--svg {}: cannot create", folder.display()))?;
    }
    let report = compare::run(arguments, database).await?;
    println!("{}", table::shown(&report));
    for sentence in table::sentences(&report) {
        println!("{sentence}");
    }
    if let Some(path) = &arguments.json {
        let json = serde_json::to_string_pretty(&report)?;
        write(path, &(json + "\n"), "--json")?;
    }
    if let Some(folder) = &arguments.svg {
        write(&folder.join("goodput.svg"), &charts::goodput(&report)?, "--svg")?;
        write(&folder.join("latency.svg"), &charts::latency(&report)?, "--svg")?;
    }
    Ok(())
}

/// Before anything is measured.
fn check_writable(path: &Path) -> Result<()> {
    // Not truncated: if the run fails, an earlier report is still there.
    OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(false)
        .open(path)
        .map(drop)
        .with_context(|| format!("--json {}: cannot write", path.display()))
}

fn write(path: &Path, text: &str, option: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("{option} {}: cannot write", path.display()))
}
