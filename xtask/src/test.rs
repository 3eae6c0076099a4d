//! `cargo xtask test`: all tests of the workspace, with real servers on request.

use anyhow::Result;

use crate::{process, services, workspace};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Install the servers and tools that tests use, and fail tests that cannot find them.
    ///
    /// Without this flag such tests are skipped where a program is missing.
    #[arg(long)]
    pub(crate) install_services: bool,
    /// More arguments for `cargo test`.
    #[arg(last = true)]
    pub(crate) cargo_args: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let mut command = process::cargo();
    command
        .args(["test", "--workspace", "--all-features"])
        .args(&args.cargo_args)
        .current_dir(workspace::root());
    if args.install_services {
        services::install()?;
        command.env("FLOODWAY_REQUIRE_SERVICES", "1");
    }
    process::run(&mut command)
}
