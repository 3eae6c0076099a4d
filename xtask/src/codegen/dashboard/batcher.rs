//! The batcher's dashboard.

mod cost;
mod size;

use floodway_metrics::catalogue::batcher::{
    BATCH_ITEMS, BATCH_OUTCOME, BATCHES, BOUND, BOUND_ITEMS, EXECUTE_DURATION, FLUSHES,
    ITEM_OUTCOME, ITEMS, OVERHEAD, QUEUE_CAPACITY, QUEUED, REASON, REJECTED, RETRIES, SPLITS,
    TARGET, TRIGGER, WAIT_DURATION, WORK,
};

use super::{
    Content, Line, Section,
    panel::{Draft, Nothing, Text},
};
use crate::codegen::{
    grafana::Dashboard,
    promql::{Expr, gauge, quantile, rate, rate_where, sum_rate},
};

pub(super) const UID: &str = "floodway-batcher";

/// By the component's name.
const NAME: &[&str] = &["batcher"];

/// Outcomes of items that went wrong. The others are success, what a caller no longer wanted, or
/// the answer to another item.
pub(super) const WRONG: &[&str] = &["item_error", "batch_error", "rejected", "expired"];

const NO_BATCHER: Nothing = Nothing {
    short: "no batcher",
    check: "No batcher matches: check the variables above and the scrape.",
};
const NO_ITEMS: Nothing = Nothing {
    short: "no items",
    check: "No item ended: check that calls pass the batcher, and Batches in flight \
    for those that still run.",
};
const NO_BATCHES: Nothing = Nothing {
    short: "no batches",
    check: "No batch went: check that calls pass the batcher, and Queue fill for \
    items that wait for a free slot.",
};
const NO_ENDS: Nothing = Nothing {
    short: "no batches",
    check: "No batch ended: check Batches in flight for those that still run.",
};
const NO_COSTS: Nothing = Nothing {
    short: "not known",
    check: "No batch was measured: none ended, or its costs are not known yet.",
};
const NO_WAITS: Nothing = Nothing {
    short: "no waits",
    check: "No wait was measured: nothing went, or the batcher measures no waits.",
};

pub(super) fn dashboard() -> Dashboard {
    super::dashboard(Content {
        uid: UID,
        title: "Floodway / Batcher",
        description: "What batchers save, what they refuse, where the time of their items goes, \
            and what decides the size of a batch.",
        components: vec![&TARGET],
        objective: false,
        links: Vec::new(),
        sections: vec![
            Section::open("At a glance", vec![glance()]),
            Section::open("Health", vec![batches(), sizes(), ends()]),
            Section::open("Refused", vec![refused()]),
            Section::open("Where the time goes", vec![durations()]),
            Section::collapsed("What it saves", vec![cost::costs()]),
            Section::collapsed("What decides the size", vec![size::bounds(), size::model()]),
        ],
    })
}

/// The share of fixed cost in the time of batches; `by` aggregates each rate.
pub(super) fn overhead_share(by: impl Fn(Expr) -> Expr) -> Expr {
    let overhead = by(rate(&OVERHEAD));
    overhead.per(&overhead.plus(&by(rate(&WORK))))
}

/// Of each instance, because their queues are not shared.
fn queue_fill() -> Expr {
    gauge(&QUEUED).per(&gauge(&QUEUE_CAPACITY))
}

fn glance() -> Line {
    let wrong = rate_where(&ITEMS, &ITEM_OUTCOME, WRONG).sum();
    let ok = rate_where(&ITEMS, &ITEM_OUTCOME, &["ok"]).sum();
    let success = Draft::stat(Text {
        title: "Item success",
        unit: "percentunit",
        description: "Share of items that were answered well, of those that were or went wrong. \
            Cancelled items, which nobody wants any more, and deduplicated ones, which share the \
            answer to another, do not count. Good: 99.9 % and more. Below 99 %: find the outcome \
            in Items by outcome.",
        no_value: NO_ITEMS,
    })
    .query(wrong.per(&ok.plus(&wrong)).complement(), "ok")
    .bad_below(0.999, 0.99);
    let overhead = Draft::stat(Text {
        title: "Overhead share",
        unit: "percentunit",
        description: "Share of the time of batches that they would have cost without any item. \
            Good: below 30 %, or anything while nothing queues. See the panel of that name \
            below.",
        no_value: NO_COSTS,
    })
    .query(overhead_share(|rate| rate.sum()), "overhead")
    .bad_above(0.3, 0.5);
    let queue = Draft::stat(Text {
        title: "Worst queue fill",
        unit: "percentunit",
        description: "Items that wait, of the callers that may, of the batcher and instance with \
            the fullest queue. Good: below 70 %. At 100 % who comes waits for room, or is \
            refused if so configured; below that where callers share items: see Queue fill.",
        no_value: NO_BATCHER,
    })
    .query(queue_fill().max(), "filled")
    .bad_above(0.7, 0.9);
    let wait = Draft::stat(Text {
        title: "Wait p99",
        unit: "s",
        description: "Time from the arrival of an item to the dispatch of its batch that 99 of \
            100 stay below. Good: about the linger, or the time of one batch. Above: all slots \
            are busy, see Batches in flight.",
        no_value: NO_WAITS,
    })
    .query(quantile(0.99, &[], &WAIT_DURATION).numbers(), "p99")
    .bad_above(0.1, 0.25);
    Line { height: 4, panels: vec![success, overhead, queue, wait] }
}

fn batches() -> Line {
    let overhead = Draft::time_series(Text {
        title: "Overhead share",
        unit: "percentunit",
        description: "Share of the time of batches that they would have cost without any item. \
            Good: below 30 %. High while Queue fill is low costs nobody anything: there is too \
            little load for larger batches. High while items queue: let batches be larger; Size \
            and its bounds says what keeps them small.",
        no_value: NO_COSTS,
    })
    .query(overhead_share(|rate| rate.sum_by(NAME)), "{{batcher}}")
    .bad_above(0.3, 0.5)
    .up_to(1.0);
    let size = Draft::time_series(Text {
        title: "Size and its bounds",
        unit: "short",
        description: "Items that a batch may have, that it has on average, and that each bound \
            would allow on its own (dashed; one that allows any number is at the configured \
            maximum), on a logarithmic scale. \
            Good: the mean follows the load, up to the target. Mean near the target: the lowest \
            bound decides. Mean far below while items queue: batches go before they are full, \
            Flushes by trigger says why.",
        no_value: NO_BATCHER,
    })
    .query(gauge(&TARGET).avg_by(NAME), "{{batcher}} target")
    .query(
        sum_rate(&BATCH_ITEMS).sum_by(NAME).per(&rate(&FLUSHES).sum_by(NAME)),
        "{{batcher}} mean",
    )
    .bound(gauge(&BOUND_ITEMS).avg_by(&["batcher", BOUND.name]), "{{batcher}} {{bound}}")
    .logarithmic();
    Line { height: 10, panels: vec![overhead, size] }
}

fn sizes() -> Line {
    let flushes = Draft::time_series(Text {
        title: "Flushes by trigger",
        unit: "ops",
        description: "Batches per second that left the queue, by why they went when they did. \
            Good: idle at little load, size at much. Mostly linger: items wait for company that \
            does not come, shorten it. Mostly size or weight: batches are full, raise that bound \
            if items queue. Mostly objective: the latency objective leaves no time for more.",
        no_value: NO_BATCHER,
    })
    .query(rate(&FLUSHES).sum_by(&["batcher", TRIGGER.name]), "{{batcher}} {{trigger}}");
    let size = Draft::time_series(Text {
        title: "Batch size",
        unit: "short",
        description: "Items of a batch as it left the queue: the mean, and what 95 and 99 of 100 \
            batches stay below, which is interpolated within a bucket of the histogram and so may \
            be off by half. Good: grows with the load. Mean near 1 under load: batching hardly \
            happens, see Flushes by trigger. Mean and p99 far apart: items arrive in bursts.",
        no_value: NO_BATCHES,
    })
    .sizes(&BATCH_ITEMS);
    Line { height: 9, panels: vec![flushes, size] }
}

fn ends() -> Line {
    let items = Draft::time_series(Text {
        title: "Items by outcome",
        unit: "cps",
        description: "Items per second that have their outcome, one each. Good: ok. Item errors \
            are answers to single items; batch errors take every item of the batch with them, \
            see Batches by outcome. Rejected and expired: see Rejected by reason. Deduplicated \
            items are calls that the downstream was spared.",
        no_value: NO_BATCHER,
    })
    .query(rate(&ITEMS).sum_by(&["batcher", ITEM_OUTCOME.name]), "{{batcher}} {{outcome}}");
    let batches = Draft::time_series(Text {
        title: "Batches by outcome",
        unit: "ops",
        description: "Batches per second that ended, with the parts of those that were split and \
            further attempts. Good: ok. Mismatched: more or fewer answers than items, a mistake \
            in the function that runs a batch, as is panicked. Aborted: dropped before the \
            answer. Errors: the downstream fails; with splits, a single item may be to blame.",
        no_value: NO_BATCHER,
    })
    .query(rate(&BATCHES).sum_by(&["batcher", BATCH_OUTCOME.name]), "{{batcher}} {{outcome}}");
    Line { height: 9, panels: vec![items, batches] }
}

fn refused() -> Line {
    let rejected = Draft::time_series(Text {
        title: "Rejected by reason",
        unit: "cps",
        description: "Items per second that were refused before they were sent. Good: none. \
            Queue full: the downstream is slower than the callers, slow them down. Weight: an \
            item is heavier than a batch may be. Expired: its deadline passed while it waited. \
            Limiter: no permit for the batch, see the limiter's dashboard. Closed: a caller \
            outlives the batcher.",
        no_value: NO_BATCHER,
    })
    .query(rate(&REJECTED).sum_by(&["batcher", REASON.name]), "{{batcher}} {{reason}}")
    .wide();
    let queue = Draft::time_series(Text {
        title: "Queue fill",
        unit: "percentunit",
        description: "Items that wait, of the callers that may, on the instance with the fullest \
            queue. Good: below 70 %, with spikes. Steadily high: all slots are busy, so allow \
            more batches in flight if the downstream bears them, or larger ones. At 100 % who \
            comes waits for room, or is refused if so configured; below that where callers share \
            items.",
        no_value: NO_BATCHER,
    })
    .query(queue_fill().max_by(NAME), "{{batcher}}")
    .bad_above(0.7, 0.9)
    .up_to(1.0);
    let repairs = Draft::time_series(Text {
        title: "Splits and retries",
        unit: "ops",
        description: "Batches per second that failed as a whole and were split, and that were \
            tried again. Good: none. Steady splits: some items spoil the batch of others, check \
            them before they are sent. Many retries load a downstream that already fails.",
        no_value: NO_BATCHER,
    })
    .query(rate(&SPLITS).sum_by(NAME), "{{batcher}} splits")
    .query(rate(&RETRIES).sum_by(NAME), "{{batcher}} retries");
    Line { height: 9, panels: vec![rejected, queue, repairs] }
}

fn durations() -> Line {
    let wait = Draft::time_series(Text {
        title: "Wait",
        unit: "s",
        description: "Time from the arrival of an item to the dispatch of its batch. Good: \
            shorter than Execute. Below the linger it is the wait for company, and shortens with \
            it; above, the wait for a free slot, and grows with Queue fill.",
        no_value: NO_WAITS,
    })
    .percentiles(&WAIT_DURATION);
    let execute = Draft::time_series(Text {
        title: "Execute",
        unit: "s",
        description: "Time from the permit of a batch to its answer. Good: grows with Batch size \
            alone; if that is too long for callers, set a latency objective. If it grows \
            without, look at the downstream.",
        no_value: NO_ENDS,
    })
    .percentiles(&EXECUTE_DURATION);
    Line { height: 9, panels: vec![wait, execute] }
}
