//! Rules about the metrics themselves.

use floodway_metrics::{
    ComponentKind::Exporter,
    OTHER,
    catalogue::{
        batcher,
        exporter::{BUILD_INFO, OVERFLOW, VERSION},
        fan_out, fleet, limiter, pool,
    },
};

use super::{
    alert::{Alert, Severity},
    example::{example, given, given_other},
};
use crate::codegen::promql::rule::{by_instance, by_job, series};

pub(super) fn alerts() -> Vec<Alert> {
    vec![target_missing(), overflow()]
}

fn target_missing() -> Alert {
    let labels = by_job(Exporter);
    let info = series(&BUILD_INFO);
    let version = VERSION.values[0];
    let info_of = |values| [given(&BUILD_INFO, &[(&VERSION, version)], values)];
    Alert {
        name: "FloodwayTargetMissing",
        severity: Severity::Warning,
        // What has been there within a day names its job; what never was has no name.
        expr: info
            .highest("1d")
            .group_by(&labels)
            .unless(&info.now().group_by(&labels))
            .or(&info.absent("1d")),
        lasts: "5m",
        labels,
        when: "a job that had metrics of Floodway has none, for 5 minutes",
        summary: "Job \"{{ $labels.job }}\" shows no metrics of Floodway",
        description: "No instance has shown any for five minutes: they are down, or Prometheus does \
            not reach them. Without the name of a job, Prometheus has had none for a day.",
        fires: example("40m", info_of("1x20 _x20")).not_yet("29m"),
        shows: "",
        silent: vec![example("30m", info_of("1x20 _x10")).note("missing for less than that")],
    }
}

fn overflow() -> Alert {
    let labels = by_instance(Exporter);
    let given =
        |counted, shared| [given(&OVERFLOW, &[], counted), given_other(&limiter::LIMIT, shared)];
    // The counter alone would be silent about names that all came at the start, and the series alone
    // about those that are gone when somebody scrapes.
    let grows = series(&OVERFLOW).increase("15m").sum_by(&labels).above(0);
    let one_of_each = [
        &limiter::LIMIT,
        &pool::CONNECTIONS_MAX,
        &fleet::BUDGET,
        &fan_out::RUNNING_CALLS,
        &batcher::QUEUED,
    ];
    let shared = |metric| series(metric).named(OTHER).now().group_by(&labels);
    Alert {
        name: "FloodwayMetricsOverflow",
        severity: Severity::Warning,
        expr: one_of_each.into_iter().fold(grows, |expr, metric| expr.or(&shared(metric))),
        lasts: "20m",
        labels,
        when: "components have no series of their own, for 20 minutes",
        summary: "Too many names on {{ $labels.instance }}: components share the series `_other`",
        description: "A kind of component has more than 200 names there, and what came beyond them \
            has no series of its own.",
        fires: example("40m", given("50x40", "500x40")),
        shows: "",
        silent: vec![
            example("40m", given("0x20 1x20", "_x21 10x15 _x4")).note("once"),
            example("40m", given("50x40", "_x40")).note("they are gone"),
        ],
    }
}
