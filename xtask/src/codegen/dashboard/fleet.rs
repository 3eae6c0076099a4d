//! The dashboard of fleets: how replicas share a budget.

mod budget;
mod lease;
mod trouble;

use floodway_metrics::{
    Metric,
    catalogue::fleet::{
        BUDGET, GRANTED, HELD, HUNGRY_REPLICAS, LEASE_AGE, LEASE_INFO, MARGIN, OUTCOME,
        OUTSTANDING, RENEWALS, STATE, UNFENCED,
    },
};

use super::{
    Content, Line, Section,
    panel::{Draft, Nothing, Text},
};
use crate::codegen::{
    grafana::Dashboard,
    promql::{Expr, gauge, gauge_where, rate, rate_where},
};

pub(super) const UID: &str = "floodway-fleet";

/// By the component's name.
const NAME: &[&str] = &["budget"];
/// Of every replica.
const EACH: &[&str] = &["budget", "instance"];

/// Seconds after which what the engine said last is history. Refreshes are a few seconds apart.
const FRESH: u32 = 30;

/// States in which a replica has no lease that runs, and goes on with less or nothing.
const WITHOUT_LEASE: &[&str] = &["none", "reused", "floor", "unleased", "superseded"];

const NO_LEASE: Nothing = Nothing {
    short: "no lease",
    check: "No lease of a budget matches: check the variables above and the scrape.",
};
const NO_ANSWER: Nothing = Nothing {
    short: "no answer",
    check: "No replica had an answer of the engine lately: check Renewals and the engine.",
};
const NO_RENEWALS: Nothing = Nothing {
    short: "no renewals",
    check: "No lease was renewed: check the variables above and the scrape.",
};

pub(super) fn dashboard() -> Dashboard {
    super::dashboard(Content {
        uid: UID,
        title: "Floodway / Fleet",
        description: "How the replicas of a fleet share a budget: who has how much of it, who needs \
            more, and whether leases are renewed.",
        components: vec![&BUDGET],
        objective: false,
        links: Vec::new(),
        sections: vec![
            Section::open("At a glance", vec![glance()]),
            Section::open("Budget", vec![budget::leased(), budget::used()]),
            Section::open("The lease of one replica, or of several", vec![lease::lease()]),
            Section::open("Trouble", vec![trouble::trouble()]),
            Section::collapsed("Renewals", vec![lease::renewals(), lease::times()]),
        ],
    })
}

/// The share of renewals that the engine granted.
pub(super) fn renewed() -> Expr {
    rate_where(&RENEWALS, &OUTCOME, &["granted"]).sum().per(&rate(&RENEWALS).sum())
}

/// What the engine says of the fleet, of replicas that it has answered lately: whoever is cut off
/// goes on saying what it has heard last.
fn said(metric: &Metric) -> Expr {
    gauge(metric).while_below(&gauge(&LEASE_AGE), FRESH)
}

/// What may be leased.
fn usable() -> Expr {
    gauge(&BUDGET).less(&gauge(&MARGIN)).max_by(NAME)
}

/// What counts of a replica against the budget.
fn counted() -> Expr {
    gauge(&GRANTED).or_greater(&gauge(&HELD))
}

fn glance() -> Line {
    let used = Draft::stat(Text {
        title: "Budget used",
        unit: "percentunit",
        description: "Permits that replicas really use or hold connections for, of those that may be \
            leased, of each budget. Good: below 80 %. At 100 % the fleet needs more \
            than it has: compare Wanted with Usable in Used against the budget.",
        no_value: NO_LEASE,
    })
    .query(gauge(&HELD).sum_by(NAME).per(&usable()), "{{budget}}")
    .bad_above(0.8, 1.0);
    let over = Draft::stat(Text {
        title: "Over budget",
        unit: "short",
        description: "Permits that are outstanding beyond what may be leased. Good: zero. Anything \
            else after a budget was lowered: it ends as connections are closed. Otherwise look at \
            the backend now, it may be refusing connections.",
        no_value: NO_ANSWER,
    })
    .query(
        said(&OUTSTANDING).less(&gauge(&BUDGET).less(&gauge(&MARGIN))).max().not_negative(),
        "over",
    )
    // What was said long ago is no value.
    .instant()
    .bad_from(1.0);
    let without = Draft::stat(Text {
        title: "Without a lease",
        unit: "short",
        description: "Replicas that have no lease that runs: they use their floor, a share without a \
            lease, or nothing. Good: zero. All of them: the engine cannot be reached. One: its \
            network, or another process took its name; see State.",
        no_value: NO_LEASE,
    })
    .query(gauge_where(&LEASE_INFO, &STATE, WITHOUT_LEASE).sum(), "replicas")
    .bad_from(1.0);
    let hungry = Draft::stat(Text {
        title: "Hungry replicas",
        unit: "short",
        description: "Replicas that have less than their fair share, because others have not given \
            theirs back yet. Good: zero, but for seconds after a change. For longer: replicas hold \
            on to connections, see Held by replica.",
        no_value: NO_ANSWER,
    })
    .query(said(&HUNGRY_REPLICAS).max(), "hungry")
    .instant()
    .notable_from(1.0);
    let unfenced = Draft::stat(Text {
        title: "Unfenced",
        unit: "short",
        description: "Permits of replicas that are gone and whose connections nobody has closed yet. \
            Good: zero, but for seconds after a crash. For longer: nobody can close them, see \
            Fencing.",
        no_value: NO_ANSWER,
    })
    .query(said(&UNFENCED).max(), "unfenced")
    .instant()
    .notable_from(1.0);
    let success = Draft::stat(Text {
        title: "Renewals granted",
        unit: "percentunit",
        description: "Share of renewals that the engine answered with a grant. Good: 100 %. Below \
            99 %: Renewals by outcome says whether it is slow, unreachable, or refuses.",
        no_value: NO_RENEWALS,
    })
    .query(renewed(), "granted")
    .bad_below(0.99, 0.9);
    Line { height: 4, panels: vec![used, over, without, hungry, unfenced, success] }
}
