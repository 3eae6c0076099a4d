//! The connection pool's metrics.

use super::metrics;
use crate::{Buckets, Kind, Label};

/// What a connection is doing.
pub static STATE: Label = Label { name: "state", values: &["idle", "used"] };

metrics! { Pool;
    /// Open connections, by state.
    CONNECTIONS = "pool_connections", Kind::Gauge, Connections, labels: &[&STATE], otel: "db.client.connection.count";
    /// Most connections that the pool may open.
    CONNECTIONS_MAX = "pool_connections_max", Kind::Gauge, Connections, otel: "db.client.connection.max";
    /// Connections that are never handed out, left to others.
    CONNECTIONS_RESERVED = "pool_connections_reserved", Kind::Gauge, Connections;
    /// Peak over the last second of connections used by others than this limiter.
    CONNECTIONS_FOREIGN = "pool_connections_foreign", Kind::Gauge, Connections;
    /// Connections that may be handed out now: max minus reserved minus foreign, 0 once the pool is closed.
    LIMIT = "pool_limit", Kind::Gauge, Connections;
    /// Callers waiting for a connection now.
    PENDING_REQUESTS = "pool_pending_requests", Kind::Gauge, Requests, otel: "db.client.connection.pending_requests";
    /// Times the pool itself gave up waiting for a connection.
    TIMEOUTS = "pool_timeouts_total", Kind::Counter, Events, otel: "db.client.connection.timeouts";
    /// Times the pool failed to give a connection for another cause than a timeout.
    ERRORS = "pool_errors_total", Kind::Counter, Events;
    /// Time from asking for a connection to having it, queue and connect included.
    WAIT_DURATION = "pool_wait_duration_seconds", Kind::Histogram(Buckets::DURATIONS), Seconds, otel: "db.client.connection.wait_time";
    /// Time from having a connection to its return to the pool.
    USE_DURATION = "pool_use_duration_seconds", Kind::Histogram(Buckets::DURATIONS), Seconds, otel: "db.client.connection.use_time";
}
