//! Rules that every dashboard keeps, checked on the JSON that Grafana reads.

mod drawing;
mod foundation;
mod grid;
mod linter;
mod queries;
mod words;

use serde_json::Value;

/// Runs `check` on every dashboard.
#[track_caller]
fn check(check: impl Fn(&Value)) {
    for (path, dashboard) in super::all() {
        println!("{path}");
        check(&serde_json::to_value(dashboard).unwrap());
    }
}

/// Rows, and the panels of those that are open.
fn items(dashboard: &Value) -> &[Value] {
    dashboard["panels"].as_array().unwrap()
}

fn is_row(item: &Value) -> bool {
    item["type"] == "row"
}

/// The panels that a collapsed row holds.
fn held(row: &Value) -> &[Value] {
    row["panels"].as_array().map_or(&[], Vec::as_slice)
}

/// All panels, those in collapsed rows included.
fn panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    items(dashboard)
        .iter()
        .flat_map(|item| if is_row(item) { held(item) } else { std::slice::from_ref(item) })
}

/// The panels that show data.
fn graphs(dashboard: &Value) -> impl Iterator<Item = &Value> {
    panels(dashboard).filter(|panel| panel["type"] != "text")
}

fn targets(panel: &Value) -> impl Iterator<Item = &Value> {
    panel["targets"].as_array().into_iter().flatten()
}

/// The expressions of a dashboard's panels.
fn expressions(dashboard: &Value) -> impl Iterator<Item = &str> {
    panels(dashboard).flat_map(targets).map(|target| text(&target["expr"]))
}

fn annotations(dashboard: &Value) -> &[Value] {
    dashboard["annotations"]["list"].as_array().unwrap()
}

fn variables(dashboard: &Value) -> &[Value] {
    dashboard["templating"]["list"].as_array().unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is not a text"))
}

/// The texts between `open` and the next `close`.
fn between<'a>(text: &'a str, open: &'a str, close: char) -> impl Iterator<Item = &'a str> {
    text.split(open).skip(1).map(move |rest| rest.split(close).next().unwrap_or_default())
}
