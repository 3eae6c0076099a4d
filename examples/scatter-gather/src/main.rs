//! A page from four HTTP services, with what came in time and notes for the rest.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for people: results go to stdout, errors to stderr"
)]

mod arguments;
mod dashboard;
mod page;
mod serve;
mod services;
mod table;

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use tokio::time::Instant;

use crate::{arguments::Arguments, dashboard::Dashboard, services::Services};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match start(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn start(arguments: &Arguments) -> Result<()> {
    let services = Services::start().await.context("cannot start the services")?;
    let dashboard = Dashboard::new(services)?;
    if arguments.serve {
        return serve::until_ctrl_c(dashboard, arguments.port).await;
    }
    for round in 1..=arguments.rounds {
        let began = Instant::now();
        let report = dashboard.gather().await;
        let took = began.elapsed();
        let (pieces, all) = (report.values().count(), report.outcomes.len());
        println!("{}", table::shown(&report));
        println!(
            "Page {round}: {pieces} of {all} pieces after {} ms; the fan-out ended because: {}.",
            took.as_millis(),
            report.stop,
        );
        if round == arguments.rounds {
            println!("\nThe page:\n\n{}", page::render(&report));
        }
    }
    Ok(())
}
