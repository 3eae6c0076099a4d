//! The command line of `cargo xtask`: what can be automated, and which module does it.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool talks to its user"
)]

mod bench;
mod ci;
mod codegen;
mod dashboards;
mod loom;
mod process;
mod services;
mod sim;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Automation for this workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write docs/metrics.md, dashboards, rules and their tests from the metric catalogue.
    Codegen(codegen::Args),
    /// Draw the dashboards, and take pictures of the status page.
    Dashboards(dashboards::Args),
    /// Check the rules that neither the compiler nor clippy knows.
    Tidy,
    /// Run all tests of the workspace.
    Test(test::Args),
    /// Run one suite of benchmarks in release mode.
    Bench(bench::Args),
    /// Simulate limit algorithms, chunks and batches, and write docs/reports/limits.md, chunks.md and
    /// batching.md.
    Sim(sim::Args),
    /// Explore every interleaving of the limiter with loom.
    Loom,
    /// Run everything that must pass before a change is merged.
    Ci,
}

fn main() -> ExitCode {
    dispatch().unwrap_or_else(|error| {
        // Without a backtrace: what fails here is a check or another program, not this code.
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

fn dispatch() -> anyhow::Result<ExitCode> {
    match Cli::parse().command {
        Command::Codegen(args) => codegen::run(&args)?,
        Command::Dashboards(args) => return dashboards::run(&args),
        Command::Tidy => tidy::run()?,
        Command::Test(args) => test::run(&args)?,
        Command::Bench(args) => return bench::run(&args),
        Command::Sim(args) => return sim::run(&args),
        Command::Loom => loom::run()?,
        Command::Ci => ci::run()?,
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
