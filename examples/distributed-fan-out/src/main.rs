//! A million items through workers in several processes, with exactly one recorded outcome for each.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for people: results go to stdout, progress and errors to stderr"
)]

mod arguments;
mod compare;
mod coordinator;
mod server;
mod span;
mod stop;
mod store;
mod table;
mod unique;
mod url;
mod work;
mod worker;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use crate::{
    arguments::{Arguments, Command, RunArguments, WorkerArguments},
    server::Server,
};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let ended = match &arguments.command {
        Some(Command::Worker(arguments)) => work(arguments),
        None => coordinate(&arguments.run),
    };
    match ended {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn coordinate(arguments: &RunArguments) -> Result<ExitCode> {
    arguments.check()?;
    let server = Server::new(arguments.at.redis_url.as_deref())?;
    let stop = stop::switch(stop::signalled().await);
    let done = match arguments.compare_workers {
        true => compare::run(arguments, &server, &stop).await?,
        false => coordinator::run(arguments, &server, &stop).await?,
    };
    Ok(if done { ExitCode::SUCCESS } else { ExitCode::from(stop::INTERRUPTED) })
}

#[tokio::main]
async fn work(arguments: &WorkerArguments) -> Result<ExitCode> {
    let server = Server::new(arguments.at.redis_url.as_deref())?;
    let (signalled, attached) = (stop::signalled().await, arguments.attached);
    let stop = stop::switch(async move {
        tokio::select! {
            () = signalled => {}
            () = stop::orphaned(), if attached => {}
        }
    });
    worker::run(arguments, &server, &stop).await?;
    Ok(ExitCode::SUCCESS)
}
