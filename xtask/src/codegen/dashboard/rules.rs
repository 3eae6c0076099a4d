//! Rules that every dashboard keeps, checked on the JSON that Grafana reads.

use std::collections::BTreeSet;

use floodway_metrics::{CATALOGUE, Kind};
use serde_json::Value;

/// Runs `check` on every dashboard.
#[track_caller]
fn check(check: impl Fn(&Value)) {
    for (path, dashboard) in super::all() {
        println!("{path}");
        check(&serde_json::to_value(dashboard).unwrap());
    }
}

fn items(dashboard: &Value) -> &[Value] {
    dashboard["panels"].as_array().unwrap()
}

fn panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    items(dashboard).iter().filter(|item| item["type"] != "row")
}

fn targets(panel: &Value) -> impl Iterator<Item = &Value> {
    panel["targets"].as_array().unwrap().iter()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is not a text"))
}

/// The texts between `open` and the next `close`.
fn between<'a>(text: &'a str, open: &'a str, close: char) -> impl Iterator<Item = &'a str> {
    text.split(open).skip(1).map(move |rest| rest.split(close).next().unwrap_or_default())
}

#[test]
fn every_metric_is_on_a_panel() {
    let dashboards = super::all().map(|(_, dashboard)| serde_json::to_value(dashboard).unwrap());
    let expressions: Vec<_> = dashboards
        .iter()
        .flat_map(panels)
        .flat_map(targets)
        .map(|target| text(&target["expr"]))
        .collect();
    for metric in CATALOGUE {
        let names = match metric.kind {
            Kind::Histogram(_) => vec![format!("{}_bucket{{", metric.name)],
            _ => vec![format!("{}{{", metric.name)],
        };
        let shown = expressions.iter().any(|expr| names.iter().all(|name| expr.contains(name)));
        assert!(shown, "{} is on no panel", metric.name);
    }
}

#[test]
fn every_panel_says_what_it_shows() {
    check(|dashboard| {
        for panel in panels(dashboard) {
            let defaults = &panel["fieldConfig"]["defaults"];
            let texts =
                [&panel["title"], &panel["description"], &defaults["unit"], &defaults["noValue"]];
            for value in texts {
                assert!(!text(value).trim().is_empty(), "an empty text in {panel}");
            }
            assert!(targets(panel).count() > 0, "{panel} shows nothing");
        }
    });
}

/// The guide says of each panel of the limiter's dashboard what is good, what is bad, and what then.
#[test]
fn the_guide_reads_every_panel_of_limiters() {
    let guide = include_str!("../../../../docs/guides/limiter.md");
    check(|dashboard| {
        if dashboard["uid"] != "floodway-limiter" {
            return;
        }
        let exporter = items(dashboard).iter().rposition(|item| item["type"] == "row").unwrap();
        for panel in items(dashboard)[..exporter].iter().filter(|item| item["type"] != "row") {
            let title = text(&panel["title"]);
            assert!(guide.contains(&format!("| **{title}** |")), "{title} is not in the guide");
        }
    });
}

#[test]
fn ratios_have_thresholds() {
    check(|dashboard| {
        for panel in panels(dashboard) {
            let defaults = &panel["fieldConfig"]["defaults"];
            if defaults["unit"] == "percentunit" {
                let steps = defaults["thresholds"]["steps"].as_array();
                assert!(steps.is_some_and(|steps| steps.len() > 1), "{}", panel["title"]);
            }
        }
    });
}

#[test]
fn ids_are_unique() {
    check(|dashboard| {
        let mut seen = BTreeSet::new();
        for item in items(dashboard) {
            assert!(seen.insert(item["id"].as_u64().unwrap()), "{} repeats its id", item["title"]);
        }
    });
}

#[test]
fn the_grid_has_no_gap_and_no_overlap() {
    check(|dashboard| {
        let mut cells = BTreeSet::new();
        for item in items(dashboard) {
            let [x, y, w, h] =
                ["x", "y", "w", "h"].map(|side| item["gridPos"][side].as_u64().unwrap());
            for cell in (y..y + h).flat_map(|y| (x..x + w).map(move |x| (y, x))) {
                assert!(cells.insert(cell), "{} overlaps at {cell:?}", item["title"]);
            }
        }
        let &(bottom, _) = cells.last().unwrap();
        for cell in (0..=bottom).flat_map(|y| (0..24).map(move |x| (y, x))) {
            assert!(cells.remove(&cell), "a gap at {cell:?}");
        }
        assert!(cells.is_empty(), "outside of the grid: {cells:?}");
    });
}

#[test]
fn legends_name_what_series_differ_by() {
    check(|dashboard| {
        for panel in panels(dashboard) {
            let mut legends = BTreeSet::new();
            for target in targets(panel) {
                let (expr, legend) = (text(&target["expr"]), text(&target["legendFormat"]));
                assert!(legends.insert(legend), "{}: {legend} twice", panel["title"]);
                let is_heatmap = panel["type"] == "heatmap";
                let labels = between(expr, "by (", ')').flat_map(|labels| labels.split(", "));
                for label in labels.filter(|label| *label != "le" || is_heatmap) {
                    let named = legend.contains(&format!("{{{{{label}}}}}"));
                    assert!(named, "{}: {legend} does not name {label}", panel["title"]);
                }
            }
        }
    });
}

#[test]
fn ranges_follow_the_dashboard() {
    check(|dashboard| {
        for target in panels(dashboard).flat_map(targets) {
            let expr = text(&target["expr"]);
            for range in between(expr, "[", ']') {
                assert_eq!(range, "$__rate_interval", "{expr}");
            }
        }
    });
}

#[test]
fn labels_exist() {
    check(|dashboard| {
        for target in panels(dashboard).flat_map(targets) {
            let expr = text(&target["expr"]);
            let metrics = || CATALOGUE.iter().filter(|metric| expr.contains(metric.name));
            for label in between(expr, "by (", ')').flat_map(|labels| labels.split(", ")) {
                let known = metrics().any(|metric| {
                    metric.component.label() == Some(label)
                        || metric.labels.iter().any(|own| own.name == label)
                });
                assert!(known || ["le", "instance"].contains(&label), "{expr}: {label}");
            }
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
        let rules: Vec<_> = panels(dashboard)
            .flat_map(targets)
            .zip(0..)
            .map(|(target, number)| {
                let expr = text(&target["expr"]).replace("$__rate_interval", "1m");
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

#[test]
fn variables_are_queries_over_existing_series() {
    check(|dashboard| {
        let variables = dashboard["templating"]["list"].as_array().unwrap();
        assert_eq!(variables[0]["type"], "datasource");
        assert_eq!(variables.len(), 4);
        for variable in &variables[1..] {
            let query = text(&variable["query"]);
            let metric = CATALOGUE.iter().any(|metric| query.contains(metric.name));
            assert!(metric, "{query}");
            assert_eq!(variable["multi"], true, "{query}");
            assert_eq!(variable["includeAll"], true, "{query}");
            assert_eq!(variable["allValue"], ".+", "{query}");
            assert_eq!(variable["refresh"], 2, "{query}");
        }
        assert_eq!(dashboard["editable"], false);
        assert_eq!(dashboard["schemaVersion"], 39);
    });
}
