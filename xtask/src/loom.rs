//! `cargo xtask loom`: every interleaving of the atomics and locks of limiters and fan-outs, explored by loom.

use anyhow::Result;

use crate::{process, workspace};

pub(crate) fn run() -> Result<()> {
    let root = workspace::root();
    let mut command = process::cargo();
    // A target folder of its own: the flag would otherwise rebuild everything, twice.
    command
        .args(["test", "--release", "-p", "floodway", "--lib", "loom_tests"])
        .env("RUSTFLAGS", "--cfg floodway_loom")
        .env("CARGO_TARGET_DIR", root.join("target/loom"))
        .current_dir(root);
    process::run(&mut command)
}
