//! What a reader is told, and where links lead.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{between, check, graphs, panels, targets, text};

#[test]
fn every_panel_says_what_it_shows() {
    check(|dashboard| {
        for panel in panels(dashboard) {
            for value in [&panel["title"], &panel["description"]] {
                assert!(!text(value).trim().is_empty(), "an empty text in {panel}");
            }
        }
        for panel in graphs(dashboard) {
            let defaults = &panel["fieldConfig"]["defaults"];
            for value in [&defaults["unit"], &defaults["noValue"]] {
                assert!(!text(value).trim().is_empty(), "an empty text in {panel}");
            }
        }
    });
}

/// What good looks like, and what to do otherwise: a number without it helps nobody at night.
#[test]
fn every_panel_says_what_is_good() {
    check(|dashboard| {
        for panel in graphs(dashboard) {
            let description = text(&panel["description"]);
            assert!(description.contains("Good: "), "{}: {description}", panel["title"]);
        }
    });
}

/// The guide says of each panel of the limiter's dashboard what is good, what is bad, and what then.
#[test]
fn the_guide_reads_every_panel_of_limiters() {
    let guide = include_str!("../../../../../docs/guides/limiter.md");
    check(|dashboard| {
        if dashboard["uid"] != super::super::limiter::UID {
            return;
        }
        let mut from = 0;
        for panel in panels(dashboard) {
            let title = format!("| **{}** |", text(&panel["title"]));
            let at = guide.find(&title).unwrap_or_else(|| panic!("{title} is not in the guide"));
            assert!(at > from, "{title} is elsewhere in the guide");
            from = at;
        }
    });
}

#[test]
fn ratios_have_thresholds() {
    check(|dashboard| {
        for panel in graphs(dashboard) {
            let defaults = &panel["fieldConfig"]["defaults"];
            if defaults["unit"] == "percentunit" {
                let steps = defaults["thresholds"]["steps"].as_array();
                assert!(steps.is_some_and(|steps| steps.len() > 1), "{}", panel["title"]);
            }
        }
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

fn collect_texts<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => found.push(text),
        Value::Array(items) => items.iter().for_each(|item| collect_texts(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| collect_texts(field, found)),
        _ => {}
    }
}

#[test]
fn links_lead_to_dashboards_that_exist_and_keep_what_was_chosen() {
    let uids = super::super::all().map(|(_, dashboard)| dashboard.uid);
    check(|dashboard| {
        let mut texts = Vec::new();
        collect_texts(dashboard, &mut texts);
        for target in texts.iter().flat_map(|text| text.split("/d/").skip(1)) {
            let (uid, rest) = target.split_once('?').unwrap();
            assert!(uids.contains(&uid), "{uid} is no dashboard");
            assert!(rest.starts_with("${__url_time_range}&${__all_variables}"), "{target}");
        }
    });
}

#[test]
fn the_overview_leads_to_every_dashboard() {
    let text = serde_json::to_string(&super::super::overview::dashboard()).unwrap();
    let links = serde_json::to_value(super::super::overview::dashboard().links).unwrap();
    for (_, dashboard) in super::super::all() {
        let address = format!("/d/{}?", dashboard.uid);
        let own = dashboard.uid == super::super::overview::UID;
        assert_eq!(text.contains(&address), !own, "{address}");
        assert_eq!(links.to_string().contains(&address), !own, "{address}");
    }
}
