//! Where installed programs are.

use std::{
    cmp::Reverse,
    env, fs,
    path::{Path, PathBuf},
};

/// Debian keeps each major version's server programs out of `PATH`, in a folder of its own.
const POSTGRES_ROOT: &str = "/usr/lib/postgresql";

/// The version that is tested most; others serve where it is missing.
const PREFERRED_POSTGRES: u32 = 15;

/// The first folder of `PATH` that has all of `names`.
pub(crate) fn folder_in_path(names: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).find(|folder| has_all(folder, names))
}

/// A folder with the server programs of PostgreSQL.
pub(crate) fn postgres_folder() -> Option<PathBuf> {
    let names = ["initdb", "postgres"];
    folder_in_path(&names).or_else(|| {
        let entries = fs::read_dir(POSTGRES_ROOT).ok()?;
        let mut versions: Vec<u32> =
            entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
        versions.sort_by_key(|version| (*version != PREFERRED_POSTGRES, Reverse(*version)));
        let folder = |version: u32| Path::new(POSTGRES_ROOT).join(version.to_string()).join("bin");
        versions.into_iter().map(folder).find(|folder| has_all(folder, &names))
    })
}

fn has_all(folder: &Path, names: &[&str]) -> bool {
    names.iter().all(|name| folder.join(name).is_file())
}
