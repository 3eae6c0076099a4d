//! `cargo xtask bench`: one suite of benchmarks in release mode.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;

use crate::process;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Which suite: `limiter`, `fan-out`, `batching`, `pools`, `fleet`, `observability`.
    suite: String,
    /// Also write the results here, as JSON.
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,
    /// Only this part of the suite, such as `identity` of `fan-out` or `postgres` of `batching`.
    #[arg(long, value_name = "PART")]
    only: Option<String>,
    /// Short runs that show whether the suite works, not what it measures.
    #[arg(long)]
    quick: bool,
}

/// Gives the exit code of the benchmark.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let mut command = process::cargo();
    // The folder stays the caller's, so that a relative PATH means what the caller sees.
    command.args(["run", "--release", "-p", "floodway-bench", "--", &args.suite]);
    if let Some(path) = &args.json {
        command.arg("--json").arg(path);
    }
    if let Some(part) = &args.only {
        command.arg("--only").arg(part);
    }
    if args.quick {
        command.arg("--quick");
    }
    process::forward(&mut command)
}
