//! The first dashboard to open: is it healthy, what is refused, where is the time, what to do.

mod guide;
mod times;

use floodway_metrics::{
    Metric,
    catalogue::{batcher, exporter::BUILD_INFO, fan_out, fleet, limiter, pool},
};

use super::{
    Content, Line, Section,
    panel::{Draft, Nothing, Text},
    target_of,
};
use crate::codegen::{
    grafana::{Dashboard, Link},
    promql::{Expr, count_rate, firing_alerts, increase, quantile, rate, rate_where},
};

pub(super) const UID: &str = "floodway-overview";

/// What every process has, and what every component of a kind has.
const COMPONENTS: &[&Metric] = &[
    &BUILD_INFO,
    &limiter::LIMIT,
    &fan_out::RUNNING_CALLS,
    &batcher::TARGET,
    &pool::LIMIT,
    &fleet::BUDGET,
];

/// The dashboards of the components: uid, title, and what it is for.
const DETAILS: [(&str, &str, &str); 6] = [
    (super::limiter::UID, "Limiter", "What limiters admit, queue and reject"),
    (super::pool::UID, "Pool", "What connection pools give, and to whom"),
    (super::fleet::UID, "Fleet", "How replicas share a budget, and who has how much of it"),
    (super::fan_out::UID, "Fan-out", "What fan-outs do with their items"),
    (super::batcher::UID, "Batcher", "What batchers save, and what decides their sizes"),
    (super::exporter::UID, "Exporter", "Whether these numbers can be trusted"),
];

const NO_REQUESTS: Nothing = Nothing {
    short: "no traffic",
    check: "Nothing asked for a permit: check that requests pass a limiter.",
};
const NO_LIMITER: Nothing = Nothing {
    short: "no limiter",
    check: "No limiter matches: check the variables above and the scrape.",
};
const NO_POOL: Nothing = Nothing {
    short: "no pool",
    check: "No pool matches: check the variables above, or there is none.",
};
const NO_BATCHER: Nothing = Nothing {
    short: "no batcher",
    check: "No batcher matches: check the variables above, or there is none.",
};
const NO_CALLS: Nothing = Nothing {
    short: "no calls",
    check: "No call of a fan-out ended: check the variables above, or there is none.",
};
const NO_COSTS: Nothing = Nothing {
    short: "not known",
    check: "No batch was measured: none ended, or there is no batcher.",
};
const NO_ANSWER: Nothing = Nothing {
    short: "no answer",
    check: "Prometheus does not answer: check the data source above.",
};
const NOTHING: Nothing = Nothing {
    short: "nothing",
    check: "Nothing happened: check the variables above and the scrape.",
};

pub(super) fn dashboard() -> Dashboard {
    super::dashboard(Content {
        uid: UID,
        title: "Floodway / Overview",
        description: "From top to bottom: is it healthy, what is refused and why, where is the \
            time, and what to do.",
        components: COMPONENTS.into(),
        objective: true,
        links: DETAILS.map(|(uid, title, tooltip)| link(uid, title, tooltip)).into(),
        sections: vec![
            Section::open("Is it healthy?", vec![health(), trends()]),
            Section::open("What is refused, and why?", vec![refused()]),
            Section::open("Where is the time?", times::lines().into()),
            Section::open("What to do?", vec![guide::line()]),
        ],
    })
}

fn link(uid: &str, title: &'static str, tooltip: &'static str) -> Link {
    Link::Link { title, tooltip, icon: "dashboard", url: target_of(uid) }
}

/// The share of `wrong` among both, as long as there is any.
fn success(wrong: &Expr, good: &Expr) -> Expr {
    wrong.per(&good.plus(wrong)).complement()
}

fn health() -> Line {
    let rejected = rate(&limiter::REJECTED).sum();
    let acquired = rate(&limiter::ACQUIRED).sum();
    let admission = Draft::stat(Text {
        title: "Admission success",
        unit: "percentunit",
        description: "Share of requests that got a permit, of those that got one or were refused. \
            Good: above your objective. Below: Limiters by reason, further down, says why.",
        no_value: NO_REQUESTS,
    })
    .query(success(&rejected, &acquired), "admitted")
    .bad_below(0.999, 0.99)
    .details("Limiters", super::limiter::UID);
    let admitted = Draft::stat(Text {
        title: "Admitted",
        unit: "reqps",
        description: "Permits granted per second, over all selected limiters. Good: follows your \
            traffic. Flat while traffic grows: the limit or what is behind it is at its end.",
        no_value: NO_LIMITER,
    })
    .query(acquired, "admitted")
    .details("Limiters", super::limiter::UID);
    let saturation = Draft::stat(Text {
        title: "Worst saturation",
        unit: "percentunit",
        description: "Share of time without a free permit, of the limiter that has the most of it. \
            Good: below 70 %. Near 100 %, raise the limit if Hold is as usual; if Hold has risen, \
            what is behind it is the bottleneck.",
        no_value: NO_LIMITER,
    })
    .query(
        rate(&limiter::SATURATED_SECONDS).mean_of_keys(&limiter::KEYS).max().clamped(1),
        "saturated",
    )
    .bad_above(0.7, 0.9)
    .details("Limiters", super::limiter::UID);
    let wait = Draft::stat(Text {
        title: "Wait p99",
        unit: "s",
        description: "Time to a permit that 99 of 100 admitted requests stay below. Good: a small \
            part of your callers' patience. Above: a shorter queue, or a higher limit if what is \
            behind it has room.",
        no_value: NO_REQUESTS,
    })
    .query(quantile(0.99, &[], &limiter::WAIT_DURATION).numbers(), "p99")
    .bad_above(0.1, 0.25)
    .details("Limiters", super::limiter::UID);
    let lost = increase(&limiter::REJECTED).sum();
    let asked = increase(&limiter::ACQUIRED).sum().plus(&lost);
    let budget = Draft::stat(Text {
        title: "Error budget left",
        unit: "percentunit",
        description: "Of the refusals that the objective above allows in the time range of this \
            dashboard, the share that is left. Good: more than a quarter at the end of the range. \
            Below zero: the objective is missed; refuse less before anything else is changed. At \
            −100 % it is missed twice over, or by more.",
        no_value: NO_REQUESTS,
    })
    .query(lost.per(&asked).budget_left(), "left")
    .instant()
    .bad_below(0.25, 0.0)
    .details("Limiters", super::limiter::UID);
    let firing = Draft::stat(Text {
        title: "Firing alerts",
        unit: "short",
        description: "Alerts of Floodway that fire, in the selected jobs. Good: zero. Otherwise \
            the red marks in the panels say which and since when, and each names its runbook.",
        no_value: NO_ANSWER,
    })
    .query(firing_alerts().number(), "firing")
    .bad_from(1.0);
    Line { height: 4, panels: vec![admission, admitted, saturation, wait, budget, firing] }
}

fn trends() -> Line {
    let rejected = rate(&limiter::REJECTED).sum();
    let refused = rate(&pool::REJECTIONS).sum();
    let items = |outcomes: &[&str]| {
        rate_where(&fan_out::ITEMS_PROCESSED, &fan_out::ITEM_OUTCOME, outcomes).sum()
    };
    let batched =
        |outcomes: &[&str]| rate_where(&batcher::ITEMS, &batcher::ITEM_OUTCOME, outcomes).sum();
    let shares = Draft::time_series(Text {
        title: "Success by component",
        unit: "percentunit",
        description: "Of each kind of component, the share of what it was asked for that it did. \
            Good: all near 100 %. The one that falls first is where to look; a limiter that \
            refuses so that the rest stays up does its work. Of leases it is the share of \
            renewals that the engine granted.",
        no_value: NOTHING,
    })
    .query(success(&rejected, &rate(&limiter::ACQUIRED).sum()), "limiters")
    .query(success(&refused, &count_rate(&pool::WAIT_DURATION).sum()), "pools")
    .query(super::fleet::renewed(), "leases")
    .query(success(&items(super::fan_out::WRONG), &items(&["ok"])), "fan-outs")
    .query(success(&batched(super::batcher::WRONG), &batched(&["ok"])), "batchers")
    .bad_below(0.999, 0.99)
    .up_to(1.0);
    let demand = Draft::time_series(Text {
        title: "Asked for and admitted",
        unit: "reqps",
        description: "Requests that came to limiters, and that were admitted, per second. Good: \
            one line on the other. A gap that opens while more is asked for: overload. One that \
            opens at the same load: the limit fell, or what is behind it is slower.",
        no_value: NO_LIMITER,
    })
    .query(rate(&limiter::ACQUIRED).sum().plus(&rejected), "asked for")
    .query(rate(&limiter::ACQUIRED).sum(), "admitted")
    .details("Limiters", super::limiter::UID);
    Line { height: 8, panels: vec![shares, demand] }
}

fn refused() -> Line {
    let limiters = Draft::time_series(Text {
        title: "Limiters by reason",
        unit: "reqps",
        description: "Requests refused per second. Good: none, or bursts of queue_full. Steady: \
            queue_full and deadline say that the limit is below the traffic, weight, nested and \
            closed that the calling code is wrong.",
        no_value: NO_LIMITER,
    })
    .query(rate(&limiter::REJECTED).sum_by(&[limiter::REASON.name]), "{{reason}}")
    .stacked()
    .details("Limiters", super::limiter::UID);
    let pools = Draft::time_series(Text {
        title: "Pools by cause",
        unit: "reqps",
        description: "Callers refused a connection per second. Good: none. pool_held: shorter \
            transactions; foreign: somebody passes the limiter by; connect_failing: the database; \
            ceiling: a bound above the pool.",
        no_value: NO_POOL,
    })
    .query(rate(&pool::REJECTIONS).sum_by(&[pool::CAUSE.name]), "{{cause}}")
    .stacked()
    .details("Pools", super::pool::UID);
    let batchers = Draft::time_series(Text {
        title: "Batchers by reason",
        unit: "cps",
        description: "Items refused before they were sent, per second. Good: none. queue_full: \
            what is behind is slower than its callers; limiter: see the limiter of the batches; \
            expired: deadlines shorter than the wait.",
        no_value: NO_BATCHER,
    })
    .query(rate(&batcher::REJECTED).sum_by(&[batcher::REASON.name]), "{{reason}}")
    .stacked()
    .details("Batchers", super::batcher::UID);
    let names = Draft::time_series(Text {
        title: "Refused by name",
        unit: "reqps",
        description: "Which limiter, pool or batcher refuses, per second. Good: all at zero. One \
            alone: its own limit, or what is behind it. All at once: something that they share, \
            such as the database or the processor.",
        no_value: NOTHING,
    })
    .query(rate(&limiter::REJECTED).sum_by(&["limiter"]), "limiter {{limiter}}")
    .query(rate(&pool::REJECTIONS).sum_by(&["pool"]), "pool {{pool}}")
    .query(rate(&batcher::REJECTED).sum_by(&["batcher"]), "batcher {{batcher}}");
    Line { height: 9, panels: vec![limiters, pools, batchers, names] }
}
