//! The same service with and without Floodway, under several times its load.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for people: results go to stdout, progress and errors to stderr"
)]

mod arguments;
mod arm;
mod database;
mod inserts;
mod latency;
mod load;
mod orders;
mod partners;
mod progress;
mod report;
mod run;
mod server;
mod stop;

use std::{process::ExitCode, time::Duration};

use anyhow::{Context, Result};
use clap::Parser;
use tokio::runtime;

use crate::{arguments::Arguments, stop::Stop};

/// What shells expect of a program that Ctrl-C has ended.
const INTERRUPTED: u8 = 130;

/// How long what still runs may take in the end.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

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

fn start(arguments: &Arguments) -> Result<ExitCode> {
    // Under overload the plain service holds thousands of connections, and so does its client.
    // Where the limit cannot be raised, the client counts the connections that it does not get.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    // Two runtimes, so that a busy service does not hold back the requests of others.
    let server = runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("server")
        .enable_all()
        .build()
        .context("cannot start the threads of the server")?;
    prioritize_this_thread();
    let client = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the thread of the client")?;
    let interrupted = client.block_on(async {
        let stop = Stop::on_ctrl_c();
        run::run(arguments, server.handle(), &stop).await?;
        // Without load, Ctrl-C is the way to end.
        Ok::<_, anyhow::Error>(stop.is_requested() && !arguments.serve)
    })?;
    server.shutdown_timeout(SHUTDOWN_TIMEOUT);
    Ok(if interrupted { ExitCode::from(INTERRUPTED) } else { ExitCode::SUCCESS })
}

/// The load generator shares the machine with what it measures, and its requests must not be late
/// because of that. The threads of the server were started before and keep their priority.
fn prioritize_this_thread() {
    // On Linux this is the calling thread alone. Only root may; for others requests are late by
    // milliseconds now and then, which counts as latency of the service.
    let _ = rustix::process::setpriority_process(None, -10);
}
