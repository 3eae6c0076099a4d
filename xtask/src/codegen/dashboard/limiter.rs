//! The limiter's dashboard.

use floodway_metrics::catalogue::limiter::{
    ACQUIRED, BACKEND_QUEUE, BASELINE_LATENCY, CANCELLED, CAUSE, COMPLETED, DIRECTION,
    HOLD_DURATION, IN_FLIGHT, INVALID_LIMITS, KEYS, LIMIT, LIMIT_CHANGES, LIMIT_MAX, LIMIT_MIN,
    LIMITED, MODE, MODE_INFO, NESTED, NESTED_RESULT, OUTCOME, OVERFLOWED, PATH, PERMIT_SECONDS,
    PRIORITY, PROBE_RESULT, PROBES, PROBING, QUEUE_CAPACITY, QUEUED, QUEUED_SECONDS, REASON,
    REJECTED, SATURATED_SECONDS, SHADOW_REASON, SHADOW_REJECTED, WAIT_DURATION, WINDOW_LATENCY,
    WINDOWS,
};

use super::{
    Content, Line, Section,
    panel::{Draft, Text},
};
use crate::codegen::{
    grafana::Dashboard,
    promql::{bucket_increase, gauge, quantile, rate, sum_rate},
};

pub(super) const UID: &str = "floodway-limiter";

/// By the component's name.
const NAME: &[&str] = &["limiter"];

const NO_LIMITER: &str = "No limiter matches: check the variables above and the scrape.";
const NO_REQUESTS: &str = "Nothing asked for a permit: check that requests pass the limiter.";
const NO_ADAPTIVE: &str = "No limiter with an algorithm that learns from latencies matches.";
const NO_COMPLETIONS: &str = "No permit came back: check Permits for those still held.";

pub(super) fn dashboard() -> Dashboard {
    super::dashboard(Content {
        uid: UID,
        title: "Floodway / Limiter",
        description: "What limiters admit, queue and reject, and why.",
        components: vec![&LIMIT],
        objective: false,
        links: Vec::new(),
        sections: vec![
            Section::open("At a glance", vec![glance()]),
            Section::open("Limiter", vec![concurrency(), flow(), durations()]),
            Section::collapsed("How operations end", vec![ends(), distribution()]),
            Section::collapsed("Limit", vec![limit(), mode()]),
            Section::collapsed("Adaptive limit", vec![latency(), evidence()]),
        ],
    })
}

fn glance() -> Line {
    let rejected = rate(&REJECTED).sum();
    let asked = rate(&ACQUIRED).sum().plus(&rejected);
    let success = Draft::stat(Text {
        title: "Admission success",
        unit: "percentunit",
        description: "Share of requests that got a permit, of those that got one or were rejected.",
        no_value: NO_REQUESTS,
    })
    .query(rejected.per(&asked).complement(), "admitted")
    .bad_below(0.999, 0.99);
    let admitted = Draft::stat(Text {
        title: "Admitted",
        unit: "reqps",
        description: "Permits granted per second, over all selected limiters.",
        no_value: NO_LIMITER,
    })
    .query(rate(&ACQUIRED).sum(), "admitted");
    let saturation = Draft::stat(Text {
        title: "Worst saturation",
        unit: "percentunit",
        description: "Share of time without a free permit, of the limiter that has the most of it. \
            Near 100 % the limit decides the throughput.",
        no_value: NO_LIMITER,
    })
    .query(rate(&SATURATED_SECONDS).max(), "saturated")
    .bad_above(0.7, 0.9);
    let wait = Draft::stat(Text {
        title: "Wait p99",
        unit: "s",
        description: "Time to a permit that 99 of 100 admitted requests stay below.",
        no_value: NO_REQUESTS,
    })
    .query(quantile(0.99, &[], &WAIT_DURATION).numbers(), "p99")
    .bad_above(0.1, 0.25);
    Line { height: 4, panels: vec![success, admitted, saturation, wait] }
}

fn concurrency() -> Line {
    let permits = Draft::time_series(Text {
        title: "Permits",
        unit: "short",
        description: "Permits held at the moment of the scrape and on average between scrapes, \
            below the limit. The average comes from an integral and misses no short peak.",
        no_value: NO_LIMITER,
    })
    .query(gauge(&IN_FLIGHT).sum_by(NAME), "{{limiter}} in flight")
    .query(gauge(&LIMIT).sum_by(NAME), "{{limiter}} limit")
    .query(rate(&PERMIT_SECONDS).sum_by(NAME), "{{limiter}} mean in flight");
    let saturated = Draft::time_series(Text {
        title: "Time saturated",
        unit: "percentunit",
        description: "Share of time without a free permit, averaged over instances. High with \
            short waits is a busy limiter; high with long waits is one that is too small, or a \
            slow dependency.",
        no_value: NO_LIMITER,
    })
    .query(rate(&SATURATED_SECONDS).avg_by(NAME), "{{limiter}}")
    .bad_above(0.7, 0.9)
    .up_to(1.0);
    let queue = Draft::time_series(Text {
        title: "Queue",
        unit: "short",
        description: "Callers waiting at the moment of the scrape and on average between scrapes, \
            below the most that may wait.",
        no_value: NO_LIMITER,
    })
    .query(gauge(&QUEUED).sum_by(NAME), "{{limiter}} queued")
    .query(rate(&QUEUED_SECONDS).sum_by(NAME), "{{limiter}} mean queued")
    .query(gauge(&QUEUE_CAPACITY).sum_by(NAME), "{{limiter}} capacity");
    Line { height: 8, panels: vec![permits, saturated, queue] }
}

fn flow() -> Line {
    let admitted = Draft::time_series(Text {
        title: "Admitted by path",
        unit: "reqps",
        description: "Permits granted per second, at once or after waiting.",
        no_value: NO_LIMITER,
    })
    .query(rate(&ACQUIRED).sum_by(&[PATH.name]), "{{path}}");
    let rejected = Draft::time_series(Text {
        title: "Rejected by reason",
        unit: "reqps",
        description: "Operations refused before they ran. The reason says what to change: the \
            queue's room, its time, or the limit.",
        no_value: NO_LIMITER,
    })
    .query(rate(&REJECTED).sum_by(&["limiter", REASON.name]), "{{limiter}} {{reason}}");
    let classes = Draft::time_series(Text {
        title: "Rejected by priority",
        unit: "reqps",
        description: "Whom the refusals hit. Under overload the lowest priorities come first; a \
            share of each is admitted all the same.",
        no_value: NO_LIMITER,
    })
    .query(rate(&REJECTED).sum_by(&[PRIORITY.name]), "{{priority}}");
    Line { height: 8, panels: vec![admitted, rejected, classes] }
}

fn durations() -> Line {
    let wait = Draft::time_series(Text {
        title: "Wait",
        unit: "s",
        description: "Time from asking for a permit to getting it, of admitted requests.",
        no_value: NO_REQUESTS,
    })
    .percentiles(&WAIT_DURATION);
    let hold = Draft::time_series(Text {
        title: "Hold",
        unit: "s",
        description: "Time a permit was held: the time of the limited work itself.",
        no_value: NO_COMPLETIONS,
    })
    .percentiles(&HOLD_DURATION);
    Line { height: 8, panels: vec![wait, hold] }
}

fn ends() -> Line {
    let completed = Draft::time_series(Text {
        title: "Completed by outcome",
        unit: "reqps",
        description: "Permits that came back per second. Overload is what an adaptive limit reacts \
            to; ignore says nothing about the dependency.",
        no_value: NO_LIMITER,
    })
    .query(rate(&COMPLETED).sum_by(&[OUTCOME.name]), "{{outcome}}");
    let cancelled = Draft::time_series(Text {
        title: "Cancelled while queued",
        unit: "reqps",
        description: "Callers per second that went away before they got a permit: clients that \
            give up sooner than the queue does.",
        no_value: NO_LIMITER,
    })
    .query(rate(&CANCELLED).sum_by(NAME), "{{limiter}}");
    let nested = Draft::time_series(Text {
        title: "Nested operations",
        unit: "reqps",
        description: "Operations inside one that holds a permit of the same limiter, which is lent \
            to them. Refused are those that wanted more permits than it holds: a mistake in the \
            calling code, which a debug build reports with both places.",
        no_value: NO_LIMITER,
    })
    .query(rate(&NESTED).sum_by(&["limiter", NESTED_RESULT.name]), "{{limiter}} {{result}}");
    Line { height: 8, panels: vec![completed, cancelled, nested] }
}

fn distribution() -> Line {
    let heatmap = Draft::heatmap(Text {
        title: "Wait distribution",
        unit: "short",
        description: "How many requests waited how long. Two bands are two kinds of requests, \
            which a quantile would hide.",
        no_value: NO_REQUESTS,
    })
    .query(bucket_increase(&WAIT_DURATION), "{{le}}");
    let little = Draft::time_series(Text {
        title: "Little's law",
        unit: "percentunit",
        description: "Held time that ended, of held time that passed: 100 % over a long interval. \
            Steadily below, permits are taken and not given back.",
        no_value: NO_COMPLETIONS,
    })
    .query(
        sum_rate(&HOLD_DURATION).sum_by(NAME).per(&rate(&PERMIT_SECONDS).sum_by(NAME)),
        "{{limiter}}",
    )
    .good_between(0.9, 1.1);
    Line { height: 8, panels: vec![heatmap, little] }
}

fn limit() -> Line {
    let bounds = Draft::time_series(Text {
        title: "Limit within its bounds",
        unit: "short",
        description: "The highest limit of any instance between the bounds of the algorithm. At a \
            bound for long, the bound decides and not the algorithm.",
        no_value: NO_LIMITER,
    })
    .query(gauge(&LIMIT).max_by(NAME), "{{limiter}} limit")
    .query(gauge(&LIMIT_MAX).max_by(NAME), "{{limiter}} max")
    .query(gauge(&LIMIT_MIN).min_by(NAME), "{{limiter}} min");
    let changes = Draft::time_series(Text {
        title: "Changes of the limit",
        unit: "opm",
        description: "Moves per minute. Both directions fast and for long is an algorithm that \
            reacts to noise.",
        no_value: NO_LIMITER,
    })
    .query(
        rate(&LIMIT_CHANGES).sum_by(&["limiter", DIRECTION.name, CAUSE.name]).times(60),
        "{{limiter}} {{direction}} {{cause}}",
    );
    Line { height: 8, panels: vec![bounds, changes] }
}

fn mode() -> Line {
    let mode = Draft::time_series(Text {
        title: "Mode",
        unit: "short",
        description: "Instances by whether they enforce their limit, only count what they would \
            refuse, or do neither.",
        no_value: NO_LIMITER,
    })
    .query(gauge(&MODE_INFO).sum_by(&["limiter", MODE.name]), "{{limiter}} {{mode}}");
    let shadow = Draft::time_series(Text {
        title: "Would have been rejected",
        unit: "reqps",
        description: "In shadow mode: operations that ran and that the limit would have refused. \
            What enforcing it costs today's traffic.",
        no_value: NO_LIMITER,
    })
    .query(
        rate(&SHADOW_REJECTED).sum_by(&["limiter", SHADOW_REASON.name]),
        "{{limiter}} {{reason}}",
    );
    let keys = Draft::time_series(Text {
        title: "Keys",
        unit: "short",
        description: "Keys that have a limiter of their own, and operations per second whose key \
            found no room and shared one. Growing without end: the key is not what it should be.",
        no_value: "No map of limiters matches.",
    })
    .query(gauge(&KEYS).max_by(NAME), "{{limiter}} keys")
    .query(rate(&OVERFLOWED).sum_by(NAME), "{{limiter}} overflowed");
    Line { height: 8, panels: vec![mode, shadow, keys] }
}

fn latency() -> Line {
    let latency = Draft::time_series(Text {
        title: "Latency and baseline",
        unit: "s",
        description: "Mean latency of the last window, and what the algorithm believes it is \
            without a queue downstream. The gap is what the limit is there to close.",
        no_value: NO_ADAPTIVE,
    })
    .query(gauge(&WINDOW_LATENCY).max_by(NAME), "{{limiter}} window")
    .query(gauge(&BASELINE_LATENCY).max_by(NAME), "{{limiter}} baseline");
    let queue = Draft::time_series(Text {
        title: "Queue downstream",
        unit: "short",
        description: "Permits whose operations wait downstream rather than being worked on, \
            estimated from the two latencies.",
        no_value: NO_ADAPTIVE,
    })
    .query(gauge(&BACKEND_QUEUE).max_by(NAME), "{{limiter}}");
    Line { height: 8, panels: vec![latency, queue] }
}

fn evidence() -> Line {
    let evidence = Draft::time_series(Text {
        title: "Evidence",
        unit: "short",
        description: "Windows per second that the algorithm has learnt from, and whether the limit \
            held anybody back in the last one (1 or 0): without that it does not grow. Answers that \
            are not numbers are a mistake in an algorithm of your own.",
        no_value: NO_ADAPTIVE,
    })
    .query(rate(&WINDOWS).sum_by(NAME), "{{limiter}} windows")
    .query(gauge(&LIMITED).max_by(NAME), "{{limiter}} held back")
    .query(rate(&INVALID_LIMITS).sum_by(NAME), "{{limiter}} not a number");
    let probes = Draft::time_series(Text {
        title: "Probes of the baseline",
        unit: "opm",
        description: "Moments of a low limit that measure latency without a queue, per minute, by \
            what they found. Raised again and again is a dependency that gets slower.",
        no_value: NO_ADAPTIVE,
    })
    .query(
        rate(&PROBES).sum_by(&["limiter", PROBE_RESULT.name]).times(60),
        "{{limiter}} {{result}}",
    )
    .query(gauge(&PROBING).max_by(NAME), "{{limiter}} probing");
    Line { height: 8, panels: vec![evidence, probes] }
}
