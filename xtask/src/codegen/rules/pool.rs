//! Rules about connection pools.

use floodway_metrics::{
    ComponentKind::Pool,
    catalogue::pool::{
        CAUSE, CLAIMS, CONNECT_FAILURES, CONNECTIONS, CONNECTIONS_FOREIGN, CONNECTIONS_MAX,
        CONNECTIONS_RESERVED, ERRORS, OLDEST_HOLD, PENDING_REQUESTS, REJECTIONS, STATE, TIMEOUTS,
        USE_DURATION,
    },
};

use super::{
    alert::{Alert, Severity},
    example::{example, given, given_sum},
    recording::Recording,
};
use crate::codegen::promql::rule::{by_instance, by_job, series};

pub(super) fn recordings() -> Vec<Recording> {
    let labels = by_job(Pool);
    vec![Recording {
        name: "job_pool:floodway_pool_utilization:ratio_rate5m".to_owned(),
        expr: series(&USE_DURATION)
            .sum_rate("5m")
            .sum_by(&labels)
            .share_of(&series(&CONNECTIONS_MAX).mean("5m").sum_by(&labels)),
        labels,
        example: example(
            "10m",
            [given_sum(&USE_DURATION, "0+120x10"), given(&CONNECTIONS_MAX, &[], "8x10")],
        ),
        value: "0.25",
    }]
}

pub(super) fn alerts() -> Vec<Alert> {
    vec![connects_refused(), connects_fail(), exhausted(), timeouts(), foreign_use(), overdue()]
}

const CONNECT_FAILING: &str = "FloodwayPoolConnectFailing";
const CONNECT_FAILING_WHEN: &str = "callers are refused because connections do not open, for 3 minutes; or connections do not open, for 10";

fn connects_refused() -> Alert {
    let labels = by_job(Pool);
    let rejected = |values| [given(&REJECTIONS, &[(&CAUSE, "connect_failing")], values)];
    Alert {
        name: CONNECT_FAILING,
        severity: Severity::Critical,
        // A short window, so that it takes more than a single failure to last.
        expr: series(&REJECTIONS)
            .only(&CAUSE, &["connect_failing"])
            .rate("2m")
            .sum_by(&labels)
            .above(0),
        lasts: "3m",
        labels,
        when: CONNECT_FAILING_WHEN,
        summary: "Pool {{ $labels.pool }} of {{ $labels.job }} cannot connect, and refuses callers",
        description: "{{ $value | humanize }} callers per second are refused because connections \
            do not open.",
        fires: example("10m", rejected("0+120x10")),
        shows: "2",
        silent: vec![example("10m", rejected("0x4 12x6")).note("a single failover")],
    }
}

fn connects_fail() -> Alert {
    let labels = by_job(Pool);
    let fail = |metric| series(metric).rate("5m").sum_by(&labels).above(0);
    let given =
        |failures, errors| [given(&CONNECT_FAILURES, &[], failures), given(&ERRORS, &[], errors)];
    Alert {
        name: CONNECT_FAILING,
        severity: Severity::Warning,
        // Only some pools let somebody look on while they connect.
        expr: fail(&CONNECT_FAILURES).or(&fail(&ERRORS)),
        lasts: "10m",
        labels,
        when: CONNECT_FAILING_WHEN,
        summary: "Pool {{ $labels.pool }} of {{ $labels.job }} fails to connect",
        description: "{{ $value | humanize }} attempts per second to open a connection fail.",
        fires: example("20m", given("0+30x20", "0+120x20")),
        shows: "500m",
        silent: vec![
            example("20m", given("0+60x10 600x10", "0x20")).note("it is over"),
            example("20m", given("0x10 1x10", "0x20")).note("one in ten minutes"),
        ],
    }
}

fn exhausted() -> Alert {
    let labels = by_instance(Pool);
    let used = series(&CONNECTIONS).only(&STATE, &["used"]).now().sum_by(&labels);
    // Where there are claims, one connection is kept for those that hold one already.
    let spare = series(&CLAIMS).now().at_most_one();
    let usable =
        series(&CONNECTIONS_MAX).now().minus(&series(&CONNECTIONS_RESERVED).now()).minus(&spare);
    let given = |used, pending, claims| {
        [
            given(&CONNECTIONS, &[(&STATE, "used")], used),
            given(&CONNECTIONS_MAX, &[], "10x20"),
            given(&CONNECTIONS_RESERVED, &[], "1x20"),
            given(&CLAIMS, &[], claims),
            given(&PENDING_REQUESTS, &[], pending),
        ]
    };
    Alert {
        name: "FloodwayPoolExhausted",
        severity: Severity::Warning,
        expr: used
            .at_least_on(&labels, &usable)
            .and_on(&labels, &series(&PENDING_REQUESTS).now().above(0)),
        lasts: "5m",
        labels,
        when: "all connections are used and callers wait, for 5 minutes",
        summary: "Pool {{ $labels.pool }} on {{ $labels.instance }} has no connection left",
        description: "{{ $value }} connections are used, which are all, and callers wait for them.",
        fires: example("15m", given("9x20", "4x20", "0x20")),
        shows: "9",
        silent: vec![
            example("15m", given("8x20", "4x20", "0x20")),
            example("15m", given("7x20", "4x20", "3x20")).note("with claims"),
            example("15m", given("9x20", "0x20", "0x20")).note("nobody waits"),
        ],
    }
}

fn timeouts() -> Alert {
    let labels = by_job(Pool);
    let timeouts = |values| [given(&TIMEOUTS, &[], values)];
    Alert {
        name: "FloodwayPoolTimeouts",
        severity: Severity::Warning,
        expr: series(&TIMEOUTS).increase("5m").sum_by(&labels).above(0),
        lasts: "10m",
        labels,
        when: "a pool itself gives up waiting, again and again for 10 minutes",
        summary: "Pool {{ $labels.pool }} of {{ $labels.job }} itself gives up waiting",
        description: "{{ $value | humanize }} times in the last five minutes. With every user \
            behind the limiter it never happens.",
        fires: example("20m", timeouts("0+2x20")),
        shows: "10",
        silent: vec![example("20m", timeouts("0x10 1x10")).note("once")],
    }
}

fn foreign_use() -> Alert {
    let given = |foreign| {
        [given(&CONNECTIONS_FOREIGN, &[], foreign), given(&CONNECTIONS_MAX, &[], "20x40")]
    };
    Alert {
        name: "FloodwayPoolForeignUse",
        severity: Severity::Warning,
        expr: series(&CONNECTIONS_FOREIGN)
            .mean("15m")
            .share_of(&series(&CONNECTIONS_MAX).now())
            .above(0.2),
        lasts: "15m",
        labels: by_instance(Pool),
        when: "a fifth of the connections is used around the limiter, for a quarter of an hour",
        summary: "Others use pool {{ $labels.pool }} on {{ $labels.instance }} around the limiter",
        description: "{{ $value | humanizePercentage }} of its connections are used by somebody \
            whom the limiter cannot hold back.",
        fires: example("40m", given("5x40")),
        shows: "25%",
        silent: vec![example("40m", given("4x40"))],
    }
}

fn overdue() -> Alert {
    let oldest = |values| [given(&OLDEST_HOLD, &[], values)];
    Alert {
        name: "FloodwayPoolHoldOverdue",
        severity: Severity::Warning,
        expr: series(&OLDEST_HOLD).now().above(300),
        lasts: "1m",
        labels: by_instance(Pool),
        when: "a connection has been out for more than 5 minutes",
        summary: "A connection of pool {{ $labels.pool }} on {{ $labels.instance }} does not come \
            back",
        description: "It has been out for {{ $value | humanizeDuration }}.",
        fires: example("7m", oldest("0+60x10")).not_yet("6m"),
        shows: "7m 0s",
        silent: vec![example("10m", oldest("0+60x5 0x5")).note("it came back after five minutes")],
    }
}
