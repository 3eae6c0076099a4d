//! `promtool`, the judge of what Prometheus can read, and a Prometheus that reads it.

mod server;

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result};

pub use self::server::{Alert, Prometheus, Series};
use crate::{binary, requirement};

/// Where `promtool` is; `None`, after saying so, if it is not installed.
///
/// # Panics
///
/// If it is not installed and [`required`](crate::required).
#[must_use]
pub fn promtool() -> Option<PathBuf> {
    let folder = binary::folder_in_path(&["promtool"]);
    if folder.is_none() {
        requirement::skip("promtool is not installed");
    }
    Some(folder?.join("promtool"))
}

/// What `promtool check metrics` says about a page of metrics: nothing, or what is wrong with it.
///
/// `None` if [`promtool`] is not installed.
///
/// # Panics
///
/// If `promtool` is not installed and [`required`](crate::required), or cannot be run.
#[must_use]
pub fn promtool_check_metrics(text: &str) -> Option<Result<(), String>> {
    let promtool = promtool()?;
    let judged = check_metrics(&promtool, text);
    Some(judged.unwrap_or_else(|error| panic!("promtool check metrics: {error:?}")))
}

fn check_metrics(promtool: &Path, text: &str) -> Result<Result<(), String>> {
    let mut child = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", promtool.display()))?;
    // Taken, so that the pipe is closed before the wait. It is read to its end before anything
    // long is printed, so writing all of it first cannot block for good.
    let mut stdin = child.stdin.take().context("promtool has no standard input")?;
    stdin.write_all(text.as_bytes()).context("cannot write the page to promtool")?;
    drop(stdin);
    let output = child.wait_with_output().context("cannot read from promtool")?;
    if output.status.success() {
        return Ok(Ok(()));
    }
    let said = [output.stdout, output.stderr].concat();
    Ok(Err(String::from_utf8_lossy(&said).into_owned()))
}
