//! Which crate may depend on which.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, Package, PackageId};

use super::Violation;

/// What a crate may depend on inside the workspace; tests may use more.
#[derive(Clone, Copy)]
enum Allowed {
    /// These.
    Only(&'static [&'static str]),
    /// Whatever is published.
    Published,
    /// Whatever there is.
    Anything,
}

/// A row of the table.
struct Rule {
    /// The package's name.
    package: &'static str,
    published: bool,
    allowed: Allowed,
}

const fn library(package: &'static str, allowed: &'static [&'static str]) -> Rule {
    Rule { package, published: true, allowed: Allowed::Only(allowed) }
}

const fn internal(package: &'static str, allowed: Allowed) -> Rule {
    Rule { package, published: false, allowed }
}

/// Requests flow from `floodway-tower` and `floodway-pool` through `floodway` to
/// `floodway-control`, measurements from `floodway` through `floodway-metrics` to
/// `floodway-exporter`, and no arrow returns.
const RULES: &[Rule] = &[
    library("floodway-control", &[]),
    library("floodway-metrics", &[]),
    library("floodway", &["floodway-control", "floodway-metrics"]),
    library("floodway-tower", &["floodway"]),
    library("floodway-pool", &["floodway"]),
    library("floodway-exporter", &["floodway-metrics"]),
    library("floodway-fleet", &["floodway", "floodway-control", "floodway-metrics"]),
    internal("floodway-test-support", Allowed::Only(&[])),
    internal("floodway-sim", Allowed::Only(&["floodway-control"])),
    internal("floodway-bench", Allowed::Anything),
    internal("xtask", Allowed::Only(&["floodway-metrics"])),
];

/// Every package in this folder falls under [`EXAMPLE`].
const EXAMPLES: &str = "examples";
const EXAMPLE: Rule = internal("an example", Allowed::Published);

/// The crates that users depend on.
pub(crate) fn published_crates() -> impl Iterator<Item = &'static str> {
    RULES.iter().filter(|rule| rule.published).map(|rule| rule.package)
}

pub(super) fn check(metadata: &Metadata) -> Vec<Violation> {
    let members = metadata.workspace_packages();
    let names: BTreeSet<&str> = members.iter().map(|package| package.name.as_str()).collect();
    let mut found = Vec::new();
    for package in &members {
        let folder = package.manifest_path.strip_prefix(&metadata.workspace_root);
        let path = folder.map_or_else(|_| package.manifest_path.clone(), Into::into);
        let dependencies = package
            .dependencies
            .iter()
            .filter(|dependency| dependency.kind != DependencyKind::Development)
            .map(|dependency| dependency.name.as_str())
            .filter(|name| names.contains(name));
        let rule = match RULES.iter().find(|rule| rule.package == package.name.as_str()) {
            Some(rule) => Some(rule),
            None => path.starts_with(EXAMPLES).then_some(&EXAMPLE),
        };
        let messages = match rule {
            Some(rule) => {
                let mut messages = forbidden(rule, dependencies);
                messages.extend(publication(rule, package));
                messages
            }
            None => {
                vec![format!("{} is not in the table of xtask/src/tidy/arrows.rs", package.name)]
            }
        };
        found.extend(messages.into_iter().map(|message| Violation {
            path: path.clone().into(),
            line: 1,
            message,
        }));
    }
    found.extend(runtime_in_xtask(metadata));
    found
}

fn forbidden<'a>(rule: &Rule, dependencies: impl Iterator<Item = &'a str>) -> Vec<String> {
    let allowed = |name: &str| match rule.allowed {
        Allowed::Only(names) => names.contains(&name),
        Allowed::Published => published_crates().any(|published| published == name),
        Allowed::Anything => true,
    };
    dependencies
        .filter(|name| !allowed(name))
        .map(|name| format!("{} must not depend on {name}", rule.package))
        .collect()
}

fn publication(rule: &Rule, package: &Package) -> Option<String> {
    let is_published = package.publish.as_ref().is_none_or(|registries| !registries.is_empty());
    let described = package.description.as_ref().is_some_and(|text| !text.trim().is_empty());
    match (rule.published, is_published) {
        (true, false) => Some(format!("{} is published, but says `publish = false`", package.name)),
        (false, true) => Some(format!("{} needs `publish = false`", package.name)),
        (true, true) if !described => Some(format!("{} needs a description", package.name)),
        _ => None,
    }
}

/// xtask must build in seconds, and an async runtime is most of what could prevent that.
fn runtime_in_xtask(metadata: &Metadata) -> Option<Violation> {
    const RUNTIME: &str = "tokio";
    let xtask = metadata.packages.iter().find(|package| package.name.as_str() == "xtask")?;
    let path = path_to(metadata, &xtask.id, RUNTIME)?;
    Some(Violation {
        path: "xtask/Cargo.toml".into(),
        line: 1,
        message: format!("{} pulls in {RUNTIME}", path.join(" → ")),
    })
}

/// The packages from `start` to the one called `target`, along dependencies that are built with it.
fn path_to(metadata: &Metadata, start: &PackageId, target: &str) -> Option<Vec<String>> {
    let nodes: BTreeMap<_, _> = metadata
        .resolve
        .iter()
        .flat_map(|resolve| &resolve.nodes)
        .map(|node| (&node.id, node))
        .collect();
    let name = |id: &PackageId| metadata[id].name.to_string();
    let mut seen = BTreeSet::from([start]);
    let mut paths = vec![vec![start]];
    while let Some(path) = paths.pop() {
        let last = *path.last()?;
        if metadata[last].name.as_str() == target {
            return Some(path.into_iter().map(name).collect());
        }
        for dependency in nodes.get(last).into_iter().flat_map(|node| &node.deps) {
            let built =
                dependency.dep_kinds.iter().any(|kind| kind.kind != DependencyKind::Development);
            if built && seen.insert(&dependency.pkg) {
                paths.push(path.iter().copied().chain([&dependency.pkg]).collect());
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_allowed_arrows_pass() {
        let rule = RULES.iter().find(|rule| rule.package == "floodway-tower").unwrap();
        assert_eq!(forbidden(rule, ["floodway"].into_iter()), [""; 0]);
        assert_eq!(forbidden(rule, ["floodway-metrics"].into_iter()).len(), 1);
        assert_eq!(forbidden(&EXAMPLE, ["floodway-tower", "floodway-bench"].into_iter()).len(), 1);
    }

    #[test]
    fn a_dependency_deep_below_is_found() {
        let metadata = crate::workspace::metadata().unwrap();
        let xtask =
            metadata.packages.iter().find(|package| package.name.as_str() == "xtask").unwrap();
        let path = path_to(&metadata, &xtask.id, "clap_lex").unwrap();
        assert_eq!(path.first().map(String::as_str), Some("xtask"));
        assert!(path.len() > 2, "{path:?}");
    }
}
