//! The rows about the limit itself: where it is, and what moves it.

use floodway_metrics::catalogue::limiter::{
    BACKEND_QUEUE, BASELINE_LATENCY, CAUSE, DIRECTION, INVALID_LIMITS, KEYS, LIMIT, LIMIT_CHANGES,
    LIMIT_MAX, LIMIT_MIN, LIMITED, MODE, MODE_INFO, OVERFLOWED, PROBE_RESULT, PROBES, PROBING,
    SHADOW_REASON, SHADOW_REJECTED, WINDOW_LATENCY, WINDOWS,
};

use super::{Draft, Line, NAME, NO_LIMITER, Nothing, Text};
use crate::codegen::promql::{gauge, rate};

const NO_ADAPTIVE: Nothing = Nothing {
    short: "not adaptive",
    check: "No limiter with an algorithm that learns from latencies matches.",
};

const NO_MAP: Nothing = Nothing {
    short: "no map",
    check: "No map of limiters matches: there is none, or check the variables above.",
};

pub(super) fn limit() -> Line {
    let bounds = Draft::time_series(Text {
        title: "Limit within its bounds",
        unit: "short",
        description: "The highest limit of any instance between the bounds of the algorithm \
            (dashed), on a logarithmic scale. \
            Good: moves in between; short dips are probes. At a bound for long, the bound \
            decides and not the algorithm: at the lower one see Completed by outcome, at the \
            upper one nobody is limited.",
        no_value: NO_LIMITER,
    })
    .query(gauge(&LIMIT).max_by(NAME), "{{limiter}} limit")
    .bound(gauge(&LIMIT_MAX).max_by(NAME), "{{limiter}} max")
    .bound(gauge(&LIMIT_MIN).min_by(NAME), "{{limiter}} min")
    .logarithmic_from_zero();
    let changes = Draft::time_series(Text {
        title: "Changes of the limit",
        unit: "opm",
        description: "Moves per minute. Good: a few, probe and restored in pairs. Both \
            directions fast and for long is an algorithm that reacts to noise: too few \
            operations, or kinds that should be separate. Bounds again and again: it wants to go \
            further than you let it.",
        no_value: NO_LIMITER,
    })
    .query(
        rate(&LIMIT_CHANGES).sum_by(&["limiter", DIRECTION.name, CAUSE.name]).times(60),
        "{{limiter}} {{direction}} {{cause}}",
    );
    Line { height: 10, panels: vec![bounds, changes] }
}

pub(super) fn mode() -> Line {
    let mode = Draft::time_series(Text {
        title: "Mode",
        unit: "short",
        description: "Instances by whether they enforce their limit (green), only count what they \
            would refuse (orange), or do neither (red), on top of one another. Good: all the \
            same, in the end enforce. A mix that stays: a switch that has not reached all \
            instances.",
        no_value: NO_LIMITER,
    })
    .query(gauge(&MODE_INFO).sum_by(&["limiter", MODE.name]), "{{limiter}} {{mode}}")
    .states(&MODE, &["red", "orange", "green"]);
    let shadow = Draft::time_series(Text {
        title: "Would have been rejected",
        unit: "reqps",
        description: "In shadow mode: operations that ran and that the limit would have refused. \
            Good: zero on normal days. Steady: that is what enforcing it costs today's traffic, \
            so change the limit or the queue before you do.",
        no_value: NO_LIMITER,
    })
    .query(
        rate(&SHADOW_REJECTED).sum_by(&["limiter", SHADOW_REASON.name]),
        "{{limiter}} {{reason}}",
    );
    Line { height: 9, panels: vec![mode, shadow] }
}

pub(super) fn keys() -> Line {
    let keys = Draft::time_series(Text {
        title: "Keys",
        unit: "short",
        description: "Keys that have a limiter of their own, and operations per second whose key \
            found no room and shared one. Good: levels off, none overflowed. Growing without \
            end: the key is not what it should be, such as the id of a request.",
        no_value: NO_MAP,
    })
    .query(gauge(&KEYS).max_by(NAME), "{{limiter}} keys")
    .query(rate(&OVERFLOWED).sum_by(NAME), "{{limiter}} overflowed");
    Line { height: 7, panels: vec![keys] }
}

pub(super) fn latency() -> Line {
    let latency = Draft::time_series(Text {
        title: "Latency and baseline",
        unit: "s",
        description: "Mean latency of the last window, and what the algorithm believes it is \
            without a queue downstream. Good: a small gap, a flat baseline. The gap is what the \
            limit is there to close: large for minutes, the limit is too high, or others fill \
            what is behind it.",
        no_value: NO_ADAPTIVE,
    })
    .query(gauge(&WINDOW_LATENCY).max_by(NAME), "{{limiter}} window")
    .query(gauge(&BASELINE_LATENCY).max_by(NAME), "{{limiter}} baseline");
    let queue = Draft::time_series(Text {
        title: "Queue downstream",
        unit: "short",
        description: "Permits whose operations wait downstream rather than being worked on, \
            estimated from the two latencies. Good: near 0.7 times the root of the limit. Many \
            times that while the limit falls: wait, it is being drained. Without a change of the \
            limit: the queue is made by others.",
        no_value: NO_ADAPTIVE,
    })
    .query(gauge(&BACKEND_QUEUE).max_by(NAME), "{{limiter}}");
    Line { height: 9, panels: vec![latency, queue] }
}

pub(super) fn evidence() -> Line {
    let evidence = Draft::time_series(Text {
        title: "Evidence",
        unit: "short",
        description: "Windows per second that the algorithm has learnt from, and whether the \
            limit held anybody back in the last one (1 or 0): without that it does not grow. \
            Good: some windows, 1 under load. No windows: too few operations for an adaptive \
            limit, fix it. Answers that are not numbers are a mistake in an algorithm of your \
            own.",
        no_value: NO_ADAPTIVE,
    })
    .query(rate(&WINDOWS).sum_by(NAME), "{{limiter}} windows")
    .query(gauge(&LIMITED).max_by(NAME), "{{limiter}} held back")
    .query(rate(&INVALID_LIMITS).sum_by(NAME), "{{limiter}} not a number");
    let probes = Draft::time_series(Text {
        title: "Probes of the baseline",
        unit: "opm",
        description: "Moments of a low limit that measure latency without a queue, per minute, \
            by what they found. Good: up to two, confirmed. Raised again and again is a \
            dependency that gets slower; inconclusive, too few operations to measure.",
        no_value: NO_ADAPTIVE,
    })
    .query(
        rate(&PROBES).sum_by(&["limiter", PROBE_RESULT.name]).times(60),
        "{{limiter}} {{result}}",
    )
    .query(gauge(&PROBING).max_by(NAME), "{{limiter}} probing");
    Line { height: 9, panels: vec![evidence, probes] }
}
