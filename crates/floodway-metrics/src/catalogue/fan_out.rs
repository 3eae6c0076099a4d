//! The fan-out's metrics.

use super::metrics;
use crate::{Buckets, Kind, Label};

/// How a call ended.
pub static CALL_OUTCOME: Label =
    Label { name: "outcome", values: &["ok", "partial", "error", "cancelled"] };
/// What became of an item.
pub static ITEM_OUTCOME: Label = Label {
    name: "outcome",
    values: &["ok", "failed", "timed_out", "cancelled", "not_started", "panicked", "rejected"],
};
/// Whether a second attempt was quicker than the first.
pub static HEDGE_RESULT: Label = Label { name: "result", values: &["won", "lost"] };

metrics! { FanOut;
    /// Calls that ended: ok if every item succeeded, partial if some did not and the policy let it go on to the end, error if its policy, its deadline or its source stopped it.
    CALLS = "fan_out_calls_total", Kind::Counter, Calls, labels: &[&CALL_OUTCOME];
    /// Calls that have begun and not ended.
    RUNNING_CALLS = "fan_out_running_calls", Kind::Gauge, Calls;
    /// Items that began to run.
    ITEMS_STARTED = "fan_out_items_started_total", Kind::Counter, Items;
    /// Items that have their outcome, those that never ran included.
    ITEMS_PROCESSED = "fan_out_items_processed_total", Kind::Counter, Items, labels: &[&ITEM_OUTCOME];
    /// Items that began to run and have not ended.
    IN_FLIGHT_ITEMS = "fan_out_in_flight_items", Kind::Gauge, Items;
    /// Running time of all items that ended; its rate is the mean number in flight, counted when they end.
    BUSY_SECONDS = "fan_out_busy_seconds_total", Kind::Counter, Seconds;
    /// Attempts at an item after one that failed.
    RETRIES = "fan_out_retries_total", Kind::Counter, Events;
    /// Second attempts beside a first one that took long, by whether they were quicker.
    HEDGES = "fan_out_hedges_total", Kind::Counter, Events, labels: &[&HEDGE_RESULT];
    /// Most items of a call that were in flight at once.
    WIDTH = "fan_out_width_items", Kind::Histogram(Buckets::ITEMS), Items;
    /// Items that were run together as one chunk.
    CHUNK = "fan_out_chunk_items", Kind::Histogram(Buckets::ITEMS), Items;
    /// Time from the beginning of a call to its end.
    DURATION = "fan_out_duration_seconds", Kind::Histogram(Buckets::DURATIONS), Seconds;
    /// Time an item ran; those of a chunk count with their mean.
    ITEM_DURATION = "fan_out_item_duration_seconds", Kind::Histogram(Buckets::DURATIONS), Seconds;
    /// Time a call went on after half of its items had ended.
    STRAGGLER = "fan_out_straggler_seconds", Kind::Histogram(Buckets::DURATIONS), Seconds;
    /// Time from the wake of an item to its next poll: grows while the task that drives the items does something else.
    WAKE_DELAY = "fan_out_wake_delay_seconds", Kind::Histogram(Buckets::DURATIONS), Seconds;
}
