//! Where the time is, for each kind of component.

use floodway_metrics::catalogue::{fan_out, limiter, pool};

use super::{Draft, Line, NO_CALLS, NO_COSTS, NO_POOL, NO_REQUESTS, Text};
use crate::codegen::promql::{quantile, sum_rate};

pub(super) fn lines() -> [Line; 2] {
    let limiters = Draft::time_series(Text {
        title: "Limiters: wait and hold p99",
        unit: "s",
        description: "Time to a permit, and time it is held. Good: waits far below holds, holds \
            constant whatever the load. Holds that grow: what is behind is slow. Waits alone: the \
            limit is below the traffic.",
        no_value: NO_REQUESTS,
    })
    .query(quantile(0.99, &["limiter"], &limiter::WAIT_DURATION).numbers(), "{{limiter}} wait")
    .query(quantile(0.99, &["limiter"], &limiter::HOLD_DURATION).numbers(), "{{limiter}} hold")
    .details("Limiters", super::super::limiter::UID);
    let pools = Draft::time_series(Text {
        title: "Pools: wait and use p99",
        unit: "s",
        description: "Time to a connection, and time it is used. Good: waits far below uses. Uses \
            that grow: slow queries, or work beside them while a connection is held. Waits alone: \
            too few connections, or connecting is slow.",
        no_value: NO_POOL,
    })
    .query(quantile(0.99, &["pool"], &pool::WAIT_DURATION).numbers(), "{{pool}} wait")
    .query(quantile(0.99, &["pool"], &pool::USE_DURATION).numbers(), "{{pool}} use")
    .details("Pools", super::super::pool::UID);
    let stragglers = Draft::time_series(Text {
        title: "Fan-outs: straggler share",
        unit: "percentunit",
        description: "Share of the time of calls that was spent after half of their items had \
            ended. Good: up to 50 %. Above 60 %: a few items decide how long a call takes; hedge \
            them, or give them a timeout.",
        no_value: NO_CALLS,
    })
    .query(
        sum_rate(&fan_out::STRAGGLER)
            .sum_by(&["fan_out"])
            .per(&sum_rate(&fan_out::DURATION).sum_by(&["fan_out"])),
        "{{fan_out}}",
    )
    .bad_above(0.6, 0.8)
    .up_to(1.0)
    .details("Fan-outs", super::super::fan_out::UID);
    let overhead = Draft::time_series(Text {
        title: "Batchers: overhead share",
        unit: "percentunit",
        description: "Share of the time of batches that they would have cost without any item. \
            Good: below 30 %, or anything while no item waits. Above while items queue: let \
            batches be larger.",
        no_value: NO_COSTS,
    })
    .query(super::super::batcher::overhead_share(|rate| rate.sum_by(&["batcher"])), "{{batcher}}")
    .bad_above(0.3, 0.5)
    .up_to(1.0)
    .details("Batchers", super::super::batcher::UID);
    [vec![limiters, pools], vec![stragglers, overhead]].map(|panels| Line { height: 7, panels })
}
