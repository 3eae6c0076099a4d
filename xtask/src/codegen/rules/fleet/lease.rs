//! Whether leases are renewed, and what replicas do whose lease is not.

use floodway_metrics::{
    ComponentKind::Fleet,
    catalogue::fleet::{LEASE_INFO, OUTCOME, RENEWALS, STATE},
};

use super::super::{
    alert::{Alert, Severity},
    example::{Given, elsewhere, example, given},
};
use crate::codegen::promql::{
    Expr,
    rule::{by_instance, by_job, series},
};

const UNREACHABLE: &str = "FloodwayFleetEngineUnreachable";
const UNREACHABLE_WHEN: &str = "no replica of a job, or one of them, has a renewal granted, because the engine fails or does not answer, for 4 minutes";

/// Where requests fail and none is granted.
fn none_renewed(labels: &[&str]) -> Expr {
    ended(&["timed_out", "failed"], labels).unless(&ended(&["granted"], labels))
}

/// Where requests end with one of `outcomes`.
fn ended(outcomes: &[&str], labels: &[&str]) -> Expr {
    series(&RENEWALS).only(&OUTCOME, outcomes).rate("2m").sum_by(labels).above(0)
}

fn renewals(failed: &str, granted: &str) -> [Given; 2] {
    [("failed", failed), ("granted", granted)]
        .map(|(outcome, values)| given(&RENEWALS, &[(&OUTCOME, outcome)], values))
}

pub(super) fn engine_unreachable() -> Alert {
    Alert {
        name: UNREACHABLE,
        severity: Severity::Critical,
        expr: none_renewed(&by_job(Fleet)),
        lasts: "2m",
        labels: by_job(Fleet),
        when: UNREACHABLE_WHEN,
        summary: "No replica of {{ $labels.job }} reaches the engine of {{ $labels.budget }}",
        description: "{{ $value | humanize }} renewals per second fail and none is granted: replicas \
            use their floors, and new ones have no permits.",
        fires: example("10m", renewals("0+300x20", "6000x20")),
        shows: "5",
        silent: vec![
            example("10m", renewals("0+300x20", "0+1x20")).note("some are granted"),
            example("10m", renewals("0x5 300x15", "6000x20")).note("a single failover"),
        ],
    }
}

pub(super) fn replica_cut_off() -> Alert {
    let job = by_job(Fleet);
    let beside = |failed, granted| {
        let other = given(&RENEWALS, &[(&OUTCOME, "granted")], "0+60x20");
        let own = renewals(failed, granted).into_iter();
        own.chain([elsewhere(other)]).collect::<Vec<_>>()
    };
    Alert {
        name: UNREACHABLE,
        severity: Severity::Warning,
        // Where none is, the other alert says so.
        expr: none_renewed(&by_instance(Fleet)).and_on(&job, &ended(&["granted"], &job)),
        lasts: "2m",
        labels: by_instance(Fleet),
        when: UNREACHABLE_WHEN,
        summary: "{{ $labels.instance }} does not reach the engine of {{ $labels.budget }}",
        description: "{{ $value | humanize }} of its renewals per second fail and none is granted, \
            while those of others are.",
        fires: example("10m", beside("0+120x20", "6000x20")),
        shows: "2",
        silent: vec![example("10m", beside("0+120x20", "0+1x20")).note("some are granted")],
    }
}

const FALLBACK: &str = "FloodwayFleetFallback";
const FALLBACK_WHEN: &str = "a replica has no permits at all, or runs on its floor or its share without a lease, for 2 minutes";

fn in_state(states: &[&str]) -> Expr {
    series(&LEASE_INFO).only(&STATE, states).now().sum_by(&by_instance(Fleet)).above(0)
}

fn states(first: (&str, &str), second: (&str, &str)) -> [Given; 2] {
    [first, second].map(|(state, values)| given(&LEASE_INFO, &[(&STATE, state)], values))
}

pub(super) fn without_permits() -> Alert {
    Alert {
        name: FALLBACK,
        severity: Severity::Critical,
        expr: in_state(&["none", "superseded"]),
        lasts: "2m",
        labels: by_instance(Fleet),
        when: FALLBACK_WHEN,
        summary: "{{ $labels.instance }} has no permits of {{ $labels.budget }}",
        description: "It never had a lease, all of it has ended, or another process has taken its \
            name: it refuses whatever needs a permit.",
        fires: example("5m", states(("superseded", "1x10"), ("none", "0x10"))),
        shows: "",
        silent: vec![
            example("5m", states(("superseded", "0x10"), ("none", "1 0x9"))).note("it began"),
            example("5m", states(("released", "1x10"), ("none", "0x10"))).note("it goes"),
        ],
    }
}

pub(super) fn fallback() -> Alert {
    Alert {
        name: FALLBACK,
        severity: Severity::Warning,
        expr: in_state(&["reused", "floor", "unleased"]),
        lasts: "2m",
        labels: by_instance(Fleet),
        when: FALLBACK_WHEN,
        summary: "{{ $labels.instance }} runs without a lease of {{ $labels.budget }}",
        description: "Its burst has lapsed: it uses its floor, or the share that it may have without \
            a lease.",
        // From one to the other it is the same trouble.
        fires: example("5m", states(("floor", "0x3 1x7"), ("reused", "1x3 0x7"))),
        shows: "",
        silent: vec![
            example("5m", states(("floor", "0 1 0x8"), ("reused", "0x10"))).note("a lapse"),
            example("5m", states(("floor", "0x10"), ("leased", "1x10"))),
        ],
    }
}
