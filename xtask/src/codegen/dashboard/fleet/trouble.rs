//! The row about what goes wrong between replicas: who has too little, who is gone, who disagrees.

use floodway_metrics::catalogue::fleet::{
    BUDGET_DISAGREEMENT, FENCE_FAILURES, FENCED_CONNECTIONS, HUNGRY_REPLICAS, LAPSES, REPLICAS,
};

use super::{Draft, Line, NAME, NO_ANSWER, NO_LEASE, Text, said};
use crate::codegen::promql::{gauge, rate};

pub(super) fn trouble() -> Line {
    let replicas = Draft::time_series(Text {
        title: "Replicas",
        unit: "short",
        description: "Replicas with a lease that runs, and those of them that have less than their \
            fair share. Good: as many as you run, none hungry but for seconds. Hungry for long: \
            others do not close what they were asked to give back. More replicas than usable permits: \
            each can have one only for a while.",
        no_value: NO_ANSWER,
    })
    .query(said(&REPLICAS).max_by(NAME), "{{budget}} replicas")
    .query(said(&HUNGRY_REPLICAS).max_by(NAME), "{{budget}} hungry");
    let lapses = Draft::time_series(Text {
        title: "Lapses",
        unit: "opm",
        description: "Bursts per minute that ended without a renewal, so that a replica fell back to \
            its floor. Good: none. A few on one replica: it was paused, or its network. On all: the \
            engine.",
        no_value: NO_LEASE,
    })
    .query(rate(&LAPSES).sum_by(NAME).times(60), "{{budget}}");
    let fencing = Draft::time_series(Text {
        title: "Fencing",
        unit: "opm",
        description: "Connections of replicas that are gone, which others have terminated, per \
            minute, and attempts at it that failed. Good: some after a crash, no failures. Failures: \
            the role may not see or terminate the connections of others; the log says so.",
        no_value: NO_LEASE,
    })
    .query(rate(&FENCED_CONNECTIONS).sum_by(NAME).times(60), "{{budget}} terminated")
    .query(rate(&FENCE_FAILURES).sum_by(NAME).times(60), "{{budget}} failures");
    let disagreement = Draft::time_series(Text {
        title: "Budgets that differ",
        unit: "short",
        description: "1 where replicas declare different budgets or margins. Good: 0, but for a \
            rollout that changes them. The lowest is in force unless an operator has set one, so \
            nothing is overrun, and less is used than somebody believes.",
        no_value: NO_LEASE,
    })
    .query(gauge(&BUDGET_DISAGREEMENT).max_by(NAME), "{{budget}}");
    Line { height: 8, panels: vec![replicas, lapses, fencing, disagreement] }
}
