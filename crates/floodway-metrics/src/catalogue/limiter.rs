//! The limiter's metrics.

use super::metrics;
use crate::{Buckets, Kind, Label};

/// How a permit was obtained.
pub static PATH: Label = Label { name: "path", values: &["immediate", "queued"] };
/// Why an operation was refused.
pub static REASON: Label =
    Label { name: "reason", values: &["queue_full", "deadline", "no_permit", "closed"] };
/// How an operation ended.
pub static OUTCOME: Label = Label { name: "outcome", values: &["success", "overload", "ignore"] };
/// Which way a limit moved.
pub static DIRECTION: Label = Label { name: "direction", values: &["up", "down"] };

metrics! { Limiter;
    /// Permits that may be in flight now: the algorithm's limit or the lowest ceiling.
    LIMIT = "limiter_limit", Kind::Gauge, Permits;
    /// Lowest limit that the algorithm may set.
    LIMIT_MIN = "limiter_limit_min", Kind::Gauge, Permits;
    /// Highest limit that the algorithm may set.
    LIMIT_MAX = "limiter_limit_max", Kind::Gauge, Permits;
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
    /// Time during which no permit was free.
    SATURATED_SECONDS = "limiter_saturated_seconds_total", Kind::Counter, Seconds;
    /// Permits granted, at once or after waiting.
    ACQUIRED = "limiter_acquired_total", Kind::Counter, Requests, labels: &[&PATH];
    /// Operations refused before they ran, by reason.
    REJECTED = "limiter_rejected_total", Kind::Counter, Requests, labels: &[&REASON];
    /// Callers that went away while they waited.
    CANCELLED = "limiter_cancelled_total", Kind::Counter, Requests;
    /// Permits that came back, by outcome of the operation.
    COMPLETED = "limiter_completed_total", Kind::Counter, Requests, labels: &[&OUTCOME];
    /// Moves of the limit, by direction.
    LIMIT_CHANGES = "limiter_limit_changes_total", Kind::Counter, Events, labels: &[&DIRECTION];
    /// Time from asking for a permit to getting it.
    WAIT_DURATION = "limiter_wait_duration_seconds", Kind::Histogram(Buckets::DURATIONS), Seconds;
    /// Time a permit was held.
    HOLD_DURATION = "limiter_hold_duration_seconds", Kind::Histogram(Buckets::DURATIONS), Seconds;
}
