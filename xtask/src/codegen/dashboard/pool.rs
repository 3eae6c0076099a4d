//! The connection pool's dashboard.

use floodway_metrics::catalogue::pool::{
    CONNECTIONS, CONNECTIONS_FOREIGN, CONNECTIONS_MAX, CONNECTIONS_RESERVED, ERRORS, LIMIT,
    PENDING_REQUESTS, STATE, TIMEOUTS, USE_DURATION, WAIT_DURATION,
};

use super::{
    Content, Line, Section,
    panel::{Draft, Text},
};
use crate::codegen::{
    grafana::Dashboard,
    promql::{gauge, quantile, rate, sum_rate},
};

/// By the component's name.
const NAME: &[&str] = &["pool"];

const NO_POOL: &str = "No pool matches: check the variables above and the scrape.";
const NO_CONNECTION: &str = "Nobody got a connection: check Timeouts and errors.";
const NO_RETURN: &str = "No connection came back: check Connections for those still used.";

pub(super) fn dashboard() -> Dashboard {
    super::dashboard(Content {
        uid: "floodway-pool",
        title: "Floodway / Pool",
        description: "What connection pools can give, who uses it, and who waits.",
        anchor: &LIMIT,
        sections: vec![
            Section { title: "At a glance", lines: vec![glance()] },
            Section { title: "Pool", lines: vec![connections(), durations()] },
        ],
    })
}

fn glance() -> Line {
    let used = Draft::stat(Text {
        title: "Mean use",
        unit: "percentunit",
        description: "Connections in use on average, of the most that the pools may open.",
        no_value: NO_POOL,
    })
    .query(sum_rate(&USE_DURATION).sum().per(&gauge(&CONNECTIONS_MAX).sum()), "used")
    .bad_above(0.8, 1.0);
    let pending = Draft::stat(Text {
        title: "Pending",
        unit: "short",
        description: "Callers waiting for a connection, over all selected pools.",
        no_value: NO_POOL,
    })
    .query(gauge(&PENDING_REQUESTS).sum(), "pending");
    let timeouts = Draft::stat(Text {
        title: "Timeouts",
        unit: "ops",
        description: "Times per second that a pool itself gave up waiting. With every user of the \
            pool behind the limiter this is zero.",
        no_value: NO_POOL,
    })
    .query(rate(&TIMEOUTS).sum(), "timeouts");
    let wait = Draft::stat(Text {
        title: "Wait p99",
        unit: "s",
        description: "Time to a connection that 99 of 100 callers stay below.",
        no_value: NO_CONNECTION,
    })
    .query(quantile(0.99, &[], &WAIT_DURATION).numbers(), "p99")
    .bad_above(0.1, 0.25);
    Line { height: 4, panels: vec![used, pending, timeouts, wait] }
}

fn connections() -> Line {
    let connections = Draft::time_series(Text {
        title: "Connections",
        unit: "short",
        description: "Open connections by state, and what bounds them: the limit is the most that \
            the pool may open, minus those reserved and those used by others.",
        no_value: NO_POOL,
    })
    .query(gauge(&CONNECTIONS).sum_by(&["pool", STATE.name]), "{{pool}} {{state}}")
    .query(gauge(&CONNECTIONS_MAX).sum_by(NAME), "{{pool}} max")
    .query(gauge(&LIMIT).sum_by(NAME), "{{pool}} limit")
    .query(gauge(&CONNECTIONS_RESERVED).sum_by(NAME), "{{pool}} reserved")
    .query(gauge(&CONNECTIONS_FOREIGN).sum_by(NAME), "{{pool}} foreign");
    let pending = Draft::time_series(Text {
        title: "Pending",
        unit: "short",
        description: "Callers waiting for a connection at the moment of the scrape.",
        no_value: NO_POOL,
    })
    .query(gauge(&PENDING_REQUESTS).sum_by(NAME), "{{pool}}");
    let failures = Draft::time_series(Text {
        title: "Timeouts and errors",
        unit: "ops",
        description: "Times per second that the pool gave up waiting, or failed for another cause. \
            Timeouts mean that somebody passes the limiter by; errors, that the database refuses \
            connections.",
        no_value: NO_POOL,
    })
    .query(rate(&TIMEOUTS).sum_by(NAME), "{{pool}} timeouts")
    .query(rate(&ERRORS).sum_by(NAME), "{{pool}} errors");
    Line { height: 9, panels: vec![connections, pending, failures] }
}

fn durations() -> Line {
    let wait = Draft::time_series(Text {
        title: "Wait",
        unit: "s",
        description: "Time from asking for a connection to having it, queue and connect included.",
        no_value: NO_CONNECTION,
    })
    .query(quantile(0.5, NAME, &WAIT_DURATION), "{{pool}} p50")
    .query(quantile(0.95, NAME, &WAIT_DURATION), "{{pool}} p95")
    .query(quantile(0.99, NAME, &WAIT_DURATION), "{{pool}} p99");
    let used = Draft::time_series(Text {
        title: "Use",
        unit: "s",
        description: "Time from having a connection to its return: transactions, and whatever else \
            happens while one is held.",
        no_value: NO_RETURN,
    })
    .query(quantile(0.5, NAME, &USE_DURATION), "{{pool}} p50")
    .query(quantile(0.95, NAME, &USE_DURATION), "{{pool}} p95")
    .query(quantile(0.99, NAME, &USE_DURATION), "{{pool}} p99");
    let mean = Draft::time_series(Text {
        title: "Mean use",
        unit: "percentunit",
        description: "Connections in use on average, of the most that the pool may open. Counted \
            when a connection comes back, so one long use shows as a peak at its end.",
        no_value: NO_POOL,
    })
    .query(
        sum_rate(&USE_DURATION).sum_by(NAME).per(&gauge(&CONNECTIONS_MAX).sum_by(NAME)),
        "{{pool}}",
    )
    .bad_above(0.8, 1.0);
    Line { height: 9, panels: vec![wait, used, mean] }
}
