//! A file of a million lines through all cores, in order, with a place to go on from.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for people: results go to stdout, progress and errors to stderr"
)]

mod arguments;
mod bar;
mod input;
mod line;
mod output;
mod run;
mod summary;

use std::{path::Path, process::ExitCode};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use floodway::fan_out::StopReason;

use crate::{
    arguments::Arguments,
    run::{Ended, Job},
};

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
    let (input, output) = (arguments.input(), arguments.output());
    if arguments.file.is_none() {
        input::generate(&input, arguments.lines)
            .with_context(|| format!("cannot write {}", input.display()))?;
    }
    let lines = input::count(&input).with_context(|| cannot_read(&input))?;
    let resume_from = arguments.resume_from;
    ensure!(resume_from <= lines, "{} has only {lines} lines", input.display());

    let job = Job {
        input: input::Lines::open(&input, resume_from, lines)
            .with_context(|| cannot_read(&input))?,
        output: output::Output::open(&output, resume_from)?,
        resume_from,
        tolerance: arguments.tolerance,
        stop_after: arguments.stop_after,
    };
    let Ended { next, stats, stop } = job.run().await?;

    println!("{}", summary::shown(&stats));
    println!("{next} of {lines} lines are in {}.", output.display());
    if next < lines {
        println!("Stopped: {stop}. To go on: {}", arguments.again(next));
    }
    Ok(match stop {
        StopReason::Completed => ExitCode::SUCCESS,
        StopReason::Cancelled => ExitCode::from(INTERRUPTED),
        _ => ExitCode::FAILURE,
    })
}

fn cannot_read(path: &Path) -> String {
    format!("cannot read {}", path.display())
}
