//! The batcher's metrics.

use super::metrics;
use crate::{Buckets, Kind, Label};

/// What keeps batches from being larger.
pub static BOUND: Label = Label {
    name: "bound",
    values: &[
        "overhead",
        "objective",
        "load",
        "weight",
        "max",
        "unprofitable",
        "observed",
        "warm_up",
    ],
};
/// Why a batch went when it did.
pub static TRIGGER: Label = Label {
    name: "trigger",
    values: &["idle", "size", "weight", "linger", "objective", "probe", "drain"],
};
/// How a batch ended.
pub static BATCH_OUTCOME: Label =
    Label { name: "outcome", values: &["ok", "error", "panicked", "mismatched", "aborted"] };
/// What became of an item.
pub static ITEM_OUTCOME: Label = Label {
    name: "outcome",
    values: &[
        "ok",
        "item_error",
        "batch_error",
        "cancelled",
        "rejected",
        "expired",
        "deduplicated",
    ],
};
/// Why an item was refused.
pub static REASON: Label =
    Label { name: "reason", values: &["queue_full", "weight", "closed", "expired", "limiter"] };
/// Which way the target moved.
pub static DIRECTION: Label = Label { name: "direction", values: &["up", "down"] };

metrics! { Batcher;
    /// Most items that a batch has now.
    TARGET = "batcher_target_items", Kind::Gauge, Items;
    /// Items that each bound would allow on its own; the configured maximum where it allows more, or any number.
    BOUND_ITEMS = "batcher_bound_items", Kind::Gauge, Items, labels: &[&BOUND];
    /// Which bound decides how many items a batch has: 1 for the one that does.
    BINDING_BOUND_INFO = "batcher_binding_bound_info", Kind::Gauge, Boolean, labels: &[&BOUND];
    /// Items that wait for their batch now; an item of several callers counts once.
    QUEUED = "batcher_queued_items", Kind::Gauge, Items;
    /// Callers that may wait at once; several may share one item.
    QUEUE_CAPACITY = "batcher_queue_capacity_items", Kind::Gauge, Items;
    /// Batches that run now.
    IN_FLIGHT = "batcher_in_flight_batches", Kind::Gauge, Batches;
    /// Batches that may run at once.
    IN_FLIGHT_LIMIT = "batcher_in_flight_limit_batches", Kind::Gauge, Batches;
    /// What a batch costs whatever its size, as estimated; 0 while unknown.
    FIXED_COST = "batcher_fixed_cost_seconds", Kind::Gauge, Seconds;
    /// What an item adds to the cost of its batch, as estimated; 0 while unknown.
    ITEM_COST = "batcher_item_cost_seconds", Kind::Gauge, Seconds;
    /// How far the time of a batch is from what the two costs say, as the mean absolute logarithm of their quotient: 0.3 is typically a third off; at most 1.
    MODEL_RESIDUAL = "batcher_model_residual_ratio", Kind::Gauge, Ratio;
    /// Pairs of a probe and a regular batch that the two costs rest on.
    MODEL_PAIRS = "batcher_model_pairs", Kind::Gauge, Pairs;
    /// Most that a batch may weigh now, in the unit that the caller weighs in: as configured, or less once the downstream refused that as too large; 0 if weight bounds nothing.
    MAX_WEIGHT = "batcher_max_weight", Kind::Gauge, Weight;
    /// Batches that left the queue, by why they went when they did; parts of one that was split and further attempts do not count.
    FLUSHES = "batcher_flushes_total", Kind::Counter, Batches, labels: &[&TRIGGER];
    /// Batches that ended, parts and further attempts included: ok if there is an answer for every item, mismatched if there are more or fewer, error if it failed as a whole, aborted if it was dropped before its answer.
    BATCHES = "batcher_batches_total", Kind::Counter, Batches, labels: &[&BATCH_OUTCOME];
    /// Items that have their outcome: item_error is the answer to this item alone, batch_error the end of its whole batch; deduplicated items share the answer to an equal one.
    ITEMS = "batcher_items_total", Kind::Counter, Items, labels: &[&ITEM_OUTCOME];
    /// Items refused before they were sent, by reason; those with the reason expired are expired among the items, all others rejected.
    REJECTED = "batcher_rejected_total", Kind::Counter, Items, labels: &[&REASON];
    /// Part of the time of batches that was their fixed cost, as estimated when they ended.
    OVERHEAD = "batcher_overhead_seconds_total", Kind::Counter, Seconds;
    /// Part of the time of batches that their items cost, as estimated when they ended.
    WORK = "batcher_work_seconds_total", Kind::Counter, Seconds;
    /// Fixed cost that the same items would have had in batches of one, beyond what they had.
    OVERHEAD_AVOIDED = "batcher_overhead_avoided_seconds_total", Kind::Counter, Seconds;
    /// Batches that were split after they had failed as a whole.
    SPLITS = "batcher_splits_total", Kind::Counter, Events;
    /// Attempts at a batch after one that failed.
    RETRIES = "batcher_retries_total", Kind::Counter, Events;
    /// Moves of the target, by direction.
    TARGET_CHANGES = "batcher_target_changes_total", Kind::Counter, Events, labels: &[&DIRECTION];
    /// Times that the two costs were given up because they had changed.
    MODEL_RESETS = "batcher_model_resets_total", Kind::Counter, Events;
    /// Items of a batch as it left the queue.
    BATCH_ITEMS = "batcher_batch_items", Kind::Histogram(Buckets::ITEMS), Items;
    /// Time from the permit of a batch to its answer.
    EXECUTE_DURATION = "batcher_execute_duration_seconds", Kind::Histogram(Buckets::DURATIONS), Seconds;
    /// Time from the arrival of an item to the dispatch of its batch.
    WAIT_DURATION = "batcher_wait_duration_seconds", Kind::Histogram(Buckets::DURATIONS), Seconds;
}
