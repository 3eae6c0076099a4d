//! Whether a limiter is set up as it should be: its limit, its mode, what it is asked for.

use floodway_metrics::{
    ComponentKind::Limiter,
    catalogue::limiter::{
        CAUSE, DIRECTION, LIMIT, LIMIT_CHANGES, LIMIT_MAX, LIMIT_MIN, LIMITED, MODE, MODE_INFO,
        OVERFLOWED, PRIORITY, REASON, REJECTED,
    },
};

use super::super::{
    alert::{Alert, Severity},
    example::{example, given},
};
use crate::codegen::promql::rule::{by_instance, by_job, series};

pub(super) fn pinned() -> Alert {
    let given = |limit, limited| {
        [
            given(&LIMIT, &[], limit),
            given(&LIMIT_MIN, &[], "2x30"),
            given(&LIMIT_MAX, &[], "200x30"),
            given(&LIMITED, &[], limited),
        ]
    };
    Alert {
        name: "FloodwayLimiterPinnedAtMinimum",
        severity: Severity::Warning,
        expr: series(&LIMIT)
            .now()
            .at_most(&series(&LIMIT_MIN).now())
            .and(&series(&LIMIT_MAX).now().more_than(&series(&LIMIT_MIN).now()))
            .and(&series(&LIMITED).highest("10m").is(1)),
        lasts: "15m",
        labels: by_instance(Limiter),
        when: "an adaptive limit holds callers back at its minimum, for a quarter of an hour",
        summary: "The limit of {{ $labels.limiter }} on {{ $labels.instance }} is at its minimum",
        description: "The limit has been {{ $value }}, the least that the algorithm may set, for a \
            quarter of an hour, and it holds callers back.",
        fires: example("30m", given("2x30", "1x30")),
        shows: "2",
        silent: vec![
            example("30m", given("3x30", "1x30")),
            example("30m", given("2x30", "0x30")).note("it holds nobody back"),
        ],
    }
}

pub(super) fn flapping() -> Alert {
    let labels = by_instance(Limiter);
    let by_direction: Vec<_> = labels.iter().copied().chain([DIRECTION.name]).collect();
    let moves = series(&LIMIT_CHANGES)
        .only(&CAUSE, &["growth", "queue", "overload"])
        .rate("10m")
        .sum_by(&by_direction);
    let change = |direction, cause, values| {
        given(&LIMIT_CHANGES, &[(&DIRECTION, direction), (&CAUSE, cause)], values)
    };
    Alert {
        name: "FloodwayLimiterFlapping",
        severity: Severity::Info,
        expr: moves.min_by(&labels).times(60).above(10),
        lasts: "20m",
        labels,
        when: "a limit moves more than ten times a minute in both directions, for 20 minutes",
        summary: "The limit of {{ $labels.limiter }} on {{ $labels.instance }} goes up and down",
        description: "It moved at least {{ $value | printf \"%.0f\" }} times a minute in each \
            direction, probes left aside.",
        fires: example(
            "40m",
            [change("up", "growth", "0+12x40"), change("down", "queue", "0+11x40")],
        ),
        shows: "11",
        silent: vec![
            example("40m", [change("up", "growth", "0+30x40"), change("down", "queue", "0+9x40")]),
            example(
                "40m",
                [change("up", "restored", "0+24x40"), change("down", "probe", "0+24x40")],
            )
            .note("probes"),
        ],
    }
}

pub(super) fn in_shadow() -> Alert {
    let labels = by_job(Limiter);
    let given = |values| [given(&MODE_INFO, &[(&MODE, "shadow")], values)];
    Alert {
        name: "FloodwayLimiterInShadow",
        severity: Severity::Info,
        // Over all instances: a deployment changes their names and must not start the time again.
        expr: series(&MODE_INFO).only(&MODE, &["shadow"]).now().max_by(&labels).is(1),
        lasts: "7d",
        labels,
        when: "some instance has been in shadow mode for a week",
        summary: "Limiter {{ $labels.limiter }} of {{ $labels.job }} is still in shadow mode",
        description: "Some instance has not enforced its limit for a week, so nothing is protected \
            there.",
        fires: example("170h", given("1x2550")).over_days().not_yet("167h"),
        shows: "",
        silent: vec![
            example("170h", given("1x1500 0x15 1x1035")).over_days().note("enforced for an hour"),
        ],
    }
}

pub(super) fn keys_overflowing() -> Alert {
    let labels = by_job(Limiter);
    let overflowed = |values| [given(&OVERFLOWED, &[], values)];
    Alert {
        name: "FloodwayLimiterKeysOverflowing",
        severity: Severity::Warning,
        expr: series(&OVERFLOWED).rate("5m").sum_by(&labels).above(0),
        lasts: "15m",
        labels,
        when: "keys of a limiter map find no room, for a quarter of an hour",
        summary: "Limiter map {{ $labels.limiter }} of {{ $labels.job }} has no room for more keys",
        description: "{{ $value | humanize }} operations per second shared the limiter of the \
            overflow, because their key found no room.",
        fires: example("25m", overflowed("0+30x25")),
        shows: "500m",
        silent: vec![example("25m", overflowed("0+30x15 450x10")).note("it is over")],
    }
}

pub(super) fn impossible() -> Alert {
    let labels: Vec<_> = by_job(Limiter).into_iter().chain([REASON.name]).collect();
    let rejected =
        |values| [given(&REJECTED, &[(&REASON, "weight"), (&PRIORITY, "normal")], values)];
    Alert {
        name: "FloodwayLimiterImpossibleRequests",
        severity: Severity::Warning,
        expr: series(&REJECTED)
            .only(&REASON, &["nested", "weight"])
            .increase("10m")
            .sum_by(&labels)
            .above(0),
        lasts: "15m",
        labels,
        when: "callers ask for more than they can ever get, for a quarter of an hour",
        summary: "Callers ask limiter {{ $labels.limiter }} of {{ $labels.job }} for what it cannot \
            give",
        description: "{{ $value | humanize }} operations of the last ten minutes were refused as \
            {{ $labels.reason }}; trying again does not help them.",
        fires: example("30m", rejected("0+1x30")),
        shows: "10",
        silent: vec![example("30m", rejected("0x17 1x13")).note("once")],
    }
}
