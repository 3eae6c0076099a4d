//! A batcher at one moment.

use floodway_control::{BatchEstimate, BatchSizer, BatchTarget};

/// The state of a [`Batcher`](super::Batcher) at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct BatcherSnapshot {
    /// The most items that a batch has now, and what keeps it from being larger.
    pub target: BatchTarget,
    /// What is known of costs.
    pub estimate: BatchEstimate,
    /// The most that a batch may weigh now, in the unit of
    /// [`max_weight`](super::BatcherBuilder::max_weight): the configured maximum, or less if the
    /// downstream said that a batch was too large.
    pub max_weight: Option<u64>,
    /// Batches that were sent, and the items in them. Parts of a batch that was divided and further
    /// attempts are not counted.
    pub batches: u64,
    /// As [`batches`](Self::batches): the quotient is how large batches were on average.
    pub items: u64,
    /// Items that wait.
    pub queued: usize,
    /// Callers that may wait.
    pub queue_capacity: usize,
    /// Batches that run.
    pub in_flight: usize,
    /// Batches that may run at once.
    pub in_flight_limit: usize,
    /// Whether it accepts nothing any more.
    pub closed: bool,
}

impl BatcherSnapshot {
    /// With what the sizer knows, and nothing that waits or runs.
    pub(super) fn new(sizer: &BatchSizer) -> Self {
        Self {
            target: sizer.target(),
            estimate: sizer.estimate(),
            max_weight: sizer.max_weight(),
            batches: 0,
            items: 0,
            queued: 0,
            queue_capacity: 0,
            in_flight: 0,
            in_flight_limit: 0,
            closed: false,
        }
    }
}
