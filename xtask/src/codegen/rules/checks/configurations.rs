//! The examples of configurations are what the programs read.

use std::fs;

use super::{
    super::alert::Severity,
    every_alert,
    tools::{amtool, promtool, root},
};

const ALERTMANAGER: &str = "dashboards/alertmanager/alertmanager.yml";

#[test]
fn prometheus_accepts_its_configuration() {
    let file = root().join("dashboards/prometheus/prometheus.yml");
    promtool(["check", "config"].map(Into::into).into_iter().chain([file]));
}

#[test]
fn alertmanager_accepts_its_configuration() {
    let _ = amtool(["check-config".into(), root().join(ALERTMANAGER)]);
}

#[test]
fn alerts_go_to_whom_their_severity_asks_for() {
    let expected =
        [(Severity::Critical, "pager"), (Severity::Warning, "daytime"), (Severity::Info, "tuning")];
    let configuration = format!("--config.file={}", root().join(ALERTMANAGER).display());
    for (severity, receiver) in expected {
        let labels = format!("severity={}", severity.as_str());
        let args = ["config", "routes", "test", &configuration, &labels].map(Into::into);
        if let Some(said) = amtool(args) {
            assert_eq!(said.trim(), receiver, "{labels}");
        }
    }
}

#[test]
fn inhibitions_name_alerts_that_there_are() {
    let text = fs::read_to_string(root().join(ALERTMANAGER)).unwrap();
    let alerts = every_alert();
    let mut seen = 0;
    for line in text.lines().filter(|line| line.contains("alertname =")) {
        let pattern = line.split('"').nth(1).unwrap_or_default();
        for name in alternatives(pattern) {
            assert!(alerts.iter().any(|alert| alert.name == name), "{name} is no alert");
            seen += 1;
        }
    }
    assert!(seen >= 6, "only {seen} names were found");
}

/// `A(B|C)` is `AB` and `AC`.
fn alternatives(pattern: &str) -> Vec<String> {
    match pattern.split_once('(') {
        Some((start, rest)) => {
            let endings = rest.trim_end_matches(')').split('|');
            endings.map(|ending| format!("{start}{ending}")).collect()
        }
        None => vec![pattern.to_owned()],
    }
}

/// What containers are given from this folder is there.
#[test]
fn compose_mounts_what_exists() {
    let folder = root().join("dashboards");
    let text = fs::read_to_string(folder.join("compose.yaml")).unwrap();
    let mounts = text.lines().filter_map(|line| line.trim().strip_prefix("- ."));
    let sources: Vec<_> = mounts.filter_map(|mount| mount.split(':').next()).collect();
    assert_eq!(sources.len(), 4, "{sources:?}");
    for source in sources {
        assert!(folder.join(source.trim_start_matches('/')).is_dir(), "{source}");
    }
    let provider = folder.join("grafana/provisioning/dashboards/floodway.yml");
    let provider = fs::read_to_string(provider).unwrap();
    let path = provider.lines().find_map(|line| line.trim().strip_prefix("path: ")).unwrap();
    assert!(text.contains(&format!("- .:{path}:ro")), "{path} is not mounted");
}
