//! Rules about fan-outs.

use floodway_metrics::{
    ComponentKind::FanOut,
    catalogue::fan_out::{IN_FLIGHT_ITEMS, ITEM_OUTCOME, ITEMS_PROCESSED},
};

use super::{
    alert::{Alert, Severity},
    example::{Given, example, given},
    recording::Recording,
};
use crate::codegen::promql::rule::{by_instance, by_job, series};

/// What counts as a failure of an item; those that a call was spared do not.
const WRONG: &[&str] = &["failed", "timed_out", "panicked", "rejected"];

pub(super) fn recordings() -> Vec<Recording> {
    vec![failed_ratio()]
}

pub(super) fn alerts() -> Vec<Alert> {
    vec![items_failing(), panics(), stalled()]
}

fn failed_ratio() -> Recording {
    let labels = by_job(FanOut);
    let ended = |outcomes| {
        series(&ITEMS_PROCESSED).only(&ITEM_OUTCOME, outcomes).rate("5m").sum_by(&labels)
    };
    let wrong = ended(WRONG);
    Recording {
        name: "job_fan_out:floodway_fan_out_items_failed:ratio_rate5m".to_owned(),
        expr: wrong.share_of(&ended(&["ok"]).added(&wrong)),
        labels,
        example: example("10m", items("0+75x10", "0+25x10", "0+100x10")),
        value: "0.25",
    }
}

fn items(ok: &str, failed: &str, not_started: &str) -> [Given; 3] {
    [("ok", ok), ("failed", failed), ("not_started", not_started)]
        .map(|(outcome, values)| given(&ITEMS_PROCESSED, &[(&ITEM_OUTCOME, outcome)], values))
}

fn items_failing() -> Alert {
    Alert {
        name: "FloodwayFanOutItemsFailing",
        severity: Severity::Warning,
        expr: failed_ratio().read().above(0.05),
        lasts: "10m",
        labels: by_job(FanOut),
        when: "more than 5 % of the items fail, for 10 minutes",
        summary: "Items of fan-out {{ $labels.fan_out }} of {{ $labels.job }} fail",
        description: "{{ $value | humanizePercentage }} of the items that ran failed, timed out, \
            panicked or were rejected.",
        fires: example("20m", items("0+94x20", "0+6x20", "0+0x20")),
        shows: "6%",
        silent: vec![
            example("20m", items("0+191x20", "0+9x20", "0+0x20")),
            example("20m", items("0+191x20", "0+9x20", "0+50x20")).note("calls that stop early"),
        ],
    }
}

fn panics() -> Alert {
    let labels = by_job(FanOut);
    let panicked = |values| [given(&ITEMS_PROCESSED, &[(&ITEM_OUTCOME, "panicked")], values)];
    Alert {
        name: "FloodwayFanOutPanics",
        severity: Severity::Warning,
        expr: series(&ITEMS_PROCESSED)
            .only(&ITEM_OUTCOME, &["panicked"])
            .increase("15m")
            .sum_by(&labels)
            .above(0),
        lasts: "1m",
        labels,
        when: "items panic",
        summary: "Items of fan-out {{ $labels.fan_out }} of {{ $labels.job }} panic",
        description: "{{ $value | humanize }} items panicked in the last quarter of an hour.",
        fires: example("20m", panicked("0+1x20")),
        shows: "15",
        silent: vec![example("20m", panicked("3x20")).note("panics of yesterday")],
    }
}

fn stalled() -> Alert {
    let labels = by_instance(FanOut);
    let given = |in_flight, processed| {
        [
            given(&IN_FLIGHT_ITEMS, &[], in_flight),
            given(&ITEMS_PROCESSED, &[(&ITEM_OUTCOME, "ok")], processed),
        ]
    };
    Alert {
        name: "FloodwayFanOutStalled",
        severity: Severity::Warning,
        expr: series(&IN_FLIGHT_ITEMS)
            .now()
            .above(0)
            .and_on(&labels, &series(&ITEMS_PROCESSED).rate("10m").sum_by(&labels).is(0)),
        lasts: "10m",
        labels,
        when: "items run and none ends, for 20 minutes",
        summary: "Items of fan-out {{ $labels.fan_out }} on {{ $labels.instance }} do not end",
        description: "{{ $value }} items run, and none has ended for twenty minutes.",
        fires: example("30m", given("16x30", "500x30")),
        shows: "16",
        silent: vec![
            example("30m", given("16x30", "500x15 501x15")).note("one ended"),
            example("30m", given("0x30", "500x30")).note("nothing runs"),
        ],
    }
}
