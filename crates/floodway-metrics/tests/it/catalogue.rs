//! The rules every catalogue entry keeps.

use std::collections::HashSet;

use floodway_metrics::{CATALOGUE, ComponentKind, Kind, Unit};

#[test]
fn names_follow_the_prometheus_conventions() {
    for metric in CATALOGUE {
        let name = metric.name;
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{name}: snake case");
        let counter = matches!(metric.kind, Kind::Counter);
        assert_eq!(name.ends_with("_total"), counter, "{name}: _total is for counters");
        for (suffix, unit) in [("_seconds", Unit::Seconds), ("_ratio", Unit::Ratio)] {
            let ends = name.trim_end_matches("_total").ends_with(suffix);
            assert_eq!(ends, metric.unit == unit, "{name}: unit suffix");
        }
        if metric.component != ComponentKind::Exporter {
            let prefix = format!("floodway_{}_", metric.component.as_str());
            assert!(name.starts_with(&prefix), "{name} starts with {prefix}");
        }
    }
}

#[test]
fn names_are_unique_and_help_is_one_sentence() {
    let names: HashSet<_> = CATALOGUE.iter().map(|metric| metric.name).collect();
    assert_eq!(names.len(), CATALOGUE.len());
    for metric in CATALOGUE {
        assert!(metric.help.ends_with('.') && !metric.help.contains('\n'), "{}", metric.name);
        assert_eq!(metric.help, metric.help.trim(), "{}", metric.name);
    }
}

#[test]
fn labels_are_closed_and_do_not_clash_with_the_component() {
    for metric in CATALOGUE {
        for label in metric.labels {
            assert!(!label.values.is_empty(), "{}: {} has values", metric.name, label.name);
            assert_ne!(Some(label.name), metric.component.label(), "{}", metric.name);
        }
    }
}

#[test]
fn bucket_bounds_ascend() {
    for metric in CATALOGUE {
        if let Kind::Histogram(buckets) = metric.kind {
            assert!(buckets.bounds.is_sorted_by(|a, b| a < b), "{}", metric.name);
        }
    }
}

#[test]
fn components_follow_one_another_in_their_order() {
    let mut order: Vec<_> = CATALOGUE.iter().map(|metric| metric.component).collect();
    order.dedup();
    assert_eq!(order, ComponentKind::ALL);
}

#[test]
fn every_kind_keeps_its_budget_of_series() {
    for kind in ComponentKind::ALL {
        let of_kind = CATALOGUE.iter().filter(|metric| metric.component == kind);
        let series: usize = of_kind.map(|metric| metric.series()).sum();
        assert!(series <= kind.series_budget(), "{}: {series}", kind.as_str());
        // A budget that is never reached says nothing.
        assert!(series * 4 > kind.series_budget() * 3, "{}: {series}", kind.as_str());
    }
}
