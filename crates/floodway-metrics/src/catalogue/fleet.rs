//! The metrics of leases, by which replicas share the budget of a fleet.
//!
//! Each replica exports its own lease, and what the engine said of the whole fleet in the last reply
//! that this replica had: of the latter, replicas say the same but for their age, so take the highest
//! of them and do not add them up.

use super::metrics;
use crate::{Buckets, Kind, Label};

/// What the permits of a replica come from. `none`: no lease, so no permits; `learning`: a lease of an
/// engine that has lost what it knew and grants no increases yet; `leased`: a lease; `reused`: a burst
/// that has lapsed and is used beyond its end; `floor`: the floor alone, after the burst has lapsed;
/// `unleased`: the part that every replica may use without a lease; `superseded`: another process has
/// taken the replica's name; `released`: everything was given back.
pub static STATE: Label = Label {
    name: "state",
    values: &[
        "none",
        "learning",
        "leased",
        "reused",
        "floor",
        "unleased",
        "superseded",
        "released",
    ],
};
/// What became of a request to the engine. `granted`: an answer that counts; `refused`: another
/// process has taken the replica's name; `timed_out`: no answer in time; `failed`: the engine could
/// not be reached, or did not do it; `ignored`: an answer to a request that had become void.
pub static OUTCOME: Label =
    Label { name: "outcome", values: &["granted", "refused", "timed_out", "failed", "ignored"] };
/// Which way a grant moved.
pub static DIRECTION: Label = Label { name: "direction", values: &["up", "down"] };

metrics! { Fleet;
    /// Permits that the fleet shares, as in force at the last reply: what an operator has set, or the lowest that a replica declares; as declared here before.
    BUDGET = "fleet_budget", Kind::Gauge, Permits;
    /// Part of the budget that is never leased, as in force at the last reply; as declared here before.
    MARGIN = "fleet_margin", Kind::Gauge, Permits;
    /// Permits that this replica may use now, whatever they come from; 0 without any.
    GRANTED = "fleet_granted", Kind::Gauge, Permits;
    /// Permits that stay with this replica when its burst lapses, for as long as its floor lasts.
    FLOOR = "fleet_floor", Kind::Gauge, Permits;
    /// Permits that are in use or connections that are open here, whichever is more: after a shrink more than granted until they are closed.
    HELD = "fleet_held", Kind::Gauge, Permits;
    /// Permits that this replica could use: the peak of what was in use and what waited.
    WANTED = "fleet_wanted", Kind::Gauge, Permits;
    /// Permits of the whole fleet that are granted or held, whichever is more of each replica, and those that gone replicas have left behind, as of the last reply; never more than the budget less its margin, unless more was held when the budget was lowered.
    OUTSTANDING = "fleet_outstanding", Kind::Gauge, Permits;
    /// Part of the outstanding permits that belongs to replicas that are gone, until their connections are closed or nobody can use them any more, as of the last reply.
    UNFENCED = "fleet_unfenced", Kind::Gauge, Permits;
    /// Replicas with a lease that runs, as of the last reply.
    REPLICAS = "fleet_replicas", Kind::Gauge, Replicas;
    /// Replicas that have less than their fair share, because others have not given theirs back yet, as of the last reply.
    HUNGRY_REPLICAS = "fleet_hungry_replicas", Kind::Gauge, Replicas;
    /// What the permits of this replica come from: 1 for the one that applies.
    LEASE_INFO = "fleet_lease_info", Kind::Gauge, Boolean, labels: &[&STATE];
    /// Time since the request was sent that the last reply answered; since the lease began before there was one.
    LEASE_AGE = "fleet_lease_age_seconds", Kind::Gauge, Seconds;
    /// Time until what this replica may use now lapses without a renewal; 0 where it has no end or is nothing.
    LEASE_REMAINING = "fleet_lease_remaining_seconds", Kind::Gauge, Seconds;
    /// Whether replicas declare different budgets or margins, of which the lowest is in force unless an operator has set another, as of the last reply.
    BUDGET_DISAGREEMENT = "fleet_budget_disagreement", Kind::Gauge, Boolean;
    /// Requests to the engine that ended, by what became of them.
    RENEWALS = "fleet_renewals_total", Kind::Counter, Events, labels: &[&OUTCOME];
    /// Moves of what this replica may use, by direction.
    GRANT_CHANGES = "fleet_grant_changes_total", Kind::Counter, Events, labels: &[&DIRECTION];
    /// Times that a burst of this replica ended without a renewal.
    LAPSES = "fleet_lapses_total", Kind::Counter, Events;
    /// Connections of gone replicas that this replica has terminated.
    FENCED_CONNECTIONS = "fleet_fenced_connections_total", Kind::Counter, Connections;
    /// Times that this replica could not close what gone replicas had left behind.
    FENCE_FAILURES = "fleet_fence_failures_total", Kind::Counter, Events;
    /// Time from sending a request to the engine to its answer, of those that were answered.
    RENEWAL_DURATION = "fleet_renewal_duration_seconds", Kind::Histogram(Buckets::DURATIONS), Seconds;
}
