//! Rules about batchers.

use floodway_metrics::{
    ComponentKind::Batcher,
    catalogue::batcher::{
        BATCH_OUTCOME, BATCHES, BINDING_BOUND_INFO, BOUND, FLUSHES, ITEM_OUTCOME, ITEMS, OVERHEAD,
        QUEUE_CAPACITY, QUEUED, TRIGGER, WORK,
    },
};

use super::{
    alert::{Alert, Severity},
    example::{Given, example, given},
    recording::Recording,
};
use crate::codegen::promql::rule::{by_instance, by_job, series};

/// What counts as a failure of an item; callers that went away do not.
const WRONG: &[&str] = &["item_error", "batch_error", "rejected", "expired"];

/// Bounds that somebody has configured and can relax.
const CONFIGURED: &[&str] = &["max", "weight", "objective"];

pub(super) fn recordings() -> Vec<Recording> {
    vec![overhead_ratio(), failed_ratio()]
}

pub(super) fn alerts() -> Vec<Alert> {
    vec![stalled(), batches_broken(), items_failing(), queue_nearly_full(), overhead_high()]
}

fn overhead_ratio() -> Recording {
    let labels = by_job(Batcher);
    let overhead = series(&OVERHEAD).rate("5m").sum_by(&labels);
    let work = series(&WORK).rate("5m").sum_by(&labels);
    Recording {
        name: "job_batcher:floodway_batcher_overhead:ratio_rate5m".to_owned(),
        expr: overhead.share_of(&overhead.added(&work)),
        labels,
        example: example("10m", [given(&OVERHEAD, &[], "0+15x10"), given(&WORK, &[], "0+45x10")]),
        value: "0.25",
    }
}

fn failed_ratio() -> Recording {
    let labels = by_job(Batcher);
    let ended = |outcomes| series(&ITEMS).only(&ITEM_OUTCOME, outcomes).rate("5m").sum_by(&labels);
    let wrong = ended(WRONG);
    Recording {
        name: "job_batcher:floodway_batcher_items_failed:ratio_rate5m".to_owned(),
        expr: wrong.share_of(&ended(&["ok"]).added(&wrong)),
        labels,
        example: example("10m", items("0+75x10", "0+25x10", "0+100x10")),
        value: "0.25",
    }
}

fn items(ok: &str, failed: &str, cancelled: &str) -> [Given; 3] {
    [("ok", ok), ("item_error", failed), ("cancelled", cancelled)]
        .map(|(outcome, values)| given(&ITEMS, &[(&ITEM_OUTCOME, outcome)], values))
}

fn stalled() -> Alert {
    let labels = by_instance(Batcher);
    let given = |queued, flushed| {
        [given(&QUEUED, &[], queued), given(&FLUSHES, &[(&TRIGGER, "size")], flushed)]
    };
    Alert {
        name: "FloodwayBatcherStalled",
        severity: Severity::Critical,
        expr: series(&QUEUED)
            .now()
            .above(0)
            .and_on(&labels, &series(&FLUSHES).rate("5m").sum_by(&labels).is(0)),
        lasts: "5m",
        labels,
        when: "items wait and no batch goes, for 10 minutes",
        summary: "Batcher {{ $labels.batcher }} on {{ $labels.instance }} sends nothing",
        description: "{{ $value }} items wait, and no batch has left the queue for ten minutes.",
        fires: example("15m", given("40x15", "100x15")),
        shows: "40",
        silent: vec![
            example("15m", given("40x15", "100x8 101x7")).note("one batch went"),
            example("15m", given("0x15", "100x15")).note("nothing waits"),
        ],
    }
}

fn batches_broken() -> Alert {
    let labels: Vec<_> = by_job(Batcher).into_iter().chain([BATCH_OUTCOME.name]).collect();
    let broken = |values| [given(&BATCHES, &[(&BATCH_OUTCOME, "mismatched")], values)];
    Alert {
        name: "FloodwayBatcherBatchesBroken",
        severity: Severity::Warning,
        expr: series(&BATCHES)
            .only(&BATCH_OUTCOME, &["mismatched", "panicked"])
            .increase("15m")
            .sum_by(&labels)
            .above(0),
        lasts: "1m",
        labels,
        when: "a batch function panics, or gives another number of answers than it had items",
        summary: "The batch function of {{ $labels.batcher }} of {{ $labels.job }} is broken",
        description: "{{ $value | humanize }} batches of the last quarter of an hour ended as \
            {{ $labels.outcome }}.",
        fires: example("20m", broken("0+1x20")),
        shows: "15",
        silent: vec![example("20m", broken("3x20")).note("a fault of yesterday")],
    }
}

fn items_failing() -> Alert {
    Alert {
        name: "FloodwayBatcherItemsFailing",
        severity: Severity::Warning,
        expr: failed_ratio().read().above(0.05),
        lasts: "10m",
        labels: by_job(Batcher),
        when: "more than 5 % of the items fail, for 10 minutes",
        summary: "Items of batcher {{ $labels.batcher }} of {{ $labels.job }} fail",
        description: "{{ $value | humanizePercentage }} of the items had an error, were refused or \
            waited too long.",
        fires: example("20m", items("0+94x20", "0+6x20", "0+0x20")),
        shows: "6%",
        silent: vec![
            example("20m", items("0+191x20", "0+9x20", "0+0x20")),
            example("20m", items("0+191x20", "0+9x20", "0+50x20")).note("callers that go away"),
        ],
    }
}

fn queue_nearly_full() -> Alert {
    let given = |queued| [given(&QUEUED, &[], queued), given(&QUEUE_CAPACITY, &[], "1000x15")];
    Alert {
        name: "FloodwayBatcherQueueNearlyFull",
        severity: Severity::Warning,
        expr: series(&QUEUED).now().share_of(&series(&QUEUE_CAPACITY).now()).above(0.8),
        lasts: "5m",
        labels: by_instance(Batcher),
        when: "more than 80 % of the places in the queue are taken, for 5 minutes",
        summary: "The queue of batcher {{ $labels.batcher }} on {{ $labels.instance }} is nearly \
            full",
        description: "{{ $value | humanizePercentage }} of its places are taken.",
        fires: example("15m", given("810x15")),
        shows: "81%",
        silent: vec![
            example("15m", given("800x15")),
            example("15m", given("0x11 1000x4")).note("a burst"),
        ],
    }
}

fn overhead_high() -> Alert {
    let labels = by_job(Batcher);
    let given = |overhead, work, max| {
        [
            given(&OVERHEAD, &[], overhead),
            given(&WORK, &[], work),
            given(&BINDING_BOUND_INFO, &[(&BOUND, "max")], max),
        ]
    };
    Alert {
        name: "FloodwayBatcherOverheadHigh",
        severity: Severity::Info,
        expr: overhead_ratio()
            .read()
            .above(0.5)
            .and(&series(&BINDING_BOUND_INFO).only(&BOUND, CONFIGURED).now().max_by(&labels).is(1)),
        lasts: "30m",
        labels,
        when: "more than half of the time of batches is their fixed cost, and a configured bound keeps them small, for half an hour",
        summary: "Batches of {{ $labels.batcher }} of {{ $labels.job }} are kept too small",
        description: "{{ $value | humanizePercentage }} of their time is their fixed cost, and a \
            configured bound keeps them from being larger.",
        fires: example("45m", given("0+33x45", "0+27x45", "1x45")),
        shows: "55%",
        silent: vec![
            example("45m", given("0+29x45", "0+31x45", "1x45")),
            example("45m", given("0+33x45", "0+27x45", "0x45")).note("there is no load"),
        ],
    }
}
