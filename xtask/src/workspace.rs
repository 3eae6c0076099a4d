//! Where the workspace is and which files it holds.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use cargo_metadata::{Metadata, MetadataCommand};

use crate::process;

/// The folder of the root manifest.
pub(crate) fn root() -> PathBuf {
    // Cargo sets the variable when it runs this program; the compiled-in value serves when the
    // binary is started by hand.
    let manifest = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    manifest.parent().map_or_else(|| manifest.clone(), Path::to_path_buf)
}

/// Every file below `root` except build output and version control, in a stable order.
pub(crate) fn files(root: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries =
            fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot list {}", folder.display()))?;
            let path = entry.path();
            let kind = entry
                .file_type()
                .with_context(|| format!("cannot read the type of {}", path.display()))?;
            // `.git` is a file in a worktree, with the path of the repository.
            if path == root.join("target") || path == root.join(".git") {
                continue;
            }
            if kind.is_file() {
                found.push(path);
            } else if kind.is_dir() {
                folders.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The packages of the workspace and their resolved dependencies on this platform.
pub(crate) fn metadata() -> Result<Metadata> {
    // Without a platform cargo would download what only other systems need.
    let host = process::output(
        std::process::Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
            .args(["--print", "host-tuple"]),
    )?;
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .other_options(["--filter-platform".to_owned(), host])
        .exec()
        .context("cannot read the workspace with `cargo metadata`")
}
