//! Rules about the manifests.

use std::path::Path;

use cargo_metadata::Metadata;

use super::{TextFile, Violation};

/// Section and line that every member has, so that one place decides for all.
const INHERITED: [(&str, &str); 4] = [
    ("[package]", "version.workspace = true"),
    ("[package]", "edition.workspace = true"),
    ("[package]", "license.workspace = true"),
    ("[lints]", "workspace = true"),
];

pub(super) fn check(metadata: &Metadata, files: &[TextFile]) -> Vec<Violation> {
    let manifests = files.iter().filter(|file| file.path.ends_with("Cargo.toml"));
    let mut found = Vec::new();
    for manifest in manifests {
        found.extend(wildcards(manifest));
        let package = metadata.workspace_packages().into_iter().find(|package| {
            package
                .manifest_path
                .strip_prefix(&metadata.workspace_root)
                .is_ok_and(|path| path == manifest.path.as_path())
        });
        if let Some(package) = package {
            found.extend(inherited(manifest));
            found.extend(folder(manifest, &package.name));
        }
    }
    found
}

fn wildcards(manifest: &TextFile) -> Vec<Violation> {
    let is_wildcard = |line: &str| !line.trim_start().starts_with('#') && line.contains("\"*\"");
    manifest
        .lines()
        .filter(|(_, line)| is_wildcard(line))
        .map(|(number, _)| manifest.violation(number, "a dependency names the version it needs"))
        .collect()
}

fn inherited(manifest: &TextFile) -> Vec<Violation> {
    let has = |section: &str, wanted: &str| {
        let mut current = "";
        manifest.text.lines().map(str::trim).any(|line| {
            if line.starts_with('[') {
                current = line;
            }
            current == section && line == wanted
        })
    };
    INHERITED
        .iter()
        .filter(|(section, wanted)| !has(section, wanted))
        .map(|(section, wanted)| {
            let at = manifest.lines().find(|(_, line)| line.trim() == *section);
            let message = format!("`{wanted}` is missing from {section}");
            manifest.violation(at.map_or(1, |(number, _)| number), message)
        })
        .collect()
}

/// A crate's folder is called as the crate is; examples and xtask need no long names.
fn folder(manifest: &TextFile, package: &str) -> Option<Violation> {
    let folder = manifest.path.parent()?;
    let in_crates = folder.parent() == Some(Path::new("crates"));
    (in_crates && folder.file_name()? != package)
        .then(|| manifest.violation(1, format!("the folder of package {package} has another name")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[package]\nname = \"floodway\"\nversion.workspace = true\n\
        edition.workspace = true\nlicense.workspace = true\n\n[lints]\nworkspace = true\n";

    fn manifest(text: &str) -> TextFile {
        TextFile { path: "crates/floodway/Cargo.toml".into(), text: text.into() }
    }

    #[test]
    fn what_is_not_inherited_is_found_at_its_section() {
        assert_eq!(inherited(&manifest(GOOD)), []);
        let text = GOOD.replace("edition.workspace = true", "edition = \"2021\"");
        let found = inherited(&manifest(&text));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].line, 1);
        assert!(found[0].message.contains("edition"), "{}", found[0]);
        assert_eq!(inherited(&manifest(&GOOD.replace("[lints]", "[other]"))).len(), 1);
    }

    #[test]
    fn wildcard_versions_are_found() {
        assert_eq!(wildcards(&manifest("a = \"1\"\nb = { version = \"*\" }\n"))[0].line, 2);
        assert_eq!(wildcards(&manifest("# \"*\"\nmembers = [\"crates/*\"]\n")), []);
    }

    #[test]
    fn a_crate_lives_in_the_folder_of_its_name() {
        assert_eq!(folder(&manifest(GOOD), "floodway"), None);
        assert!(folder(&manifest(GOOD), "other").is_some());
    }
}
