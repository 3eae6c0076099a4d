//! What is asked of Prometheus: by panels, variables and annotations.

use floodway_metrics::{CATALOGUE, Kind};

use super::{annotations, check, expressions, text, variables};
use crate::codegen::selectors::{check_expression, parse, selected, substituted};

#[test]
fn every_metric_is_on_a_panel() {
    let dashboards = super::super::all().map(|(_, it)| serde_json::to_value(it).unwrap());
    let shown: Vec<_> = dashboards
        .iter()
        .flat_map(expressions)
        .flat_map(|expr| {
            let expr = parse(expr).unwrap();
            selected(&expr).iter().map(|it| it.selector.name.clone()).collect::<Vec<_>>()
        })
        .flatten()
        .collect();
    for metric in CATALOGUE {
        let name = match metric.kind {
            Kind::Histogram(_) => format!("{}_bucket", metric.name),
            _ => metric.name.to_owned(),
        };
        assert!(shown.contains(&name), "{name} is on no panel");
    }
}

#[test]
fn panels_and_annotations_select_what_exists() {
    check(|dashboard| {
        let marks = annotations(dashboard).iter().map(|annotation| text(&annotation["expr"]));
        for expr in expressions(dashboard).chain(marks) {
            check_expression(expr).unwrap();
        }
    });
}

/// `label_values(SERIES, LABEL)`: as good as a sum of the series by the label.
#[test]
fn variables_select_what_exists() {
    check(|dashboard| {
        for variable in variables(dashboard).iter().filter(|it| it["type"] == "query") {
            let query = text(&variable["query"]);
            let arguments = query.strip_prefix("label_values(").unwrap().strip_suffix(')').unwrap();
            let (series, label) = arguments.rsplit_once(", ").unwrap();
            assert_eq!(label, variable["name"]);
            check_expression(&format!("sum by ({label}) ({series})")).unwrap();
        }
    });
}

/// A dashboard without a variable would send its name to Prometheus.
#[test]
fn every_variable_that_is_used_exists() {
    check(|dashboard| {
        let names: Vec<_> = variables(dashboard).iter().map(|it| text(&it["name"])).collect();
        let own = ["__rate_interval", "__range"];
        for expr in expressions(dashboard) {
            for rest in expr.split('$').skip(1) {
                let end = rest.find(|letter: char| !(letter.is_alphanumeric() || letter == '_'));
                let name = &rest[..end.unwrap_or(rest.len())];
                assert!(names.contains(&name) || own.contains(&name), "{expr}: ${name}");
            }
        }
        for name in names.iter().filter(|name| **name != "datasource") {
            let used = expressions(dashboard).any(|expr| expr.contains(&format!("${name}")));
            assert!(used, "nothing uses ${name}");
        }
    });
}

/// Prometheus itself parses every expression, as those of recording rules.
#[test]
fn prometheus_accepts_every_expression() {
    let Some(promtool) = floodway_test_support::promtool() else {
        return;
    };
    check(|dashboard| {
        let marks = annotations(dashboard).iter().map(|annotation| text(&annotation["expr"]));
        let rules: Vec<_> = expressions(dashboard)
            .chain(marks)
            .zip(0..)
            .map(|(expr, number)| {
                let expr = substituted(expr);
                serde_json::json!({ "record": format!("panel:{number}"), "expr": expr })
            })
            .collect();
        // JSON is YAML.
        let groups = serde_json::json!({ "groups": [{ "name": "panels", "rules": rules }] });
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rules.yml");
        std::fs::write(&file, groups.to_string()).unwrap();
        let output = std::process::Command::new(&promtool)
            .args(["check", "rules"])
            .arg(&file)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    });
}
