//! How panels are drawn, so that they can be read at a glance.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{between, check, graphs, targets, text};

/// Letters of what a stat says without a value; more make all of them small.
const LONGEST: usize = 12;

fn of_kind<'a>(dashboard: &'a Value, kind: &'a str) -> impl Iterator<Item = &'a Value> {
    graphs(dashboard).filter(move |panel| panel["type"] == kind)
}

fn overrides(panel: &Value) -> impl Iterator<Item = &Value> {
    panel["fieldConfig"]["overrides"].as_array().into_iter().flatten()
}

/// No value is neither good nor bad, but has the colour of the lowest threshold unless told.
#[test]
fn a_stat_without_a_value_says_so_shortly_and_in_no_color() {
    check(|dashboard| {
        for panel in of_kind(dashboard, "stat") {
            let defaults = &panel["fieldConfig"]["defaults"];
            let short = text(&defaults["noValue"]);
            assert!(short.len() <= LONGEST, "{}: {short}", panel["title"]);
            let special = &defaults["mappings"][0]["options"];
            assert_eq!(special["match"], "null+nan", "{}", panel["title"]);
            let shown = serde_json::json!({ "text": short, "color": "text" });
            assert_eq!(special["result"], shown, "{}", panel["title"]);
            assert!(text(&panel["description"]).contains(&format!("It says \"{short}\" where ")));
        }
    });
}

/// Green is for what is good.
#[test]
fn a_stat_without_thresholds_judges_nothing() {
    check(|dashboard| {
        for panel in of_kind(dashboard, "stat") {
            let defaults = &panel["fieldConfig"]["defaults"];
            let judged = defaults["thresholds"].is_object();
            assert_eq!(defaults["color"]["mode"] == "thresholds", judged, "{}", panel["title"]);
            assert_eq!(defaults["color"]["fixedColor"] == "text", !judged, "{}", panel["title"]);
        }
    });
}

/// The lines of a panel by several labels would be hidden by those that are zero.
#[test]
fn a_panel_by_several_labels_has_a_long_legend_or_few_values() {
    // Both labels have few values together: a limiter's two, a batcher's, or a budget's.
    let few = ["Nested operations", "Hedges", "Changes of the target", "Grant changes"];
    check(|dashboard| {
        for panel in of_kind(dashboard, "timeseries") {
            let legend = &panel["options"]["legend"];
            let (by, least) = (text(&legend["sortBy"]), legend["sortDesc"] == false);
            assert_eq!(by, if least { "Min" } else { "Max" }, "{}", panel["title"]);
            let several = targets(panel).any(|target| {
                between(text(&target["expr"]), "by (", ')')
                    .any(|labels| labels.split(", ").filter(|label| *label != "le").count() > 1)
            });
            let known = few.contains(&text(&panel["title"]));
            assert!(!several || known || legend["placement"] == "right", "{}", panel["title"]);
        }
    });
}

/// An override of a query that has moved would say nothing of it.
#[test]
fn overrides_are_about_queries_and_states_that_exist() {
    check(|dashboard| {
        for panel in graphs(dashboard) {
            let references: BTreeSet<_> = targets(panel).map(|it| text(&it["refId"])).collect();
            for it in overrides(panel) {
                let options = text(&it["matcher"]["options"]);
                match text(&it["matcher"]["id"]) {
                    "byFrameRefID" => assert!(references.contains(options), "{}", panel["title"]),
                    "byRegexp" => assert!(options.starts_with("/ ") && options.ends_with("$/")),
                    other => panic!("{other} in {}", panel["title"]),
                }
            }
        }
    });
}

/// Lines that others are seen against do not cover them.
#[test]
fn limits_are_dashed_and_not_filled() {
    check(|dashboard| {
        for panel in of_kind(dashboard, "timeseries") {
            for target in targets(panel) {
                let legend = text(&target["legendFormat"]);
                let is_limit = ["limit", "max", "min", "reserved"]
                    .iter()
                    .any(|word| legend.ends_with(&format!(" {word}")));
                // Between its bounds, the limit is what is looked at.
                if !is_limit
                    || panel["title"] == "Limit within its bounds" && legend.ends_with(" limit")
                {
                    continue;
                }
                let own = overrides(panel)
                    .find(|it| it["matcher"]["options"] == target["refId"])
                    .unwrap_or_else(|| panic!("{}: {legend} is drawn as a value", panel["title"]));
                let properties = own["properties"].as_array().unwrap();
                let has = |id: &str, value: Value| {
                    properties.contains(&serde_json::json!({ "id": id, "value": value }))
                };
                assert!(has("custom.fillOpacity", 0.into()), "{own}");
                assert!(properties.iter().any(|it| it["id"] == "custom.lineStyle"), "{own}");
            }
        }
    });
}

/// Zeros alone would make an axis up to 100, which is over a minute and 10000 %; on a logarithm's
/// there are none.
#[test]
fn an_axis_has_an_end_where_there_are_only_zeros() {
    check(|dashboard| {
        for panel in of_kind(dashboard, "timeseries") {
            let defaults = &panel["fieldConfig"]["defaults"];
            let ends = [&defaults["max"], &defaults["custom"]["axisSoftMax"]];
            let zeros = defaults["custom"]["scaleDistribution"]["type"] != "log";
            assert_eq!(ends.iter().any(|end| end.is_number()), zeros, "{}", panel["title"]);
            assert_eq!(defaults["min"] == 0.0, zeros, "{}", panel["title"]);
        }
    });
}
