//! The limiter's dashboard.

mod limit;

use floodway_metrics::catalogue::limiter::{
    ACQUIRED, CANCELLED, COMPLETED, HOLD_DURATION, IN_FLIGHT, KEYS, LIMIT, NESTED, NESTED_RESULT,
    OUTCOME, PATH, PERMIT_SECONDS, PRIORITY, QUEUE_CAPACITY, QUEUED, QUEUED_SECONDS, REASON,
    REJECTED, SATURATED_SECONDS, WAIT_DURATION,
};

use super::{
    Content, Line, Section,
    panel::{Draft, Nothing, Text},
};
use crate::codegen::{
    grafana::Dashboard,
    promql::{bucket_increase, gauge, quantile, rate, sum_rate},
};

pub(super) const UID: &str = "floodway-limiter";

/// By the component's name.
const NAME: &[&str] = &["limiter"];

const NO_LIMITER: Nothing = Nothing {
    short: "no limiter",
    check: "No limiter matches: check the variables above and the scrape.",
};
const NO_QUEUE: Nothing = Nothing {
    short: "no queue",
    check: "No limiter with a queue matches: check the variables above.",
};
const NO_REQUESTS: Nothing = Nothing {
    short: "no traffic",
    check: "Nothing asked for a permit: check that requests pass the limiter.",
};
const NO_COMPLETIONS: Nothing = Nothing {
    short: "no traffic",
    check: "No permit came back: check Permits for those still held.",
};

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
            Section::open("Limiter", vec![concurrency(), fullness(), flow(), durations()]),
            Section::collapsed("How operations end", vec![ends(), distribution()]),
            Section::collapsed("Limit", vec![limit::limit(), limit::mode(), limit::keys()]),
            Section::collapsed("Adaptive limit", vec![limit::latency(), limit::evidence()]),
        ],
    })
}

fn glance() -> Line {
    let rejected = rate(&REJECTED).sum();
    let asked = rate(&ACQUIRED).sum().plus(&rejected);
    let success = Draft::stat(Text {
        title: "Admission success",
        unit: "percentunit",
        description: "Share of requests that got a permit, of those that got one or were \
            rejected. Good: 99.9 % and more outside of incidents. Below 99 %, Rejected by reason \
            says why.",
        no_value: NO_REQUESTS,
    })
    .query(rejected.per(&asked).complement(), "admitted")
    .bad_below(0.999, 0.99);
    let admitted = Draft::stat(Text {
        title: "Admitted",
        unit: "reqps",
        description: "Permits granted per second, over all selected limiters. Good: follows your \
            traffic. Flat while traffic grows: the limit or what is behind it is at its end, see \
            Worst saturation.",
        no_value: NO_LIMITER,
    })
    .query(rate(&ACQUIRED).sum(), "admitted");
    let saturation = Draft::stat(Text {
        title: "Worst saturation",
        unit: "percentunit",
        description: "Share of time without a free permit, of the limiter that has the most of \
            it. Good: below 70 %. Near 100 % the limit decides the throughput: raise it if Hold \
            is as usual; if Hold has risen, what is behind it is the bottleneck.",
        no_value: NO_LIMITER,
    })
    .query(rate(&SATURATED_SECONDS).mean_of_keys(&KEYS).max().clamped(1), "saturated")
    .bad_above(0.7, 0.9);
    let wait = Draft::stat(Text {
        title: "Wait p99",
        unit: "s",
        description: "Time to a permit that 99 of 100 admitted requests stay below. Good: a \
            small part of your callers' patience. At the queue's longest wait: shorten the \
            queue, or raise the limit if what is behind it has room.",
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
            below the limit. The average comes from an integral and misses no short peak. Good: \
            the average below the limit, with room for peaks. Glued to the limit: see Time \
            saturated. Held without traffic: see Little's law.",
        no_value: NO_LIMITER,
    })
    .query(gauge(&IN_FLIGHT).sum_by(NAME), "{{limiter}} in flight")
    .query(rate(&PERMIT_SECONDS).sum_by(NAME), "{{limiter}} mean in flight")
    .bound(gauge(&LIMIT).sum_by(NAME), "{{limiter}} limit");
    let queue = Draft::time_series(Text {
        title: "Queue",
        unit: "short",
        description: "Callers waiting at the moment of the scrape and on average between \
            scrapes. Good: empty most of the time, filled by bursts. Never empty: overload, so \
            refuse more or serve more; a longer queue does not help.",
        no_value: NO_LIMITER,
    })
    .query(gauge(&QUEUED).sum_by(NAME), "{{limiter}} queued")
    .query(rate(&QUEUED_SECONDS).sum_by(NAME), "{{limiter}} mean queued");
    Line { height: 9, panels: vec![permits, queue] }
}

fn fullness() -> Line {
    let saturated = Draft::time_series(Text {
        title: "Time saturated",
        unit: "percentunit",
        description: "Share of time without a free permit, averaged over instances. Good: short \
            spikes. High with short waits is a busy limiter; high with long waits is one that is \
            too small, or a slow dependency: Hold tells which.",
        no_value: NO_LIMITER,
    })
    .query(rate(&SATURATED_SECONDS).mean_of_keys(&KEYS).avg_by(NAME).clamped(1), "{{limiter}}")
    .bad_above(0.7, 0.9)
    .up_to(1.0);
    let fill = Draft::time_series(Text {
        title: "Queue fill",
        unit: "percentunit",
        description: "Callers waiting, of those that may, on the instance with the fullest queue. \
            Good: below 70 %, with spikes. At 100 % who comes is refused as queue_full. Far \
            below while callers are refused: the time that they may wait decides, not the room \
            for them.",
        no_value: NO_QUEUE,
    })
    .query(gauge(&QUEUED).per(&gauge(&QUEUE_CAPACITY)).max_by(NAME), "{{limiter}}")
    .bad_above(0.7, 0.9)
    .up_to(1.0);
    let admitted = Draft::time_series(Text {
        title: "Admitted by path",
        unit: "reqps",
        description: "Permits granted per second, at once or after waiting. Good: nearly all \
            immediate. Mostly queued: most callers pay a wait, so raise the limit if Hold allows \
            it.",
        no_value: NO_LIMITER,
    })
    .query(rate(&ACQUIRED).sum_by(&[PATH.name]), "{{path}}");
    Line { height: 8, panels: vec![saturated, fill, admitted] }
}

fn flow() -> Line {
    let rejected = Draft::time_series(Text {
        title: "Rejected by reason",
        unit: "reqps",
        description: "Operations refused before they ran. Good: none, or bursts of queue_full. \
            Steady: queue_full, displaced, shed and deadline ask for a higher limit or another \
            queue, unmeetable for honest deadlines, weight, nested and closed for a change of \
            the calling code.",
        no_value: NO_LIMITER,
    })
    .query(rate(&REJECTED).sum_by(&["limiter", REASON.name]), "{{limiter}} {{reason}}");
    let classes = Draft::time_series(Text {
        title: "Rejected by priority",
        unit: "reqps",
        description: "Whom the refusals hit. Good: the lowest priorities first; a share of each \
            is admitted all the same. Critical ones among them: too much is critical, or the \
            queue's waits are shorter than the gaps between permits.",
        no_value: NO_LIMITER,
    })
    .query(rate(&REJECTED).sum_by(&[PRIORITY.name]), "{{priority}}");
    Line { height: 9, panels: vec![rejected, classes] }
}

fn durations() -> Line {
    let wait = Draft::time_series(Text {
        title: "Wait",
        unit: "s",
        description: "Time from asking for a permit to getting it, of admitted requests. Good: \
            p50 at zero, p99 below the bound that you set. p50 above zero: half of the callers \
            wait, see Admitted by path.",
        no_value: NO_REQUESTS,
    })
    .percentiles(&WAIT_DURATION);
    let hold = Draft::time_series(Text {
        title: "Hold",
        unit: "s",
        description: "Time a permit was held: the time of the limited work itself. Good: \
            constant, whatever the load. Growing with Permits: what is behind queues, so the \
            limit is too high. Growing alone: it has become slower.",
        no_value: NO_COMPLETIONS,
    })
    .percentiles(&HOLD_DURATION);
    Line { height: 9, panels: vec![wait, hold] }
}

fn ends() -> Line {
    let completed = Draft::time_series(Text {
        title: "Completed by outcome",
        unit: "reqps",
        description: "Permits that came back per second. Good: success. Overload is what an \
            adaptive limit reacts to: growing, the dependency is in trouble. Ignore says nothing \
            about it: much of that, and the limit is blind, so classify your errors.",
        no_value: NO_LIMITER,
    })
    .query(rate(&COMPLETED).sum_by(&[OUTCOME.name]), "{{outcome}}");
    let cancelled = Draft::time_series(Text {
        title: "Cancelled while queued",
        unit: "reqps",
        description: "Callers per second that went away before they got a permit. Good: nearly \
            none. Many: clients give up sooner than the queue does, so shorten its longest wait, \
            or pass their deadlines on.",
        no_value: NO_LIMITER,
    })
    .query(rate(&CANCELLED).sum_by(NAME), "{{limiter}}");
    let nested = Draft::time_series(Text {
        title: "Nested operations",
        unit: "reqps",
        description: "Operations inside one that holds a permit of the same limiter, which is \
            lent to them. Good: lent, or none. Refused are those that wanted more permits than \
            it holds: a mistake in the calling code, which a debug build reports with both \
            places.",
        no_value: NO_LIMITER,
    })
    .query(rate(&NESTED).sum_by(&["limiter", NESTED_RESULT.name]), "{{limiter}} {{result}}");
    Line { height: 9, panels: vec![completed, cancelled, nested] }
}

fn distribution() -> Line {
    let heatmap = Draft::heatmap(Text {
        title: "Wait distribution",
        unit: "short",
        description: "How many requests waited how long. Good: one strong band at the bottom. Two \
            bands are two kinds of requests, which a quantile would hide: separate limiters or \
            priorities. A band at the longest wait: callers wait in vain.",
        no_value: NO_REQUESTS,
    })
    .query(bucket_increase(&WAIT_DURATION), "{{le}}");
    let little = Draft::time_series(Text {
        title: "Little's law",
        unit: "percentunit",
        description: "Held time that ended, of held time that passed, over five minutes: the two \
            agree only over more than an operation takes. Good: 90 to 110 %. Steadily below, \
            permits are taken and not given back: look for calls without a timeout.",
        no_value: NO_COMPLETIONS,
    })
    .query(
        sum_rate(&HOLD_DURATION).sum_by(NAME).per(&rate(&PERMIT_SECONDS).sum_by(NAME)).smoothed(),
        "{{limiter}}",
    )
    .good_between(0.9, 1.1);
    Line { height: 9, panels: vec![heatmap, little] }
}
