//! Every alert has a runbook, and what runbooks say exists.

use std::{collections::BTreeSet, fs, path::PathBuf};

use floodway_metrics::{CATALOGUE, Kind};

use super::{
    every_alert,
    tools::{promtool, root},
};
use crate::codegen::{dashboard, rules::recordings};

/// What follows the name of a histogram in queries.
const HISTOGRAM_SUFFIXES: [&str; 3] = ["_bucket", "_sum", "_count"];

/// The sections of a runbook, in this order.
const SECTIONS: [&str; 6] = [
    "\n## What it means\n",
    "\n## What users see\n",
    "\n## Where to look\n",
    "\n## Likely causes\n",
    "\n## What to do\n",
    "\n## When to ignore it\n",
];

fn folder() -> PathBuf {
    root().join("docs/runbooks")
}

fn names() -> BTreeSet<&'static str> {
    every_alert().iter().map(|alert| alert.name).collect()
}

/// The name and text of every runbook that an alert has.
fn runbooks() -> impl Iterator<Item = (&'static str, String)> {
    names().into_iter().map(|name| {
        let path = folder().join(format!("{name}.md"));
        let text = fs::read_to_string(&path);
        (name, text.unwrap_or_else(|error| panic!("{}: {error}", path.display())))
    })
}

#[test]
fn alerts_and_runbooks_are_pairs() {
    let files = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name());
    let mut present: BTreeSet<_> = files.map(|name| name.into_string().unwrap()).collect();
    assert!(present.remove("README.md"));
    let wanted: BTreeSet<_> = names().into_iter().map(|name| format!("{name}.md")).collect();
    assert_eq!(present, wanted);
}

#[test]
fn a_runbook_names_its_alert_and_has_every_section() {
    for (name, text) in runbooks() {
        assert!(text.starts_with(&format!("# {name}\n")), "{name} does not begin with its name");
        let places: Vec<_> = SECTIONS
            .iter()
            .map(|section| text.find(section).unwrap_or_else(|| panic!("{name}: no {section}")))
            .collect();
        assert!(places.is_sorted(), "{name}: sections in another order");
    }
}

#[test]
fn the_metrics_of_runbooks_are_in_the_catalogue() {
    let mut known: BTreeSet<String> = CATALOGUE
        .iter()
        .flat_map(|metric| match metric.kind {
            Kind::Histogram(_) => HISTOGRAM_SUFFIXES.map(|s| format!("{}{s}", metric.name)).into(),
            _ => vec![metric.name.to_owned()],
        })
        .collect();
    known.extend(CATALOGUE.iter().map(|metric| metric.name.to_owned()));
    for (_, recordings) in recordings() {
        known.extend(recordings.into_iter().map(|recording| recording.name));
    }
    for (name, text) in runbooks() {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':');
        // The crates' names begin like metrics.
        let crates = ["floodway_tower", "floodway_pool", "floodway_exporter"];
        let metrics = words.map(|word| word.trim_matches(':')).filter(|word| {
            let own = word.contains("floodway_") && !word.contains("::");
            own && !crates.contains(word)
        });
        let mut any = false;
        for metric in metrics {
            assert!(known.contains(metric), "{name}: there is no {metric}");
            any = true;
        }
        assert!(any, "{name} names no metric");
    }
}

/// Bold is for panels.
#[test]
fn the_panels_of_runbooks_exist() {
    let mut titles = BTreeSet::new();
    for (_, dashboard) in dashboard::all() {
        let dashboard = serde_json::to_value(dashboard).unwrap();
        let items = dashboard["panels"].as_array().unwrap();
        let held = items.iter().filter_map(|row| row["panels"].as_array()).flatten();
        for panel in items.iter().chain(held) {
            titles.insert(panel["title"].as_str().unwrap().to_owned());
        }
    }
    for (name, text) in runbooks() {
        let bold: Vec<_> = text.split("**").skip(1).step_by(2).collect();
        assert!(!bold.is_empty(), "{name} names no panel");
        for title in bold {
            assert!(titles.contains(title), "{name}: there is no panel {title}");
        }
    }
}

#[test]
fn prometheus_accepts_the_queries_of_runbooks() {
    let mut rules = Vec::new();
    for (name, text) in runbooks() {
        let blocks = text.split("```promql\n").skip(1);
        let queries: Vec<_> = blocks.filter_map(|block| block.split("```").next()).collect();
        assert!(!queries.is_empty(), "{name} has no query");
        for (query, number) in queries.iter().zip(0..) {
            rules.push(serde_json::json!({ "record": format!("{name}:{number}"), "expr": query }));
        }
    }
    // JSON is YAML.
    let groups = serde_json::json!({ "groups": [{ "name": "runbooks", "rules": rules }] });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.yml");
    fs::write(&file, groups.to_string()).unwrap();
    promtool(["check", "rules"].map(Into::into).into_iter().chain([file]));
}

/// A link that leads nowhere helps nobody at night.
#[test]
fn links_of_runbooks_lead_somewhere() {
    for (name, text) in runbooks() {
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.contains("://")) {
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = folder().join(path);
            assert!(target.exists(), "{name}: {link}");
            if !anchor.is_empty() {
                let text = fs::read_to_string(target).unwrap();
                assert!(headings(&text).any(|own| own == anchor), "{name}: {link}");
            }
        }
    }
}

/// The anchors of all headings, as the usual renderers make them.
fn headings(text: &str) -> impl Iterator<Item = String> {
    let lines = text.lines().filter(|line| line.starts_with('#'));
    lines.map(|line| {
        let heading = line.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    })
}
