//! Prometheus' recording and alerting rules, their unit tests, and the list of their runbooks.

mod alert;
mod batcher;
#[cfg(test)]
mod checks;
mod example;
mod exporter;
mod fan_out;
mod fleet;
mod limiter;
mod pool;
mod recording;
mod runbooks;
mod unit_tests;
mod yaml;

use alert::Alert;
use floodway_metrics::ComponentKind;
use recording::Recording;

/// The share of operations that a limiter is meant to admit: the objective of the burn-rate alerts.
///
/// Every expression that depends on it carries the number itself, so that a deployment with another
/// objective replaces one text in one file.
const OBJECTIVE: f64 = 0.999;

const COMMENT: &str = "Generated from the metric catalogue by `cargo xtask codegen`; do not edit.";

/// The path and content of each file.
pub(super) fn all() -> Vec<(&'static str, String)> {
    let mut files = vec![
        ("dashboards/prometheus/recording-rules.yml", recording::document(&recordings())),
        ("dashboards/prometheus/alerting-rules.yml", alert::document(&alerts())),
    ];
    files.extend(unit_tests::documents(&recordings(), &alerts()));
    files.push(("docs/runbooks/README.md", runbooks::markdown(&alerts())));
    files
}

/// Every recording rule, by component.
fn recordings() -> Vec<(ComponentKind, Vec<Recording>)> {
    vec![
        (ComponentKind::Limiter, limiter::recordings()),
        (ComponentKind::Pool, pool::recordings()),
        (ComponentKind::FanOut, fan_out::recordings()),
        (ComponentKind::Batcher, batcher::recordings()),
    ]
}

/// Every alert, by component.
fn alerts() -> Vec<(ComponentKind, Vec<Alert>)> {
    vec![
        (ComponentKind::Limiter, limiter::alerts()),
        (ComponentKind::Pool, pool::alerts()),
        (ComponentKind::Fleet, fleet::alerts()),
        (ComponentKind::FanOut, fan_out::alerts()),
        (ComponentKind::Batcher, batcher::alerts()),
        (ComponentKind::Exporter, exporter::alerts()),
    ]
}

/// The name of a group of rules.
fn group(kind: ComponentKind) -> String {
    format!("floodway-{}", super::hyphenated(kind.as_str()))
}
