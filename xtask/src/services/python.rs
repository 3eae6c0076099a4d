//! A virtual environment of Python with the packages that tests use.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context, Result};

use super::{apt_get, apt_get_install};
use crate::{process, workspace};

/// With their versions, so that what a test says does not change by itself.
const PACKAGES: &[&str] = &["grafana-foundation-sdk==0.0.21"];

fn folder() -> PathBuf {
    workspace::root().join("target/floodway-python")
}

/// Written last: says that all packages are there, and in which versions.
fn stamp() -> PathBuf {
    folder().join("installed-packages")
}

/// The interpreter that has the packages, if they are installed.
pub(crate) fn installed() -> Option<PathBuf> {
    let complete =
        fs::read_to_string(stamp()).is_ok_and(|packages| packages == PACKAGES.join("\n"));
    Some(folder().join("bin/python")).filter(|python| complete && python.exists())
}

/// Makes the environment, unless it is complete.
///
/// # Errors
///
/// If Python is missing and cannot be installed, or a package cannot.
pub(super) fn install() -> Result<()> {
    if installed().is_some() {
        return Ok(());
    }
    let folder = folder();
    let make =
        || process::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder));
    if make().is_err() {
        // Debian keeps what a virtual environment needs out of its python3.
        process::run(apt_get()?.arg("update"))?;
        apt_get_install(&["python3-venv"])?;
        make()?;
    }
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    process::run(Command::new(folder.join("bin/python")).args(pip).args(PACKAGES))?;
    let stamp = stamp();
    fs::write(&stamp, PACKAGES.join("\n"))
        .with_context(|| format!("cannot write {}", stamp.display()))
}
