//! The rows about the lease of a replica: what it allows, what it comes from, how it is renewed.

use floodway_metrics::catalogue::fleet::{
    DIRECTION, FLOOR, GRANT_CHANGES, GRANTED, HELD, LEASE_AGE, LEASE_INFO, LEASE_REMAINING,
    OUTCOME, RENEWAL_DURATION, RENEWALS, STATE, WANTED,
};

use super::{Draft, Line, NAME, NO_LEASE, NO_RENEWALS, Text};
use crate::codegen::promql::{gauge, rate};

/// Of each [`STATE`], in its order: green is a lease, yellow and orange are less than one.
const STATE_COLORS: &[&str] =
    &["red", "yellow", "green", "light-orange", "orange", "purple", "dark-red", "light-blue"];

pub(super) fn lease() -> Line {
    let lease = Draft::time_series(Text {
        title: "Lease",
        unit: "short",
        description: "Of the replicas selected above, together: permits that they may use (granted), \
            hold, could use (wanted), and keep when their bursts lapse (floor, dashed). Choose one at \
            Instance to see its own lease. Good: held follows wanted, below granted. Wanted above \
            granted: the budget is exhausted, or others give back late. Held above granted for longer \
            than a transaction: connections are not closed after a shrink.",
        no_value: NO_LEASE,
    })
    .query(gauge(&GRANTED).sum_by(NAME), "{{budget}} granted")
    .query(gauge(&HELD).sum_by(NAME), "{{budget}} held")
    .query(gauge(&WANTED).sum_by(NAME), "{{budget}} wanted")
    .bound(gauge(&FLOOR).sum_by(NAME), "{{budget}} floor");
    let state = Draft::time_series(Text {
        title: "State",
        unit: "short",
        description: "Replicas by what their permits come from, on top of one another; choose one at \
            Instance for its own history. Good: leased (green). Learning: the engine lost what \
            it knew and grants nothing new for some seconds. Reused, floor, unleased: the engine is \
            not reached. None: no permits at all. Superseded: another process took the replica's \
            name. Released: it has gone in good order.",
        no_value: NO_LEASE,
    })
    .query(gauge(&LEASE_INFO).sum_by(&["budget", STATE.name]), "{{budget}} {{state}}")
    .states(&STATE, STATE_COLORS);
    Line { height: 9, panels: vec![lease, state] }
}

pub(super) fn renewals() -> Line {
    let outcomes = Draft::time_series(Text {
        title: "Renewals by outcome",
        unit: "ops",
        description: "Requests to the engine per second that ended, by what became of them. Good: \
            granted, about one per replica and second. Failed: it cannot be reached. Timed out: it \
            is overloaded, or the way to it loses packets. Refused: two processes have one replica's \
            name. Ignored: answers that came too late to count.",
        no_value: NO_LEASE,
    })
    .query(rate(&RENEWALS).sum_by(&["budget", OUTCOME.name]), "{{budget}} {{outcome}}");
    let duration = Draft::time_series(Text {
        title: "Renewal duration",
        unit: "s",
        description: "Time from sending a request to the engine to its answer. Good: milliseconds. \
            Calls never wait for it; near the time between renewals, leases lapse under load: look \
            at the engine, or lengthen refresh and ttl.",
        no_value: NO_RENEWALS,
    })
    .percentiles(&RENEWAL_DURATION);
    Line { height: 9, panels: vec![outcomes, duration] }
}

pub(super) fn times() -> Line {
    let remaining = Draft::time_series(Text {
        title: "Time until a lapse",
        unit: "s",
        description: "Time until what a replica may use lapses without a renewal, of the replica that \
            has the least. Good: between three quarters of the ttl and a refresh less: with the \
            defaults, 2 to 3 s. Dips to zero: renewals come late. Minutes: all are on their floors. \
            Nothing where no replica has permits that end.",
        no_value: NO_LEASE,
    })
    .query(gauge(&LEASE_REMAINING).nonzero().min_by(NAME), "{{budget}}");
    let age = Draft::time_series(Text {
        title: "Age of the last reply",
        unit: "s",
        description: "Time since the request that the last reply answered, of the replica for which \
            it is longest. Good: below the time between renewals. Growing as time does: that replica \
            does not reach the engine.",
        no_value: NO_LEASE,
    })
    .query(gauge(&LEASE_AGE).max_by(NAME), "{{budget}}");
    let changes = Draft::time_series(Text {
        title: "Grant changes",
        unit: "opm",
        description: "Moves of what replicas may use, per minute. Good: follows the load. Hundreds \
            per replica: load that jumps from replica to replica, or floors so low that every request \
            moves a permit; raise the floor.",
        no_value: NO_LEASE,
    })
    .query(
        rate(&GRANT_CHANGES).sum_by(&["budget", DIRECTION.name]).times(60),
        "{{budget}} {{direction}}",
    );
    Line { height: 8, panels: vec![remaining, age, changes] }
}
