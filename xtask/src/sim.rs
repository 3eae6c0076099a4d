//! `cargo xtask sim`: limit algorithms, chunks of fan-outs, batches and fleets, simulated in release mode.

use std::{
    path::PathBuf,
    process::{Command, ExitCode},
};

use anyhow::Result;

use crate::process;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Also write the figures here, as JSON.
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,
    /// Few seeds: compares with the committed figures and writes no report.
    #[arg(long)]
    quick: bool,
    /// Compares with the committed report and leaves it as it is.
    #[arg(long)]
    check: bool,
    /// One of the reports: `limits`, `chunks`, `batching` or `fleet`.
    report: Option<String>,
    /// The same.
    #[arg(long, value_name = "REPORT", conflicts_with = "report")]
    only: Option<String>,
    /// Of batches, the settings whose identifier contains this; writes no report.
    #[arg(long, value_name = "PART")]
    setting: Option<String>,
}

/// Gives the exit code of the simulator: failure if an algorithm got worse.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let mut command = simulator();
    if let Some(path) = &args.json {
        command.arg("--json").arg(path);
    }
    if args.quick {
        command.arg("--quick");
    }
    if args.check {
        command.arg("--check");
    }
    if let Some(report) = args.report.as_ref().or(args.only.as_ref()) {
        command.arg("--only").arg(report);
    }
    if let Some(setting) = &args.setting {
        command.arg("--setting").arg(setting);
    }
    process::forward(&mut command)
}

/// What must pass before a change is merged.
pub(crate) fn quick() -> Result<()> {
    process::run(simulator().arg("--quick"))
}

fn simulator() -> Command {
    let mut command = process::cargo();
    // The folder stays the caller's, so that a relative PATH means what the caller sees.
    command.args(["run", "--release", "-p", "floodway-sim", "--features", "report", "--"]);
    command
}
