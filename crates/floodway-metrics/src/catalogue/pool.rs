//! The connection pool's metrics.

use super::metrics;
use crate::{Buckets, Kind, Label};

/// What a connection is doing.
pub static STATE: Label = Label { name: "state", values: &["idle", "used"] };
/// Who would let out so many connections. `effective` is the least of three: the `pool` itself, with
/// what is reserved and what others use left out; the lowest outer `ceiling`; the `algorithm`. As
/// many attempts as `connects` says may run at once while connecting fails. Where one of them allows
/// any number, it is the pool's.
pub static SOURCE: Label =
    Label { name: "source", values: &["effective", "pool", "connects", "ceiling", "algorithm"] };
/// Why a caller was refused. Who could not be served in time has the cause that kept connections
/// from it: connecting fails, others hold them for long, others than this limiter use them, or an
/// outer ceiling is lower than the pool; `deadline` where none of these stands out.
pub static CAUSE: Label = Label {
    name: "cause",
    values: &[
        "queue_full",
        "deadline",
        "connect_failing",
        "pool_held",
        "foreign",
        "ceiling",
        "closed",
        "weight",
        "nested",
    ],
};

metrics! { Pool;
    /// Open connections, by state.
    CONNECTIONS = "pool_connections", Kind::Gauge, Connections, labels: &[&STATE], otel: "db.client.connection.count";
    /// Most connections that the pool may open.
    CONNECTIONS_MAX = "pool_connections_max", Kind::Gauge, Connections, otel: "db.client.connection.max";
    /// Connections that are never handed out, left to others.
    CONNECTIONS_RESERVED = "pool_connections_reserved", Kind::Gauge, Connections;
    /// Peak over the last second of connections used by others than this limiter.
    CONNECTIONS_FOREIGN = "pool_connections_foreign", Kind::Gauge, Connections;
    /// Connections that may be handed out now: effective, the least of what the pool (max minus reserved minus foreign, 0 once closed), the lowest outer ceiling and the algorithm would each allow. Beside it connects, the attempts to obtain one that may run at once while connecting fails.
    LIMIT = "pool_limit", Kind::Gauge, Connections, labels: &[&SOURCE];
    /// Callers waiting for a connection now.
    PENDING_REQUESTS = "pool_pending_requests", Kind::Gauge, Requests, otel: "db.client.connection.pending_requests";
    /// Callers that were refused a connection, by cause.
    REJECTIONS = "pool_rejections_total", Kind::Counter, Requests, labels: &[&CAUSE];
    /// Acquisitions that went on after their caller had left, so that no connection was closed halfway.
    ABANDONED = "pool_abandoned_acquires_total", Kind::Counter, Requests;
    /// Times the pool itself gave up waiting for a connection.
    TIMEOUTS = "pool_timeouts_total", Kind::Counter, Events, otel: "db.client.connection.timeouts";
    /// Times the pool failed to give a connection for another cause than a timeout.
    ERRORS = "pool_errors_total", Kind::Counter, Events;
    /// Looks at the pool that found more idle connections than open ones; they were taken for as many as were open.
    IMPLAUSIBLE = "pool_implausible_reports_total", Kind::Counter, Events;
    /// Connections that are being opened now; only where the pool lets somebody look on.
    CONNECTING = "pool_connections_opening", Kind::Gauge, Connections;
    /// Times that a connection could not be opened; only where the pool lets somebody look on.
    CONNECT_FAILURES = "pool_connect_failures_total", Kind::Counter, Events;
    /// Idle connections that were closed because a limit above the pool shrank.
    TRIMMED = "pool_connections_trimmed_total", Kind::Counter, Connections;
    /// Claims held now: operations that may take several connections.
    CLAIMS = "pool_claims", Kind::Gauge, Requests;
    /// How long the connection that has been out for the longest has been; 0 if none is out.
    OLDEST_HOLD = "pool_oldest_hold_seconds", Kind::Gauge, Seconds;
    /// Time from asking for a connection to having it, queue and connect included.
    WAIT_DURATION = "pool_wait_duration_seconds", Kind::Histogram(Buckets::DURATIONS), Seconds, otel: "db.client.connection.wait_time";
    /// Time from having a connection to its return to the pool.
    USE_DURATION = "pool_use_duration_seconds", Kind::Histogram(Buckets::DURATIONS), Seconds, otel: "db.client.connection.use_time";
    /// Time to open a connection, of those that could be opened; only where the pool lets somebody look on.
    CONNECT_DURATION = "pool_connect_duration_seconds", Kind::Histogram(Buckets::DURATIONS), Seconds, otel: "db.client.connection.create_time";
}
