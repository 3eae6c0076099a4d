//! The fan-out's dashboard.

use floodway_metrics::catalogue::fan_out::{
    BUSY_SECONDS, CALL_OUTCOME, CALLS, CHUNK, DURATION, HEDGE_RESULT, HEDGES, IN_FLIGHT_ITEMS,
    ITEM_DURATION, ITEM_OUTCOME, ITEMS_PROCESSED, ITEMS_STARTED, RETRIES, RUNNING_CALLS, STRAGGLER,
    WAKE_DELAY, WIDTH,
};

use super::{
    Content, Line, Section,
    panel::{Draft, Nothing, Text},
};
use crate::codegen::{
    grafana::Dashboard,
    promql::{gauge, quantile, rate, rate_where, sum_rate},
};

pub(super) const UID: &str = "floodway-fan-out";

/// By the component's name.
const NAME: &[&str] = &["fan_out"];

/// Outcomes of items that went wrong. The others are success, or what a call was spared.
pub(super) const WRONG: &[&str] = &["failed", "timed_out", "panicked", "rejected"];

const NO_FAN_OUT: Nothing = Nothing {
    short: "no fan-out",
    check: "No fan-out matches: check the variables above, the scrape, and that the \
    fan-out has a name.",
};
const NO_CALLS: Nothing = Nothing {
    short: "no calls",
    check: "No call ended: check Calls by outcome and Running calls.",
};
const NO_ITEMS: Nothing = Nothing {
    short: "no items",
    check: "No item ended: check In flight for those that still run.",
};
const NO_WAKES: Nothing = Nothing {
    short: "no wakes",
    check: "No item was woken: its fan-out may not measure it, or no item waits.",
};
const NO_CHUNKS: Nothing = Nothing {
    short: "no chunks",
    check: "No items ran in chunks: the fan-out runs each by itself.",
};

pub(super) fn dashboard() -> Dashboard {
    super::dashboard(Content {
        uid: UID,
        title: "Floodway / Fan-out",
        description: "What fan-outs do with their items, how wide they run, and what holds them up.",
        components: vec![&RUNNING_CALLS],
        objective: false,
        links: Vec::new(),
        sections: vec![
            Section::open("At a glance", vec![glance()]),
            Section::open("Calls", vec![calls(), running()]),
            Section::open("Items", vec![items()]),
            Section::open("Where the time goes", vec![shape()]),
            Section::collapsed("Attempts", vec![attempts()]),
            Section::collapsed("Stragglers, wakes and chunks", vec![delays(), chunks()]),
        ],
    })
}

fn glance() -> Line {
    let wrong = rate_where(&ITEMS_PROCESSED, &ITEM_OUTCOME, WRONG).sum();
    let ok = rate_where(&ITEMS_PROCESSED, &ITEM_OUTCOME, &["ok"]).sum();
    let success = Draft::stat(Text {
        title: "Item success",
        unit: "percentunit",
        description: "Share of items that succeeded, of those that did or went wrong. Items that \
            a call was spared, cancelled or never started, do not count. Good: 99 % and more. \
            Below 95 %: find the outcome in Items by outcome.",
        no_value: NO_ITEMS,
    })
    .query(wrong.per(&ok.plus(&wrong)).complement(), "ok")
    .bad_below(0.99, 0.95);
    let calls = Draft::stat(Text {
        title: "Calls",
        unit: "reqps",
        description: "Calls that ended per second, over all selected fan-outs. Good: follows \
            your traffic. Zero while Running calls is not: they hang, set a deadline.",
        no_value: NO_FAN_OUT,
    })
    .query(rate(&CALLS).sum(), "calls");
    let straggler = Draft::stat(Text {
        title: "Straggler share",
        unit: "percentunit",
        description: "Share of the time of calls that was spent after half of their items had \
            ended. Good: up to 50 %. High: a few items decide how long a call takes; see the \
            panel of that name below.",
        no_value: NO_CALLS,
    })
    .query(sum_rate(&STRAGGLER).sum().per(&sum_rate(&DURATION).sum()), "stragglers")
    .bad_above(0.6, 0.8);
    let wake = Draft::stat(Text {
        title: "Wake delay p99",
        unit: "s",
        description: "Time from the wake of an item to its next poll that 99 of 100 stay below. \
            Good: below some milliseconds. Above, whatever drives the items is busy with \
            something else: run them on tasks of their own.",
        no_value: NO_WAKES,
    })
    .query(quantile(0.99, &[], &WAKE_DELAY).numbers(), "p99")
    .bad_above(0.01, 0.1);
    Line { height: 4, panels: vec![success, calls, straggler, wake] }
}

fn calls() -> Line {
    let outcomes = Draft::time_series(Text {
        title: "Calls by outcome",
        unit: "reqps",
        description: "Calls that ended per second. Good: ok. Partial calls had items that went \
            wrong and were tolerated; error is a policy, a deadline or a source that stopped the \
            call; cancelled, that its caller went away. Errors with few failed items: the policy \
            is too strict, or the deadline too short.",
        no_value: NO_FAN_OUT,
    })
    .query(rate(&CALLS).sum_by(&["fan_out", CALL_OUTCOME.name]), "{{fan_out}} {{outcome}}");
    let duration = Draft::time_series(Text {
        title: "Duration",
        unit: "s",
        description: "Time from the beginning of a call to its end. Good: well below the \
            deadline of a call. Longer with unchanged Item duration: more items per call or less \
            width. Longer with it: look at the dependency.",
        no_value: NO_CALLS,
    })
    .percentiles(&DURATION);
    Line { height: 9, panels: vec![outcomes, duration] }
}

fn running() -> Line {
    let running = Draft::time_series(Text {
        title: "Running calls",
        unit: "short",
        description: "Calls that have begun and not ended at the moment of the scrape. Good: as \
            steady as your traffic. All share what their items depend on: if it grows, limit the \
            callers or share one limiter among the calls.",
        no_value: NO_FAN_OUT,
    })
    .query(gauge(&RUNNING_CALLS).sum_by(NAME), "{{fan_out}}");
    let in_flight = Draft::time_series(Text {
        title: "In flight",
        unit: "short",
        description: "Items that run, at the moment of the scrape and on average between \
            scrapes, over all calls. Good: both alike. The average counts an item when it ends: \
            in flight without an average, items hang, give them a timeout.",
        no_value: NO_FAN_OUT,
    })
    .query(gauge(&IN_FLIGHT_ITEMS).sum_by(NAME), "{{fan_out}} in flight")
    .query(rate(&BUSY_SECONDS).sum_by(NAME), "{{fan_out}} mean in flight");
    Line { height: 8, panels: vec![running, in_flight] }
}

fn items() -> Line {
    let outcomes = Draft::time_series(Text {
        title: "Items by outcome",
        unit: "cps",
        description: "Items per second that have their outcome, one each. Good: ok. Timed out: \
            the item's timeout against Item duration. Rejected: a limiter that the items pass \
            refused them, see its dashboard. Not started: the call was stopped before their \
            turn. Panicked: a mistake in the code of the item.",
        no_value: NO_FAN_OUT,
    })
    .query(
        rate(&ITEMS_PROCESSED).sum_by(&["fan_out", ITEM_OUTCOME.name]),
        "{{fan_out}} {{outcome}}",
    );
    let duration = Draft::time_series(Text {
        title: "Item duration",
        unit: "s",
        description: "Time an item ran; those of a chunk count with the chunk's mean. Good: the \
            same at any width. If it grows with the width, the dependency is saturated: lower \
            the concurrency or let a limiter find it. Far apart p50 and p99 make stragglers: \
            hedge, or set a timeout.",
        no_value: NO_ITEMS,
    })
    .percentiles(&ITEM_DURATION);
    Line { height: 9, panels: vec![outcomes, duration] }
}

fn shape() -> Line {
    let width = Draft::time_series(Text {
        title: "Width",
        unit: "short",
        description: "Most items that a call had in flight at once: the mean, and quantiles that \
            are interpolated within a bucket of the histogram. Good: the mean is at the concurrency \
            that was set; then the bound decides, and a higher one helps if Item duration stays. \
            Below it, there are too few items, a slow source, or a limiter that holds them back.",
        no_value: NO_CALLS,
    })
    .sizes(&WIDTH)
    .wide();
    let parallelism = Draft::time_series(Text {
        title: "Effective parallelism",
        unit: "short",
        description: "Running time of items per time of calls: how many items a call had in \
            flight on average. Good: near Width. Far below, calls wait for stragglers, for their \
            source, for permits, or for who takes the results.",
        no_value: NO_CALLS,
    })
    .query(rate(&BUSY_SECONDS).sum_by(NAME).per(&sum_rate(&DURATION).sum_by(NAME)), "{{fan_out}}");
    let straggler = Draft::time_series(Text {
        title: "Straggler share",
        unit: "percentunit",
        description: "Share of the time of calls that was spent after half of their items had \
            ended. Good: about 0 if all items fit into the width, and 50 % if they are many \
            more. Above: hedge, set an item timeout, make chunks smaller, or start the slowest \
            items first.",
        no_value: NO_CALLS,
    })
    .query(sum_rate(&STRAGGLER).sum_by(NAME).per(&sum_rate(&DURATION).sum_by(NAME)), "{{fan_out}}")
    .bad_above(0.6, 0.8)
    .up_to(1.0);
    Line { height: 9, panels: vec![width, parallelism, straggler] }
}

fn attempts() -> Line {
    let started = Draft::time_series(Text {
        title: "Items started",
        unit: "cps",
        description: "Items per second that began to run, and that have their outcome. Good: one \
            line on the other. More outcomes than starts for long: calls give up on items that \
            they never start, so they are stopped early or have too many items for their \
            deadline.",
        no_value: NO_FAN_OUT,
    })
    .query(rate(&ITEMS_STARTED).sum_by(NAME), "{{fan_out}} started")
    .query(rate(&ITEMS_PROCESSED).sum_by(NAME), "{{fan_out}} processed");
    let retries = Draft::time_series(Text {
        title: "Retries",
        unit: "ops",
        description: "Attempts per second after one that failed. Good: few beside Items started. \
            More than a tenth of those loads a dependency that already fails: lower the budget \
            of retries.",
        no_value: NO_FAN_OUT,
    })
    .query(rate(&RETRIES).sum_by(NAME), "{{fan_out}}");
    let hedges = Draft::time_series(Text {
        title: "Hedges",
        unit: "ops",
        description: "Second attempts per second, by whether they were quicker than the first. \
            Good: few, mostly won. Mostly lost: they begin too early and only add load; raise \
            the delay before them.",
        no_value: NO_FAN_OUT,
    })
    .query(rate(&HEDGES).sum_by(&["fan_out", HEDGE_RESULT.name]), "{{fan_out}} {{result}}");
    Line { height: 8, panels: vec![started, retries, hedges] }
}

fn delays() -> Line {
    let straggler = Draft::time_series(Text {
        title: "Straggler time",
        unit: "s",
        description: "How long a call went on after half of its items had ended. Good: a small \
            part of Duration. It is what a call would gain at most from quicker stragglers: \
            little of it, leave them alone.",
        no_value: NO_CALLS,
    })
    .percentiles(&STRAGGLER);
    let wake = Draft::time_series(Text {
        title: "Wake delay",
        unit: "s",
        description: "Time from the wake of an item to its next poll. Good: below a millisecond. \
            It grows when the task that drives the items does something else: work between \
            results, or blocking code. Move that out of the task, or run the items on tasks of \
            their own.",
        no_value: NO_WAKES,
    })
    .percentiles(&WAKE_DELAY);
    Line { height: 9, panels: vec![straggler, wake] }
}

fn chunks() -> Line {
    let chunk = Draft::time_series(Text {
        title: "Chunk size",
        unit: "short",
        description: "Items that were run together: the mean, and quantiles that are interpolated \
            within a bucket of the histogram. Good: mean and p99 alike, with a low Straggler share. Small chunks cost overhead per item, large ones make stragglers: \
            with a high Straggler share, bound the time of a chunk.",
        no_value: NO_CHUNKS,
    })
    .sizes(&CHUNK);
    Line { height: 7, panels: vec![chunk] }
}
