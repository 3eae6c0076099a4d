//! The connection pool's dashboard.

use floodway_metrics::catalogue::pool::{
    ABANDONED, CAUSE, CLAIMS, CONNECT_DURATION, CONNECT_FAILURES, CONNECTING, CONNECTIONS,
    CONNECTIONS_FOREIGN, CONNECTIONS_MAX, CONNECTIONS_RESERVED, ERRORS, IMPLAUSIBLE, LIMIT,
    OLDEST_HOLD, PENDING_REQUESTS, REJECTIONS, SOURCE, STATE, TIMEOUTS, TRIMMED, USE_DURATION,
    WAIT_DURATION,
};

use super::{
    Content, FEW, Line, Section,
    panel::{Draft, Nothing, Text},
};
use crate::codegen::{
    grafana::Dashboard,
    promql::{count_rate, gauge, gauge_where, quantile, rate, sum_rate},
};

pub(super) const UID: &str = "floodway-pool";

/// By the component's name.
const NAME: &[&str] = &["pool"];

/// What bounds a pool, next to what comes of it.
const SOURCES: &[&str] = &["pool", "connects", "ceiling", "algorithm"];

const NO_POOL: Nothing = Nothing {
    short: "no pool",
    check: "No pool matches: check the variables above and the scrape.",
};
const NO_CONNECTION: Nothing =
    Nothing { short: "no traffic", check: "Nobody got a connection: check Rejected by cause." };
const NO_RETURN: Nothing = Nothing {
    short: "no traffic",
    check: "No connection came back: check Connections for those still used.",
};
const NO_CONNECT: Nothing = Nothing {
    short: "not known",
    check: "No connection was opened, or the pool lets nobody look on.",
};

pub(super) fn dashboard() -> Dashboard {
    super::dashboard(Content {
        uid: UID,
        title: "Floodway / Pool",
        description: "What connection pools can give, who uses it, and who waits.",
        components: vec![&LIMIT],
        objective: false,
        links: Vec::new(),
        sections: vec![
            Section::open("At a glance", vec![glance()]),
            Section::open("Who is refused, and why", vec![refusals()]),
            Section::open("Where the time goes", vec![waits(), uses()]),
            Section::collapsed("What bounds it", vec![bounds(), holds()]),
        ],
    })
}

fn glance() -> Line {
    let rejected = rate(&REJECTIONS).sum();
    let asked = count_rate(&WAIT_DURATION).sum().plus(&rejected);
    let success = Draft::stat(Text {
        title: "Success",
        unit: "percentunit",
        description: "Share of callers that got a connection, of those that got one or were \
            refused. Good: 99.9 % and more outside of incidents. Below: Rejected by cause says \
            why.",
        no_value: NO_CONNECTION,
    })
    .query(rejected.per(&asked).complement(), "served")
    .bad_below(0.999, 0.99);
    let used = Draft::stat(Text {
        title: "Mean use",
        unit: "percentunit",
        description: "Connections in use on average, of the most that the pools may open. Good: \
            below 80 %. At 100 % the pool is the bottleneck: shorten its use before you enlarge \
            it.",
        no_value: NO_POOL,
    })
    .query(sum_rate(&USE_DURATION).sum().per(&gauge(&CONNECTIONS_MAX).sum()), "used")
    .bad_above(0.8, 1.0);
    let pending = Draft::stat(Text {
        title: "Pending",
        unit: "short",
        description: "Callers waiting for a connection, over all selected pools. Good: zero most \
            of the time. Steady: see Where the time goes.",
        no_value: NO_POOL,
    })
    .query(gauge(&PENDING_REQUESTS).sum(), "pending")
    .notable_from(1.0);
    let wait = Draft::stat(Text {
        title: "Wait p99",
        unit: "s",
        description: "Time to a connection that 99 of 100 callers stay below. Good: far below \
            the time of a query. Above: Use tells whether connections are held for longer than \
            usual.",
        no_value: NO_CONNECTION,
    })
    .query(quantile(0.99, &[], &WAIT_DURATION).numbers(), "p99")
    .bad_above(0.1, 0.25);
    let connects = Draft::stat(Text {
        title: "Connect failures",
        unit: "ops",
        description: "Times per second that a connection could not be opened. Good: zero. \
            Otherwise the database refuses, or cannot be reached: its own limit of connections, \
            its log, the network.",
        no_value: NO_CONNECT,
    })
    .query(rate(&CONNECT_FAILURES).sum(), "failures")
    .bad_from(FEW);
    let timeouts = Draft::stat(Text {
        title: "Timeouts",
        unit: "ops",
        description: "Times per second that a pool itself gave up waiting. Good: zero, as with \
            every user of the pool behind the limiter. Otherwise find who passes the limiter by.",
        no_value: NO_POOL,
    })
    .query(rate(&TIMEOUTS).sum(), "timeouts")
    .bad_from(FEW);
    Line { height: 4, panels: vec![success, used, pending, wait, connects, timeouts] }
}

fn refusals() -> Line {
    let rejected = Draft::time_series(Text {
        title: "Rejected by cause",
        unit: "reqps",
        description: "Callers refused per second. Good: none. pool_held: shorten transactions, \
            or see whether a larger pool helps; foreign: somebody passes the limiter by; \
            connect_failing: the database; ceiling: a bound outside of the pool; weight and \
            nested: mistakes in the calling code.",
        no_value: NO_POOL,
    })
    .query(rate(&REJECTIONS).sum_by(&["pool", CAUSE.name]), "{{pool}} {{cause}}")
    .stacked();
    let failures = Draft::time_series(Text {
        title: "Failures",
        unit: "ops",
        description: "Times per second that the pool gave up waiting, that it failed for another \
            cause, that a connection could not be opened, and that a caller left while one was \
            obtained for it. Good: none. Timeouts: somebody passes the limiter by; errors and \
            connect failures: the database refuses connections; abandoned: callers give up \
            sooner than connecting does; implausible: the pool reported more idle connections \
            than open ones, which is its mistake and does no harm.",
        no_value: NO_POOL,
    })
    .query(rate(&TIMEOUTS).sum_by(NAME), "{{pool}} timeouts")
    .query(rate(&ERRORS).sum_by(NAME), "{{pool}} errors")
    .query(rate(&CONNECT_FAILURES).sum_by(NAME), "{{pool}} connect failures")
    .query(rate(&ABANDONED).sum_by(NAME), "{{pool}} abandoned")
    .query(rate(&IMPLAUSIBLE).sum_by(NAME), "{{pool}} implausible");
    Line { height: 9, panels: vec![rejected, failures] }
}

fn waits() -> Line {
    let pending = Draft::time_series(Text {
        title: "Pending",
        unit: "short",
        description: "Callers waiting for a connection at the moment of the scrape. Good: zero, \
            with short spikes. A plateau: more is asked for than the pool can do in that time; \
            compare Wait with Use.",
        no_value: NO_POOL,
    })
    .query(gauge(&PENDING_REQUESTS).sum_by(NAME), "{{pool}}");
    let wait = Draft::time_series(Text {
        title: "Wait",
        unit: "s",
        description: "Time from asking for a connection to having it, queue and connect \
            included. Good: p50 near zero, p99 below your callers' patience. p50 above zero: \
            half of the callers wait, for others (Use) or for a connect (Connect).",
        no_value: NO_CONNECTION,
    })
    .percentiles(&WAIT_DURATION);
    Line { height: 9, panels: vec![pending, wait] }
}

fn uses() -> Line {
    let used = Draft::time_series(Text {
        title: "Use",
        unit: "s",
        description: "Time from having a connection to its return: transactions, and whatever \
            else happens while one is held. Good: about the time of your queries, whatever the \
            load. Longer: slow queries, or work beside them that can be moved out.",
        no_value: NO_RETURN,
    })
    .percentiles(&USE_DURATION);
    let connect = Draft::time_series(Text {
        title: "Connect",
        unit: "s",
        description: "Time to open a connection. Good: milliseconds, and rarely. Whoever waits \
            for one waits that much longer; opened again and again, connections live for too \
            short a time, so raise what the pool keeps idle.",
        no_value: NO_CONNECT,
    })
    .percentiles(&CONNECT_DURATION);
    Line { height: 9, panels: vec![used, connect] }
}

fn bounds() -> Line {
    let limit = Draft::time_series(Text {
        title: "Limit by source",
        unit: "short",
        description: "Connections that may be handed out, and what each source alone would \
            allow (dashed). Good: effective and pool are the same and constant. The lowest decides: the \
            pool is too small or used by others, connecting fails, or a bound above the pool is \
            lower.",
        no_value: NO_POOL,
    })
    .query(gauge_where(&LIMIT, &SOURCE, &["effective"]).sum_by(NAME), "{{pool}} effective")
    .bound(
        gauge_where(&LIMIT, &SOURCE, SOURCES).sum_by(&["pool", SOURCE.name]),
        "{{pool}} {{source}}",
    );
    let connections = Draft::time_series(Text {
        title: "Connections",
        unit: "short",
        description: "Open connections by state, and what bounds them: the most that the pool \
            may open, those reserved and those used by others. Good: used below max, foreign \
            within reserved. Foreign above: move that user behind the limiter, or reserve more.",
        no_value: NO_POOL,
    })
    .query(gauge(&CONNECTIONS).sum_by(&["pool", STATE.name]), "{{pool}} {{state}}")
    .query(gauge(&CONNECTIONS_FOREIGN).sum_by(NAME), "{{pool}} foreign")
    .query(gauge(&CONNECTING).sum_by(NAME), "{{pool}} opening")
    .bound(gauge(&CONNECTIONS_MAX).sum_by(NAME), "{{pool}} max")
    .bound(gauge(&CONNECTIONS_RESERVED).sum_by(NAME), "{{pool}} reserved");
    Line { height: 9, panels: vec![limit, connections] }
}

fn holds() -> Line {
    let mean = Draft::time_series(Text {
        title: "Mean use",
        unit: "percentunit",
        description: "Connections in use on average, of the most that the pool may open. Good: \
            below 80 %. Counted when a connection comes back, so one long use shows as a peak at \
            its end. Steadily at 100 %: shorten the use, then enlarge the pool.",
        no_value: NO_POOL,
    })
    .query(
        sum_rate(&USE_DURATION).sum_by(NAME).per(&gauge(&CONNECTIONS_MAX).sum_by(NAME)),
        "{{pool}}",
    )
    .bad_above(0.8, 1.0);
    let oldest = Draft::time_series(Text {
        title: "Oldest hold",
        unit: "s",
        description: "How long the connection that has been out for the longest has been, of any \
            instance. Good: about the longest transaction. Growing as time does, it is a leak, \
            or a transaction that waits for something else than the database: find it there, by \
            its age.",
        no_value: NO_POOL,
    })
    .query(gauge(&OLDEST_HOLD).max_by(NAME), "{{pool}}");
    let claims = Draft::time_series(Text {
        title: "Claims",
        unit: "short",
        description: "Operations that may take several connections, and hold the right to. Good: \
            few beside the limit. Each leaves room for the others to finish, so many of them \
            keep connections idle: let operations claim fewer, or none.",
        no_value: NO_POOL,
    })
    .query(gauge(&CLAIMS).sum_by(NAME), "{{pool}}");
    let trimmed = Draft::time_series(Text {
        title: "Trimmed",
        unit: "opm",
        description: "Idle connections closed per minute because a limit above the pool shrank. \
            Good: none, or one wave. Again and again, that limit swings, and each swing costs \
            connects: steady it.",
        no_value: NO_POOL,
    })
    .query(rate(&TRIMMED).sum_by(NAME).times(60), "{{pool}}");
    Line { height: 8, panels: vec![mean, oldest, claims, trimmed] }
}
