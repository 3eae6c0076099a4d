//! Rules about limiters.

use floodway_metrics::{
    ComponentKind::Limiter,
    catalogue::limiter::{
        ACQUIRED, CAUSE, COMPLETED, DIRECTION, IN_FLIGHT, LIMIT, LIMIT_CHANGES, LIMIT_MAX,
        LIMIT_MIN, LIMITED, MODE, MODE_INFO, OUTCOME, OVERFLOWED, PATH, PERMIT_SECONDS, PRIORITY,
        QUEUED, REASON, REJECTED, SATURATED_SECONDS, WAIT_DURATION,
    },
};

use super::{
    OBJECTIVE,
    alert::{Alert, Severity},
    example::{Given, example, given, given_bucket},
    recording::Recording,
};
use crate::codegen::promql::{
    Expr,
    rule::{Series, by_instance, by_job, series},
};

pub(super) fn recordings() -> Vec<Recording> {
    let windows = ["5m", "30m", "1h", "6h"];
    let mut recordings: Vec<_> = windows.into_iter().map(rejected_ratio).collect();
    recordings.extend([saturated(), utilization(), wait_p99()]);
    recordings
}

pub(super) fn alerts() -> Vec<Alert> {
    vec![
        fast_burn(),
        slow_burn(),
        wait_high(),
        saturated_for_long(),
        stuck(),
        permit_leak(),
        pinned(),
        flapping(),
        in_shadow(),
        keys_overflowing(),
        impossible(),
    ]
}

/// Refusals that count. Those of the lowest priority do not: that they are refused before others is
/// what the priority is for.
fn refused() -> Series {
    series(&REJECTED).without(&PRIORITY, &["low"])
}

fn rejected_ratio(window: &'static str) -> Recording {
    let labels = by_job(Limiter);
    let refused = refused().rate(window).sum_by(&labels);
    let acquired = series(&ACQUIRED).rate(window).sum_by(&labels);
    let all = acquired.added(&refused);
    Recording {
        name: format!("job_limiter:floodway_limiter_rejected:ratio_rate{window}"),
        expr: refused.share_of(&all),
        labels,
        example: example("10m", traffic("0+75x10", "0+25x10", "0+50x10")),
        value: "0.25",
    }
}

fn saturated() -> Recording {
    Recording {
        name: "instance_limiter:floodway_limiter_saturated:ratio_rate5m".to_owned(),
        expr: series(&SATURATED_SECONDS).rate("5m"),
        labels: by_instance(Limiter),
        example: example("10m", [given(&SATURATED_SECONDS, &[], "0+45x10")]),
        value: "0.75",
    }
}

fn utilization() -> Recording {
    let labels = by_job(Limiter);
    Recording {
        name: "job_limiter:floodway_limiter_utilization:ratio_rate5m".to_owned(),
        expr: series(&PERMIT_SECONDS)
            .rate("5m")
            .sum_by(&labels)
            .share_of(&series(&LIMIT).mean("5m").sum_by(&labels)),
        labels,
        example: example(
            "10m",
            [given(&PERMIT_SECONDS, &[], "0+120x10"), given(&LIMIT, &[], "8x10")],
        ),
        value: "0.25",
    }
}

fn wait_p99() -> Recording {
    let labels = by_job(Limiter);
    Recording {
        name: "job_limiter:floodway_limiter_wait_duration_seconds:p99_rate5m".to_owned(),
        expr: series(&WAIT_DURATION).quantile(0.99, &labels, "5m"),
        labels,
        example: example("10m", waits("0+98x10")),
        value: "0.375",
    }
}

/// A hundred waits per interval, all of them below half a second.
fn waits(below_a_quarter: &str) -> [Given; 3] {
    [
        given_bucket(&WAIT_DURATION, "0.25", below_a_quarter),
        given_bucket(&WAIT_DURATION, "0.5", "0+100x60"),
        given_bucket(&WAIT_DURATION, "+Inf", "0+100x60"),
    ]
}

/// Operations that are admitted, refused, and refused with the lowest priority.
fn traffic(acquired: &str, refused: &str, low: &str) -> [Given; 3] {
    let refusal = |priority, values| {
        given(&REJECTED, &[(&REASON, "queue_full"), (&PRIORITY, priority)], values)
    };
    [
        given(&ACQUIRED, &[(&PATH, "queued")], acquired),
        refusal("normal", refused),
        refusal("low", low),
    ]
}

/// More of the budget than `factor` times what is even over a month is spent in both windows, by
/// more than a few refusals. The windows and factors are those of the Site Reliability Workbook,
/// chapter 5 (<https://sre.google/workbook/alerting-on-slos/>).
fn burn(factor: f64, long: &'static str, short: &'static str) -> Expr {
    let budget = format!("{factor} * (1 - {OBJECTIVE})");
    let spent = |window| rejected_ratio(window).read().above(&budget);
    let several = refused().increase(long).sum_by(&by_job(Limiter)).above(10);
    spent(long).and(&spent(short)).and(&several)
}

const BURN: &str = "FloodwayLimiterRejectBudgetBurn";
const BURN_WHEN: &str =
    "refusals spend the error budget: 14.4 times too fast over an hour, or 6 times over six hours";

fn fast_burn() -> Alert {
    Alert {
        name: BURN,
        severity: Severity::Critical,
        expr: burn(14.4, "1h", "5m"),
        lasts: "2m",
        labels: by_job(Limiter),
        when: BURN_WHEN,
        summary: "Limiter {{ $labels.limiter }} of {{ $labels.job }} refuses far too much",
        description: "{{ $value | humanizePercentage }} of the operations of the last hour were \
            refused, those of low priority left aside. At this rate the budget of a month is spent \
            in two days.",
        fires: example("10m", traffic("0+980x10", "0+20x10", "0+0x10")),
        shows: "2%",
        silent: vec![
            example("10m", traffic("0+986x10", "0+14x10", "0+0x10")),
            example("10m", traffic("0+980x10", "0+0x10", "0+20x10")).note("only low priority"),
            example("10m", traffic("0+8x10", "0x5 9x5", "0+0x10")).note("nine refusals at night"),
            example("13m", traffic("0+980x15", "0+60x5 300x10", "0+0x15")).note("it is over"),
        ],
    }
}

fn slow_burn() -> Alert {
    Alert {
        name: BURN,
        severity: Severity::Warning,
        expr: burn(6.0, "6h", "30m"),
        lasts: "15m",
        labels: by_job(Limiter),
        when: BURN_WHEN,
        summary: "Limiter {{ $labels.limiter }} of {{ $labels.job }} refuses too much",
        description: "{{ $value | humanizePercentage }} of the operations of the last six hours \
            were refused, those of low priority left aside. At this rate the budget of a month is \
            spent in five days.",
        fires: example("30m", traffic("0+993x30", "0+7x30", "0+0x30")),
        shows: "0.7%",
        silent: vec![
            example("30m", traffic("0+995x30", "0+5x30", "0+0x30")),
            example("30m", traffic("0+8x30", "0x5 9x25", "0+0x30")).note("nine refusals at night"),
            example("90m", traffic("0+990x90", "0+30x50 1500x40", "0+0x90")).note("it is over"),
        ],
    }
}

fn wait_high() -> Alert {
    Alert {
        name: "FloodwayLimiterWaitHigh",
        severity: Severity::Warning,
        expr: wait_p99().read().above(0.25),
        lasts: "10m",
        labels: by_job(Limiter),
        when: "one admitted operation in a hundred waits longer than 250 ms, for 10 minutes",
        summary: "Operations wait long for limiter {{ $labels.limiter }} of {{ $labels.job }}",
        description: "One operation in a hundred waited {{ $value | humanizeDuration }} or longer \
            before it was admitted.",
        fires: example("20m", waits("0+98x20")),
        shows: "375ms",
        silent: vec![example("20m", waits("0+99x20"))],
    }
}

fn saturated_for_long() -> Alert {
    Alert {
        name: "FloodwayLimiterSaturated",
        severity: Severity::Info,
        expr: saturated().read().above(0.9),
        lasts: "30m",
        labels: by_instance(Limiter),
        when: "no permit is free for more than 90 % of the time, for half an hour",
        summary: "Limiter {{ $labels.limiter }} on {{ $labels.instance }} has hardly a free permit",
        description: "No permit was free for {{ $value | humanizePercentage }} of the last five \
            minutes, and so for half an hour.",
        fires: example("40m", [given(&SATURATED_SECONDS, &[], "0+57x40")]),
        shows: "95%",
        silent: vec![example("40m", [given(&SATURATED_SECONDS, &[], "0+53x40")])],
    }
}

fn stuck() -> Alert {
    let labels = by_instance(Limiter);
    let ended = series(&COMPLETED).rate("5m").sum_by(&labels);
    let refused = series(&REJECTED).rate("5m").sum_by(&labels);
    let wanted = series(&QUEUED).now().added_on(&labels, &refused);
    let given = |completed, queued, rejected| {
        [
            given(&IN_FLIGHT, &[], "8x20"),
            given(&LIMIT, &[], "8x20"),
            given(&COMPLETED, &[(&OUTCOME, "success")], completed),
            given(&QUEUED, &[], queued),
            given(&REJECTED, &[(&REASON, "deadline"), (&PRIORITY, "normal")], rejected),
        ]
    };
    Alert {
        name: "FloodwayLimiterStuck",
        severity: Severity::Critical,
        expr: series(&IN_FLIGHT)
            .now()
            .at_least(&series(&LIMIT).now())
            .and_on(&labels, &ended.is(0))
            .and_on(&labels, &wanted.above(0)),
        lasts: "5m",
        labels,
        when: "all permits are held, nothing ends, and others want in, for 10 minutes",
        summary: "Nothing gets through limiter {{ $labels.limiter }} on {{ $labels.instance }}",
        description: "{{ $value }} permits are held, which are all, no operation has ended for ten \
            minutes, and others wait or are refused.",
        fires: example("15m", given("100x20", "3x20", "0x20")),
        shows: "8",
        silent: vec![
            example("15m", given("100+1x20", "3x20", "0x20")).note("one ends each minute"),
            example("15m", given("100x20", "0x20", "0x20")).note("nobody wants in"),
        ],
    }
}

fn permit_leak() -> Alert {
    let labels = by_instance(Limiter);
    let given = |in_flight, acquired| {
        [given(&IN_FLIGHT, &[], in_flight), given(&ACQUIRED, &[(&PATH, "immediate")], acquired)]
    };
    Alert {
        name: "FloodwayLimiterPermitLeak",
        severity: Severity::Warning,
        expr: series(&IN_FLIGHT)
            .lowest("5m")
            .above(0)
            .and_on(&labels, &series(&ACQUIRED).increase("5m").sum_by(&labels).is(0)),
        lasts: "30m",
        labels,
        when: "permits are held for half an hour in which nothing is admitted",
        summary: "Limiter {{ $labels.limiter }} on {{ $labels.instance }} does not get permits back",
        description: "{{ $value }} permits have been held for half an hour in which nothing was \
            admitted.",
        fires: example("40m", given("2x40", "100x40")),
        shows: "2",
        silent: vec![
            example("40m", given("2x30 0x10", "100x40")).note("they came back"),
            example("40m", given("2x40", "100x30 101x10")).note("something was admitted"),
        ],
    }
}

fn pinned() -> Alert {
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

fn flapping() -> Alert {
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

fn in_shadow() -> Alert {
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

fn keys_overflowing() -> Alert {
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

fn impossible() -> Alert {
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
