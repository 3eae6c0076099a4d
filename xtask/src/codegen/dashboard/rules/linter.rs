//! The rules of Grafana's dashboard-linter, by their names there
//! (<https://github.com/grafana/dashboard-linter/tree/main/docs/rules>).
//!
//! Left out are `target-logql` and `target-logql-auto`, which are about queries of Loki: these
//! dashboards ask Prometheus alone, as `template_datasource` checks.

use std::time::Duration;

use promql_parser::label::{MatchOp, Matcher};
use serde_json::Value;

use super::{check, expressions, graphs, panels, targets, text, variables};
use crate::codegen::selectors::{RATE_INTERVAL, Selected, parse, selected};

/// The units that these dashboards use, of those that Grafana has
/// (<https://github.com/grafana/grafana/blob/main/packages/grafana-data/src/valueFormats/categories.ts>):
/// a new one is to be looked up there.
const UNITS: [&str; 7] = ["short", "percentunit", "s", "reqps", "ops", "cps", "opm"];

/// Runs `check` on every selector of every panel.
#[track_caller]
fn check_selectors(check_one: impl Fn(&Selected<'_>)) {
    check(|dashboard| {
        for expr in expressions(dashboard) {
            println!("{expr}");
            selected(&parse(expr).unwrap()).iter().for_each(&check_one);
        }
    });
}

fn variable<'a>(dashboard: &'a Value, name: &str) -> &'a Value {
    let found = variables(dashboard).iter().find(|variable| variable["name"] == name);
    found.unwrap_or_else(|| panic!("there is no variable {name}"))
}

#[test]
fn template_datasource() {
    check(|dashboard| {
        let sources: Vec<_> =
            variables(dashboard).iter().filter(|it| it["type"] == "datasource").collect();
        let [source] = &sources[..] else { panic!("one data source is chosen") };
        assert_eq!(source["name"], "datasource");
        assert_eq!(source["label"], "Data source");
        assert_eq!(source["query"], "prometheus");
        assert_eq!(variables(dashboard)[0]["type"], "datasource", "all others depend on it");
    });
}

#[track_caller]
fn assert_template(name: &str, label: &str) {
    check(|dashboard| {
        let variable = variable(dashboard, name);
        assert_eq!(variable["type"], "query");
        assert_eq!(variable["label"], label);
        assert_eq!(variable["datasource"]["uid"], "${datasource}");
        assert_eq!(variable["multi"], true);
        assert_eq!(variable["includeAll"], true);
        assert_eq!(variable["allValue"], ".+");
    });
}

#[test]
fn template_job() {
    assert_template("job", "Job");
}

#[test]
fn template_instance() {
    assert_template("instance", "Instance");
}

/// Of the components' names, too: the same as of job and instance.
#[test]
fn template_components() {
    check(|dashboard| {
        for variable in variables(dashboard).iter().filter(|it| it["type"] == "query") {
            assert_eq!(variable["multi"], true, "{variable}");
            assert_eq!(variable["includeAll"], true, "{variable}");
            assert_eq!(variable["allValue"], ".+", "{variable}");
            assert!(!text(&variable["label"]).is_empty(), "{variable}");
        }
    });
}

#[test]
fn template_label_promql() {
    check(|dashboard| {
        for variable in variables(dashboard).iter().filter(|it| it["type"] == "query") {
            let query = text(&variable["query"]);
            let arguments = query.strip_prefix("label_values(").unwrap().strip_suffix(')').unwrap();
            parse(arguments.rsplit_once(", ").unwrap().0).unwrap();
        }
    });
}

#[test]
fn template_on_time_change_reload() {
    check(|dashboard| {
        for variable in variables(dashboard).iter().filter(|it| it["type"] == "query") {
            assert_eq!(variable["refresh"], 2, "{variable}");
        }
    });
}

/// The linter looks at some types of panels; nothing speaks against all of them and their targets.
#[test]
fn panel_datasource() {
    check(|dashboard| {
        for panel in graphs(dashboard) {
            for asking in targets(panel).chain([panel]) {
                assert_eq!(asking["datasource"]["uid"], "${datasource}", "{}", panel["title"]);
                assert_eq!(asking["datasource"]["type"], "prometheus", "{}", panel["title"]);
            }
        }
    });
}

#[test]
fn panel_title_description() {
    check(|dashboard| {
        for panel in panels(dashboard) {
            assert!(!text(&panel["title"]).is_empty(), "{panel}");
            assert!(!text(&panel["description"]).is_empty(), "{panel}");
        }
    });
}

#[test]
fn panel_units() {
    check(|dashboard| {
        for panel in graphs(dashboard) {
            let unit = text(&panel["fieldConfig"]["defaults"]["unit"]);
            assert!(UNITS.contains(&unit), "{}: {unit}", panel["title"]);
        }
    });
}

#[test]
fn panel_no_targets() {
    check(|dashboard| {
        for panel in graphs(dashboard) {
            assert!(targets(panel).count() > 0, "{} shows nothing", panel["title"]);
        }
    });
}

#[test]
fn target_promql() {
    check(|dashboard| {
        for expr in expressions(dashboard) {
            assert!(!expr.is_empty());
            parse(expr).unwrap();
        }
    });
}

/// The one panel with a range of its own. It is a quotient of what operations took when they ended
/// and of what they took until now, which agree only over many times what one takes: over an
/// interval of seconds it swings by half.
const SMOOTHED_PANEL: &str = "Little's law";

/// The linter asks this of `rate` and `irate`; here also an increase follows the dashboard.
#[test]
fn target_rate_interval() {
    check(|dashboard| {
        for panel in panels(dashboard) {
            let smoothed = panel["title"] == SMOOTHED_PANEL;
            for target in targets(panel) {
                let expr = parse(text(&target["expr"])).unwrap();
                selected(&expr).iter().for_each(|selected| assert_interval(selected, smoothed));
            }
        }
    });
}

#[track_caller]
fn assert_interval(selected: &Selected<'_>, smoothed: bool) {
    match (selected.function, selected.range) {
        (Some("rate"), Some(range)) if smoothed => assert_eq!(range, Duration::from_secs(300)),
        (Some("rate"), range) => assert_eq!(range, Some(RATE_INTERVAL)),
        (Some("increase"), Some(range)) => {
            assert!([RATE_INTERVAL, crate::codegen::selectors::RANGE].contains(&range));
        }
        (function, range) => assert_eq!(range, None, "{function:?}"),
    }
}

#[track_caller]
fn assert_matches(selected: &Selected<'_>, label: &str) {
    let chosen = |matcher: &Matcher| {
        matcher.name == label
            && matches!(matcher.op, MatchOp::Re(_))
            && matcher.value == format!("${label}")
    };
    let found = selected.selector.matchers.matchers.iter().any(chosen);
    assert!(found, "{label} is not chosen in {}", selected.selector);
}

#[test]
fn target_job() {
    check_selectors(|selected| assert_matches(selected, "job"));
}

/// Alerts about a job have no instance, so theirs cannot be chosen.
#[test]
fn target_instance() {
    check_selectors(|selected| {
        if selected.selector.name.as_deref() != Some("ALERTS") {
            assert_matches(selected, "instance");
        }
    });
}

#[test]
fn target_counter_agg() {
    check_selectors(|selected| {
        let name = selected.selector.name.as_deref().unwrap();
        let counts = ["_total", "_bucket", "_sum", "_count"];
        if counts.iter().any(|suffix| name.ends_with(suffix)) {
            let function = selected.function;
            assert!(matches!(function, Some("rate" | "increase")), "{name} in {function:?}");
        }
    });
}

#[test]
fn uneditable_dashboard() {
    check(|dashboard| {
        assert_eq!(dashboard["editable"], false);
        assert_eq!(dashboard["schemaVersion"], 39);
    });
}
