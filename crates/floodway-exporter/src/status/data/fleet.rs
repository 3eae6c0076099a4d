//! The row of a lease: this replica's part of a budget, and what the engine says of the fleet.

use floodway_metrics::catalogue::fleet::{
    BUDGET, BUDGET_DISAGREEMENT, FENCE_FAILURES, FENCED_CONNECTIONS, FLOOR, GRANT_CHANGES, GRANTED,
    HELD, HUNGRY_REPLICAS, LAPSES, LEASE_AGE, LEASE_INFO, LEASE_REMAINING, MARGIN, OUTSTANDING,
    RENEWAL_DURATION, RENEWALS, REPLICAS, STATE, UNFENCED, WANTED,
};
use serde::Serialize;

use super::{
    super::change::{Change, Labelled},
    known,
};

/// Amounts are in permits, durations in seconds.
#[derive(Clone, Debug, Default, Serialize)]
pub(in crate::status) struct FleetRow {
    /// Of the budget.
    pub(in crate::status) name: String,
    pub(in crate::status) state: Option<&'static str>,
    pub(in crate::status) granted: Option<f64>,
    pub(in crate::status) floor: Option<f64>,
    pub(in crate::status) held: Option<f64>,
    pub(in crate::status) wanted: Option<f64>,
    /// Until what is granted lapses; `None` where it has no end, or is nothing.
    pub(in crate::status) lease_remaining: Option<f64>,
    pub(in crate::status) lease_age: Option<f64>,
    pub(in crate::status) budget: Option<f64>,
    pub(in crate::status) margin: Option<f64>,
    /// The budget less its margin.
    pub(in crate::status) usable: Option<f64>,
    pub(in crate::status) outstanding: Option<f64>,
    pub(in crate::status) unfenced: Option<f64>,
    pub(in crate::status) replicas: Option<f64>,
    pub(in crate::status) hungry_replicas: Option<f64>,
    /// Whether replicas declare different budgets.
    pub(in crate::status) disagreement: bool,
    pub(in crate::status) renewals: Vec<Labelled>,
    pub(in crate::status) grant_changes: Vec<Labelled>,
    pub(in crate::status) lapses: Option<f64>,
    pub(in crate::status) fenced_connections: Option<f64>,
    pub(in crate::status) fence_failures: Option<f64>,
    pub(in crate::status) renewal_p50: Option<f64>,
    pub(in crate::status) renewal_p99: Option<f64>,
}

pub(super) fn fleet_row(change: &Change<'_>) -> FleetRow {
    let (budget, margin) = (change.gauge(&BUDGET), change.gauge(&MARGIN));
    FleetRow {
        name: change.name.to_owned(),
        state: change.which(&LEASE_INFO, &STATE),
        granted: change.gauge(&GRANTED),
        floor: change.gauge(&FLOOR),
        held: change.gauge(&HELD),
        wanted: change.gauge(&WANTED),
        lease_remaining: known(change.gauge(&LEASE_REMAINING)),
        lease_age: change.gauge(&LEASE_AGE),
        budget,
        margin,
        usable: budget.zip(margin).map(|(budget, margin)| (budget - margin).max(0.0)),
        outstanding: change.gauge(&OUTSTANDING),
        unfenced: change.gauge(&UNFENCED),
        replicas: change.gauge(&REPLICAS),
        hungry_replicas: change.gauge(&HUNGRY_REPLICAS),
        disagreement: change.gauge(&BUDGET_DISAGREEMENT).is_some_and(|one| one > 0.0),
        renewals: change.by_label(&RENEWALS),
        grant_changes: change.by_label(&GRANT_CHANGES),
        lapses: change.gauge(&LAPSES),
        fenced_connections: change.gauge(&FENCED_CONNECTIONS),
        fence_failures: change.gauge(&FENCE_FAILURES),
        renewal_p50: change.quantile(&RENEWAL_DURATION, 0.5),
        renewal_p99: change.quantile(&RENEWAL_DURATION, 0.99),
    }
}
