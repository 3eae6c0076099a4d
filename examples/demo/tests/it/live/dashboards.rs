//! The queries of all dashboards, with variables as Grafana sets them.

use std::{fs, path::PathBuf};

use serde_json::Value;

/// What a panel asks for.
#[derive(Debug)]
pub(crate) struct Query {
    pub(crate) dashboard: String,
    pub(crate) panel: String,
    pub(crate) expression: String,
}

/// What Grafana sets by itself: a window of rates of several scrapes, and the range on the screen.
const BUILT_IN: [(&str, &str); 4] =
    [("__rate_interval", "10s"), ("__interval", "2s"), ("__range", "1m"), ("slo", "0.999")];

pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../dashboards")
}

pub(crate) fn queries() -> Vec<Query> {
    let files = fs::read_dir(folder()).expect("the dashboards").map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    files.iter().flat_map(|path| of(&fs::read_to_string(path).expect("a dashboard"))).collect()
}

fn of(dashboard: &str) -> Vec<Query> {
    let dashboard: Value = serde_json::from_str(dashboard).expect("JSON");
    let title = dashboard["title"].as_str().expect("a title");
    let mut queries = Vec::new();
    collect(&dashboard["panels"], &mut |panel, expression| {
        queries.push(Query {
            dashboard: title.to_owned(),
            panel: panel.to_owned(),
            expression: expanded(expression, &dashboard),
        });
    });
    queries
}

/// Rows that are collapsed have panels of their own.
fn collect(panels: &Value, found: &mut impl FnMut(&str, &str)) {
    for panel in panels.as_array().into_iter().flatten() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let title = panel["title"].as_str().expect("a title");
            found(title, target["expr"].as_str().expect("an expression"));
        }
        collect(&panel["panels"], found);
    }
}

/// Every variable of the dashboard has the value that stands for all.
fn expanded(expression: &str, dashboard: &Value) -> String {
    let variables = dashboard["templating"]["list"].as_array().into_iter().flatten();
    let all = variables
        .filter_map(|variable| Some((variable["name"].as_str()?, variable["allValue"].as_str()?)));
    let mut known: Vec<_> = all.chain(BUILT_IN).collect();
    // `$job` is not the beginning of `$jobs`.
    known.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    let expanded = known.iter().fold(expression.to_owned(), |text, (name, value)| {
        text.replace(&format!("${{{name}}}"), value).replace(&format!("${name}"), value)
    });
    assert!(!expanded.contains('$'), "a variable that nobody sets: {expanded}");
    expanded
}

#[test]
fn variables_are_set_as_grafana_sets_them() {
    let dashboard = serde_json::json!({ "templating": { "list": [
        { "name": "job", "allValue": ".+" }, { "name": "jobs", "allValue": "all" },
    ] } });
    let expression = "rate(a{job=~\"$job\", b=\"${jobs}\", c=\"$jobs\"}[$__rate_interval]) / $slo";
    let expected = "rate(a{job=~\".+\", b=\"all\", c=\"all\"}[10s]) / 0.999";
    assert_eq!(expanded(expression, &dashboard), expected);
}
