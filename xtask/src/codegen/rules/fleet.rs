//! Rules about budgets that replicas share: whether leases are renewed, and whether the budget suffices.

mod lease;

use floodway_metrics::{
    ComponentKind::Fleet,
    Metric,
    catalogue::fleet::{
        BUDGET, BUDGET_DISAGREEMENT, GRANTED, HELD, LEASE_AGE, LEASE_INFO, MARGIN, OUTSTANDING,
        REPLICAS, STATE, UNFENCED, WANTED,
    },
};

use super::{
    alert::{Alert, Severity},
    example::{Given, example, given},
};
use crate::codegen::promql::{
    Expr,
    rule::{by_instance, by_job, series},
};

pub(super) fn alerts() -> Vec<Alert> {
    vec![
        lease::engine_unreachable(),
        lease::replica_cut_off(),
        lease::without_permits(),
        lease::fallback(),
        held_over_budget(),
        leased_over_budget(),
        exhausted(),
        replicas_exceed_budget(),
        disagreement(),
        unfenced(),
    ]
}

/// What may be leased.
fn usable() -> Expr {
    series(&BUDGET).now().less(&series(&MARGIN).now())
}

/// What the engine says of the fleet, by job, of replicas that it has answered lately: whoever is cut
/// off goes on saying what it has heard last.
fn said(condition: &Expr) -> Expr {
    condition.and(&series(&LEASE_AGE).now().below(30)).highest_by(&by_job(Fleet))
}

const OVER_BUDGET: &str = "FloodwayFleetOverBudget";
const OVER_BUDGET_WHEN: &str = "replicas hold more than the whole budget, for 2 minutes; or more is outstanding than may be leased, for 10";

fn held_over_budget() -> Alert {
    let labels = by_job(Fleet);
    let given = |held| [given(&HELD, &[], held), given(&BUDGET, &[], "40x10")];
    Alert {
        name: OVER_BUDGET,
        severity: Severity::Critical,
        expr: series(&HELD).now().sum_by(&labels).more_than(&series(&BUDGET).now().max_by(&labels)),
        lasts: "2m",
        labels,
        when: OVER_BUDGET_WHEN,
        summary: "{{ $labels.job }} holds more of {{ $labels.budget }} than its budget",
        description: "Its replicas use {{ $value }} permits or connections together, which is more \
            than the whole budget: the backend may be refusing others.",
        fires: example("5m", given("41x10")),
        shows: "41",
        silent: vec![
            example("5m", given("40x10")).note("all of it, margin included"),
            example("5m", given("40 41 40x8")).note("once"),
        ],
    }
}

fn leased_over_budget() -> Alert {
    let given = |outstanding, age| {
        [
            given(&OUTSTANDING, &[], outstanding),
            given(&BUDGET, &[], "40x20"),
            given(&MARGIN, &[], "2x20"),
            given(&LEASE_AGE, &[], age),
        ]
    };
    Alert {
        name: OVER_BUDGET,
        severity: Severity::Warning,
        expr: said(&series(&OUTSTANDING).now().minus(&usable()).above(0)),
        lasts: "10m",
        labels: by_job(Fleet),
        when: OVER_BUDGET_WHEN,
        summary: "More of {{ $labels.budget }} is outstanding than may be leased",
        description: "By {{ $value }} permits, for ten minutes: replicas hold more connections than \
            the budget in force leaves them, and do not close them.",
        fires: example("15m", given("43x20", "1x20")),
        shows: "5",
        silent: vec![
            example("15m", given("38x20", "1x20")),
            example("15m", given("43x9 38x11", "1x20"))
                .note("it was lowered, and they were closed"),
            example("15m", given("43x20", "30+60x20")).note("that was long ago"),
        ],
    }
}

fn exhausted() -> Alert {
    let lacking = series(&WANTED).now().less(&series(&GRANTED).now()).above(0);
    let leased = series(&LEASE_INFO).only(&STATE, &["leased"]).now().is(1);
    let given = |wanted, leased| {
        [
            given(&WANTED, &[], wanted),
            given(&GRANTED, &[], "8x20"),
            given(&LEASE_INFO, &[(&STATE, "leased")], leased),
        ]
    };
    Alert {
        name: "FloodwayFleetBudgetExhausted",
        severity: Severity::Warning,
        expr: lacking.and_on(&by_instance(Fleet), &leased).total_by(&by_job(Fleet)),
        lasts: "10m",
        labels: by_job(Fleet),
        when: "replicas could use more than they are granted, for 10 minutes",
        summary: "The budget {{ $labels.budget }} does not suffice for {{ $labels.job }}",
        description: "Its replicas could use {{ $value }} permits more than they have: the whole \
            budget is granted, and callers queue.",
        fires: example("15m", given("11x20", "1x20")),
        shows: "3",
        silent: vec![
            example("15m", given("8x20", "1x20")).note("all of it is used, and nobody wants more"),
            example("15m", given("8x9 11x3 8x8", "1x20")).note("a burst"),
            example("15m", given("11x20", "0x20")).note("there is no lease: another alert"),
        ],
    }
}

fn replicas_exceed_budget() -> Alert {
    let given = |replicas| fleet(&REPLICAS, replicas);
    Alert {
        name: "FloodwayFleetReplicasExceedBudget",
        severity: Severity::Warning,
        expr: said(&series(&REPLICAS).now().more_than(&usable())),
        lasts: "10m",
        labels: by_job(Fleet),
        when: "there are more replicas than permits to share, for 10 minutes",
        summary: "More replicas than permits share {{ $labels.budget }}",
        description: "{{ $value }} replicas share fewer permits, so that some have none at any time, \
            and a floor cannot be kept.",
        fires: example("15m", given("39x20")),
        shows: "39",
        silent: vec![
            example("15m", given("38x20")),
            example("15m", given("38x5 60x9 38x6")).note("two generations during a rollout"),
        ],
    }
}

fn disagreement() -> Alert {
    let labels = by_job(Fleet);
    let disagree = |values| [given(&BUDGET_DISAGREEMENT, &[], values)];
    Alert {
        name: "FloodwayFleetBudgetDisagreement",
        severity: Severity::Warning,
        expr: series(&BUDGET_DISAGREEMENT).now().max_by(&labels).is(1),
        lasts: "15m",
        labels,
        when: "replicas declare different budgets or margins, for a quarter of an hour",
        summary: "Replicas declare different budgets for {{ $labels.budget }}",
        description: "The lowest is in force, unless an operator has set one: somebody's \
            configuration is not what it should be.",
        fires: example("20m", disagree("1x20")),
        shows: "",
        silent: vec![example("20m", disagree("0x3 1x10 0x7")).note("a rollout that changes it")],
    }
}

fn unfenced() -> Alert {
    let given = |unfenced| fleet(&UNFENCED, unfenced);
    Alert {
        name: "FloodwayFleetUnfenced",
        severity: Severity::Warning,
        expr: said(&series(&UNFENCED).now().above(0)),
        lasts: "5m",
        labels: by_job(Fleet),
        when: "permits of replicas that are gone are not free again, for 5 minutes",
        summary: "Permits of {{ $labels.budget }} are lost to replicas that are gone",
        description: "{{ $value }} permits count as held by replicas that are gone, because nobody \
            has closed their connections.",
        fires: example("10m", given("6x20")),
        shows: "6",
        silent: vec![example("10m", given("0x3 6x4 0x13")).note("a crash, and they were closed")],
    }
}

/// `metric` as the engine has just said it, of a budget of 40 with a margin of 2.
fn fleet(metric: &Metric, values: &str) -> [Given; 4] {
    [
        given(metric, &[], values),
        given(&BUDGET, &[], "40x20"),
        given(&MARGIN, &[], "2x20"),
        given(&LEASE_AGE, &[], "1x20"),
    ]
}
