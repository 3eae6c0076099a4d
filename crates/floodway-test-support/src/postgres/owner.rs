//! The user as whom PostgreSQL runs, which refuses to run as root.

use std::{
    os::unix::{fs::chown, process::CommandExt},
    path::Path,
    process::Command,
};

use anyhow::{Context, Result, bail};

/// Somebody who is not root.
#[derive(Clone, Copy, Debug)]
pub(super) enum Owner {
    /// The user who runs the test.
    Caller,
    /// The user whom the package of PostgreSQL created, because the caller is root.
    Postgres { uid: u32, gid: u32 },
}

impl Owner {
    pub(super) fn new() -> Result<Self> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self::Caller);
        }
        Ok(Self::Postgres { uid: id("-u")?, gid: id("-g")? })
    }

    /// Makes `path` this user's.
    pub(super) fn give(self, path: &Path) -> Result<()> {
        match self {
            Self::Caller => Ok(()),
            Self::Postgres { uid, gid } => chown(path, Some(uid), Some(gid))
                .with_context(|| format!("cannot give {} to user postgres", path.display())),
        }
    }

    /// Makes `command` run as this user.
    pub(super) fn run_as(self, command: &mut Command) {
        if let Self::Postgres { uid, gid } = self {
            command.uid(uid).gid(gid);
        }
    }
}

/// A number of the user `postgres`.
fn id(which: &str) -> Result<u32> {
    let output = Command::new("id")
        .args([which, "postgres"])
        .output()
        .with_context(|| format!("cannot run `id {which} postgres`"))?;
    if !output.status.success() {
        bail!("PostgreSQL does not run as root and there is no user postgres");
    }
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().with_context(|| format!("`id {which} postgres` printed {text:?}"))
}
