//! The rules as they are shipped, and with hours made seconds.

use std::fs;

use super::dashboards::folder;

pub(crate) fn recording() -> String {
    read("recording-rules.yml")
}

/// The alerts, of which those that wait for minutes wait for seconds.
pub(crate) fn alerting_within_seconds() -> String {
    let rules = read("alerting-rules.yml");
    let shortened: Vec<_> = rules.lines().map(without_minutes).collect();
    shortened.join("\n")
}

fn without_minutes(line: &str) -> String {
    match line.split_once("for: ") {
        Some((indent, _)) if indent.trim().is_empty() => format!("{indent}for: 2s"),
        _ => line.to_owned(),
    }
}

/// The names of what is recorded.
pub(crate) fn recorded(rules: &str) -> Vec<&str> {
    rules.lines().filter_map(|line| line.trim().strip_prefix("- record: ")).collect()
}

fn read(name: &str) -> String {
    fs::read_to_string(folder().join("prometheus").join(name)).expect("the rules")
}
