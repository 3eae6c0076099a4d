//! What holds for every rule, every runbook and every example of a configuration.

mod configurations;
mod runbooks;
mod tools;

use std::collections::BTreeSet;

use tools::{promtool, root};

use super::{Alert, alerts, all, recordings, unit_tests::title};

fn every_alert() -> Vec<Alert> {
    alerts().into_iter().flat_map(|(_, alerts)| alerts).collect()
}

/// The generated file at `path`.
fn generated(path: &str) -> String {
    let file = all().into_iter().find(|(own, _)| *own == path);
    file.unwrap_or_else(|| panic!("{path} is not generated")).1
}

#[test]
fn every_alert_has_a_test_that_fires_and_one_that_does_not() {
    let files = all().into_iter().filter(|(path, _)| path.contains("/tests/"));
    let names: Vec<_> = files
        .flat_map(|(_, text)| {
            let names = text.lines().filter_map(|line| line.trim().strip_prefix("- name: "));
            names.map(|name| name.trim_matches('\'').to_owned()).collect::<Vec<_>>()
        })
        .collect();
    for alert in every_alert() {
        for ending in ["fires", "stays silent"] {
            let test = format!("{} {ending}", title(&alert));
            assert!(names.iter().any(|name| name.starts_with(&test)), "no test: {test}");
        }
    }
    for (_, recordings) in recordings() {
        for recording in recordings {
            let test = format!("{} records", recording.name);
            assert!(names.contains(&test), "no test: {test}");
        }
    }
}

/// Nothing fires without series, so silence says something only with the series that can fire.
#[test]
fn silent_examples_have_the_series_of_those_that_fire() {
    for alert in every_alert() {
        let series = |example: &super::example::Example| -> BTreeSet<String> {
            example.given.iter().map(|given| given.series.clone()).collect()
        };
        let first = alert.silent.first().map(series);
        assert_eq!(first, Some(series(&alert.fires)), "{}", title(&alert));
    }
}

#[test]
fn alerts_of_one_name_differ_in_severity() {
    let alerts = every_alert();
    let titles: BTreeSet<_> = alerts.iter().map(title).collect();
    assert_eq!(titles.len(), alerts.len(), "{titles:?}");
    for alert in &alerts {
        assert!(alert.name.starts_with("Floodway"), "{}", alert.name);
        let shown = alert.description.contains("{{ $value");
        assert_eq!(shown, !alert.shows.is_empty(), "{}", title(alert));
    }
}

/// A label that the expression leaves out would be empty in the text.
#[test]
fn texts_name_only_labels_that_there_are() {
    for alert in every_alert() {
        for text in [alert.summary, alert.description] {
            for rest in text.split("$labels.").skip(1) {
                let label = rest.split(' ').next().unwrap_or_default();
                assert!(alert.labels.contains(&label), "{}: {label}", title(&alert));
            }
        }
    }
}

#[test]
fn the_objective_is_in_every_budget_and_nowhere_else() {
    let text = generated("dashboards/prometheus/alerting-rules.yml");
    let stated = text.matches(&super::OBJECTIVE.to_string()).count();
    let budgets = text.matches(" * (1 - ").count();
    // Once more in the comment that says what to replace.
    assert_eq!((stated, budgets), (budgets + 1, 4));
}

#[test]
fn prometheus_accepts_the_rules() {
    let rules = ["recording-rules.yml", "alerting-rules.yml"];
    let files = rules.map(|name| root().join("dashboards/prometheus").join(name));
    promtool(["check", "rules"].map(Into::into).into_iter().chain(files));
}

#[test]
fn the_rules_pass_their_tests() {
    let files = all().into_iter().map(|(path, _)| path).filter(|path| path.contains("/tests/"));
    let files = files.map(|path| root().join(path));
    promtool(["test", "rules"].map(Into::into).into_iter().chain(files));
}

/// The alerts that fire at `at`, of one value per minute for each series.
#[track_caller]
fn fire(at: &str, series: &[(String, &str)], alerts: &[String]) {
    let given = series
        .iter()
        .map(|(series, values)| serde_json::json!({ "series": series, "values": values }));
    let expected = alerts.iter().map(|labels| serde_json::json!({ "value": 1, "labels": labels }));
    let rules = ["recording-rules.yml", "alerting-rules.yml"];
    let test = serde_json::json!({
        "rule_files": rules.map(|name| root().join("dashboards/prometheus").join(name)),
        "tests": [{
            "interval": "1m",
            "input_series": given.collect::<Vec<_>>(),
            "promql_expr_test": [{
                "eval_time": at,
                "expr": "ALERTS{alertstate=\"firing\"}",
                "exp_samples": expected.collect::<Vec<_>>(),
            }],
        }],
    });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("test.yml");
    // JSON is YAML.
    std::fs::write(&file, test.to_string()).unwrap();
    promtool(["test", "rules"].map(Into::into).into_iter().chain([file]));
}

fn fired(name: &str, component: &str, more: &str) -> String {
    format!(
        "ALERTS{{alertname=\"{name}\", alertstate=\"firing\", severity=\"warning\", \
         component=\"{component}\"{more}}}"
    )
}

/// The only alert that has to fire without any series, and so has no labels to be told apart by.
#[test]
fn a_target_that_never_was_is_missing() {
    fire("20m", &[], &[fired("FloodwayTargetMissing", "exporter", "")]);
}

/// Pools that let nobody look on while they connect have one of the two counters.
#[test]
fn errors_of_pools_are_failures_to_connect() {
    let labels = "job=\"shop\", pool=\"orders-db\"";
    let of = |metric: &floodway_metrics::Metric| format!("{}{{{labels}}}", metric.name);
    fire(
        "20m",
        &[
            (of(&floodway_metrics::catalogue::pool::ERRORS), "0+30x20"),
            (of(&floodway_metrics::catalogue::exporter::BUILD_INFO), "1x20"),
        ],
        &[fired("FloodwayPoolConnectFailing", "pool", &format!(", {labels}"))],
    );
}

/// Of what is built for each request and dropped, nothing is there when somebody scrapes. And every kind
/// of component may be the one with too many names.
#[test]
fn too_many_names_are_noticed_however_they_come() {
    use floodway_metrics::catalogue::{batcher, exporter, fan_out, fleet, pool};
    let labels = "job=\"shop\", instance=\"shop-1:8080\"";
    let other = |metric: &floodway_metrics::Metric| {
        let own = metric.component.label().unwrap();
        format!("{}{{{labels}, {own}=\"{}\"}}", metric.name, floodway_metrics::OTHER)
    };
    let cases = [
        (format!("{}{{{labels}}}", exporter::OVERFLOW.name), "0+2x40"),
        (other(&pool::CONNECTIONS_MAX), "10x40"),
        (other(&fleet::BUDGET), "40x40"),
        (other(&fan_out::RUNNING_CALLS), "0x40"),
        (other(&batcher::QUEUED), "0x40"),
    ];
    let alert = fired("FloodwayMetricsOverflow", "exporter", &format!(", {labels}"));
    let there = (format!("{}{{{labels}}}", exporter::BUILD_INFO.name), "1x40");
    for case in cases {
        fire("30m", &[case, there.clone()], std::slice::from_ref(&alert));
    }
}
