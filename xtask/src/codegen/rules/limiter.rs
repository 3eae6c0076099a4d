//! Rules about limiters.

mod budget;
mod flow;
mod limit;

use super::{alert::Alert, recording::Recording};

pub(super) fn recordings() -> Vec<Recording> {
    let mut recordings: Vec<_> =
        ["5m", "30m", "1h", "6h"].into_iter().map(budget::rejected_ratio).collect();
    recordings.extend([flow::saturated(), flow::utilization(), flow::wait_p99()]);
    recordings
}

pub(super) fn alerts() -> Vec<Alert> {
    vec![
        budget::fast_burn(),
        budget::slow_burn(),
        flow::wait_high(),
        flow::saturated_for_long(),
        flow::stuck(),
        flow::permit_leak(),
        limit::pinned(),
        limit::flapping(),
        limit::in_shadow(),
        limit::keys_overflowing(),
        limit::impossible(),
    ]
}
