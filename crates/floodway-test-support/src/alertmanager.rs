//! `amtool`, the judge of what Alertmanager can read.

use std::path::PathBuf;

use crate::{binary, requirement};

/// Where `amtool` is; `None`, after saying so, if it is not installed.
///
/// # Panics
///
/// If it is not installed and [`required`](crate::required).
#[must_use]
pub fn amtool() -> Option<PathBuf> {
    let folder = binary::folder_in_path(&["amtool"]);
    if folder.is_none() {
        requirement::skip("amtool is not installed");
    }
    Some(folder?.join("amtool"))
}
