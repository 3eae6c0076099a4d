//! The limiter's metrics.

use super::metrics;
use crate::{Buckets, Kind, Label};

/// How a permit was obtained.
pub static PATH: Label = Label { name: "path", values: &["immediate", "queued"] };
/// Why an operation was refused.
pub static REASON: Label = Label {
    name: "reason",
    values: &[
        "queue_full",
        "deadline",
        "unmeetable",
        "shed",
        "displaced",
        "no_permit",
        "weight",
        "nested",
        "closed",
    ],
};
/// Why an operation would have been refused.
pub static SHADOW_REASON: Label =
    Label { name: "reason", values: &["queue_full", "deadline", "no_permit", "weight"] };
/// How much an operation matters.
pub static PRIORITY: Label =
    Label { name: "priority", values: &["critical", "high", "normal", "low"] };
/// Whether the limit is enforced.
pub static MODE: Label = Label { name: "mode", values: &["off", "shadow", "enforce"] };
/// How an operation ended.
pub static OUTCOME: Label = Label { name: "outcome", values: &["success", "overload", "ignore"] };
/// Which way a limit moved.
pub static DIRECTION: Label = Label { name: "direction", values: &["up", "down"] };
/// Who or what moved a limit.
pub static CAUSE: Label = Label {
    name: "cause",
    values: &[
        "growth", "queue", "overload", "probe", "restored", "bounds", "operator", "ceiling",
        "other",
    ],
};
/// What became of a request for a permit inside an operation that holds one.
pub static NESTED_RESULT: Label = Label { name: "result", values: &["lent", "refused"] };
/// What a probe of the baseline found.
pub static PROBE_RESULT: Label =
    Label { name: "result", values: &["confirmed", "lowered", "raised", "inconclusive"] };

metrics! { Limiter;
    /// Permits that may be in flight now: the algorithm's limit or the lowest ceiling.
    LIMIT = "limiter_limit", Kind::Gauge, Permits;
    /// Lowest limit that the algorithm may set.
    LIMIT_MIN = "limiter_limit_min", Kind::Gauge, Permits;
    /// Highest limit that the algorithm may set.
    LIMIT_MAX = "limiter_limit_max", Kind::Gauge, Permits;
    /// Whether the limit is off, in shadow or enforced: 1 for the mode that applies.
    MODE_INFO = "limiter_mode", Kind::Gauge, Boolean, labels: &[&MODE];
    /// Keys that have a limiter now, where there is one per key; the other numbers are sums over them and the overflow.
    KEYS = "limiter_keys", Kind::Gauge, Keys;
    /// Operations whose key found no room and shared the limiter of the overflow.
    OVERFLOWED = "limiter_keys_overflowed_total", Kind::Counter, Requests;
    /// Permits held now.
    IN_FLIGHT = "limiter_in_flight", Kind::Gauge, Permits;
    /// Callers waiting for a permit now.
    QUEUED = "limiter_queued", Kind::Gauge, Requests;
    /// Callers that may wait at once.
    QUEUE_CAPACITY = "limiter_queue_capacity", Kind::Gauge, Requests;
    /// Integral over time of permits held; its rate is the true mean concurrency.
    PERMIT_SECONDS = "limiter_permit_seconds_total", Kind::Counter, Seconds;
    /// Integral over time of callers waiting, unfinished waits included; its rate is the true mean queue length.
    QUEUED_SECONDS = "limiter_queued_seconds_total", Kind::Counter, Seconds;
    /// Time during which no permit was free; where there is a limiter per key, the sum over them, so divide its rate by the keys.
    SATURATED_SECONDS = "limiter_saturated_seconds_total", Kind::Counter, Seconds;
    /// Operations admitted, at once or after waiting.
    ACQUIRED = "limiter_acquired_total", Kind::Counter, Requests, labels: &[&PATH];
    /// Operations refused before they ran, by reason and priority.
    REJECTED = "limiter_rejected_total", Kind::Counter, Requests, labels: &[&REASON, &PRIORITY];
    /// Operations that ran in shadow mode and would have been refused, by reason.
    SHADOW_REJECTED = "limiter_shadow_rejected_total", Kind::Counter, Requests, labels: &[&SHADOW_REASON];
    /// Callers that went away while they waited.
    CANCELLED = "limiter_cancelled_total", Kind::Counter, Requests;
    /// Operations nested in one that holds a permit of the same limiter, by what became of them.
    NESTED = "limiter_nested_total", Kind::Counter, Requests, labels: &[&NESTED_RESULT];
    /// Admitted operations that ended, by outcome.
    COMPLETED = "limiter_completed_total", Kind::Counter, Requests, labels: &[&OUTCOME];
    /// Moves of the limit, by direction and cause.
    LIMIT_CHANGES = "limiter_limit_changes_total", Kind::Counter, Events, labels: &[&DIRECTION, &CAUSE];
    /// Windows of samples that the algorithm has learnt from.
    WINDOWS = "limiter_windows_total", Kind::Counter, Events;
    /// Whether anybody was held back by the limit in the last window: only then may it grow.
    LIMITED = "limiter_limited", Kind::Gauge, Boolean;
    /// Latency without a queue downstream, as the algorithm believes it; 0 while unknown.
    BASELINE_LATENCY = "limiter_baseline_latency_seconds", Kind::Gauge, Seconds;
    /// Mean latency in the last window; 0 while unknown.
    WINDOW_LATENCY = "limiter_window_latency_seconds", Kind::Gauge, Seconds;
    /// Permits whose operations queue downstream rather than being worked on, as estimated from the latencies.
    BACKEND_QUEUE = "limiter_backend_queue", Kind::Gauge, Permits;
    /// Limits that the algorithm answered and that were not numbers; the limit before was kept.
    INVALID_LIMITS = "limiter_invalid_limits_total", Kind::Counter, Events;
    /// Whether the limit is low for a moment in order to measure the baseline.
    PROBING = "limiter_probing", Kind::Gauge, Boolean;
    /// Probes of the baseline that ended, by what they found.
    PROBES = "limiter_probes_total", Kind::Counter, Events, labels: &[&PROBE_RESULT];
    /// Time from asking for a permit to getting it.
    WAIT_DURATION = "limiter_wait_duration_seconds", Kind::Histogram(Buckets::DURATIONS), Seconds;
    /// Time a permit was held.
    HOLD_DURATION = "limiter_hold_duration_seconds", Kind::Histogram(Buckets::DURATIONS), Seconds;
}
