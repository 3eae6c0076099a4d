//! Running the tools of Prometheus and Alertmanager on files of the workspace.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::workspace;

pub(super) fn root() -> PathBuf {
    workspace::root()
}

/// Runs promtool, where it is installed, and fails with what it says if it fails.
#[track_caller]
pub(super) fn promtool(args: impl IntoIterator<Item = PathBuf>) {
    if let Some(promtool) = floodway_test_support::promtool() {
        run(&promtool, args);
    }
}

/// What amtool says; `None` where it is not installed.
#[track_caller]
pub(super) fn amtool(args: impl IntoIterator<Item = PathBuf>) -> Option<String> {
    Some(run(&floodway_test_support::amtool()?, args))
}

#[track_caller]
fn run(tool: &Path, args: impl IntoIterator<Item = PathBuf>) -> String {
    let output = Command::new(tool).args(args).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{complained}");
    said
}
