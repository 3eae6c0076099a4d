//! Whether operations get through a limiter: waits, free permits, permits that do not come back.

use floodway_metrics::{
    ComponentKind::Limiter,
    catalogue::limiter::{
        ACQUIRED, COMPLETED, IN_FLIGHT, KEYS, LIMIT, OUTCOME, PATH, PERMIT_SECONDS, PRIORITY,
        QUEUED, REASON, REJECTED, SATURATED_SECONDS, WAIT_DURATION,
    },
};

use super::super::{
    alert::{Alert, Severity},
    example::{Given, example, given, given_bucket},
    recording::Recording,
};
use crate::codegen::promql::rule::{by_instance, by_job, series};

/// In a map, the mean over its keys: one that is saturated for all of the time does not fill the map.
pub(super) fn saturated() -> Recording {
    let saturated = series(&SATURATED_SECONDS).rate("5m");
    let keys = series(&KEYS).mean("5m").at_least_one();
    Recording {
        name: "instance_limiter:floodway_limiter_saturated:ratio_rate5m".to_owned(),
        expr: saturated.over(&keys).or(&saturated),
        labels: by_instance(Limiter),
        example: example(
            "10m",
            [given(&SATURATED_SECONDS, &[], "0+90x10"), given(&KEYS, &[], "2x10")],
        ),
        value: "0.75",
    }
}

pub(super) fn utilization() -> Recording {
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

pub(super) fn wait_p99() -> Recording {
    let labels = by_job(Limiter);
    Recording {
        name: "job_limiter:floodway_limiter_wait_duration_seconds:p99_rate5m".to_owned(),
        expr: series(&WAIT_DURATION).quantile(0.99, &labels, "5m"),
        labels,
        example: example("10m", waits("0+98x10")),
        value: "0.375",
    }
}

pub(super) fn wait_high() -> Alert {
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

pub(super) fn saturated_for_long() -> Alert {
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
        silent: vec![
            example("40m", [given(&SATURATED_SECONDS, &[], "0+53x40")]),
            example(
                "40m",
                [given(&SATURATED_SECONDS, &[], "0+60x40"), given(&KEYS, &[], "1000x40")],
            )
            .note("one key of a thousand"),
            // Counted in the map's sum and not among its keys.
            example("40m", [given(&SATURATED_SECONDS, &[], "0+53x40"), given(&KEYS, &[], "0x40")])
                .note("a map without keys"),
        ],
    }
}

pub(super) fn stuck() -> Alert {
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

pub(super) fn permit_leak() -> Alert {
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

/// A hundred waits per interval, all of them below half a second.
fn waits(below_a_quarter: &str) -> [Given; 3] {
    [
        given_bucket(&WAIT_DURATION, "0.25", below_a_quarter),
        given_bucket(&WAIT_DURATION, "0.5", "0+100x60"),
        given_bucket(&WAIT_DURATION, "+Inf", "0+100x60"),
    ]
}
