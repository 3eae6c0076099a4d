//! `cargo xtask ci`: everything that must pass before a change is merged, in order of cost.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use crate::{codegen, loom, process, sim, test, tidy, workspace};

pub(crate) fn run() -> Result<()> {
    step("formatting", || process::run(cargo("fmt").args(["--all", "--check"])))?;
    step("cargo xtask tidy", tidy::run)?;
    step("cargo xtask codegen --check", || codegen::run(&codegen::Args { check: true }))?;
    step("clippy", || {
        let all = ["--workspace", "--all-targets", "--all-features"];
        process::run(cargo("clippy").args(all).args(["--", "-D", "warnings"]))
    })?;
    // What only a feature uses is unused without it, and nothing else here sees that.
    step("clippy without default features", || {
        let libraries = tidy::published_crates().flat_map(|name| ["-p", name]);
        let bare = ["--lib", "--no-default-features"];
        process::run(cargo("clippy").args(libraries).args(bare).args(["--", "-D", "warnings"]))
    })?;
    step("documentation", || {
        let ours = ["--workspace", "--no-deps", "--all-features"];
        process::run(cargo("doc").args(ours).env("RUSTDOCFLAGS", "-D warnings"))
    })?;
    step("cargo xtask test --install-services", || {
        test::run(&test::Args { install_services: true, cargo_args: Vec::new() })
    })?;
    step("cargo xtask sim --quick", sim::quick)?;
    step("cargo xtask loom", loom::run)
}

fn step(name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    println!("== {name}");
    let (result, took) = timed(work);
    let seconds = took.as_secs_f64();
    result.with_context(|| format!("step `{name}` failed after {seconds:.1} s"))?;
    println!("== {name}: {seconds:.1} s");
    Ok(())
}

fn cargo(subcommand: &str) -> Command {
    let mut command = process::cargo();
    command.arg(subcommand).current_dir(workspace::root());
    command
}

#[expect(clippy::disallowed_methods, reason = "a report of how long a build step took")]
fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    (work(), start.elapsed())
}
