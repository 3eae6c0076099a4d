//! How many items go into one batch, and when it goes.

mod types;

use std::time::Duration;

pub use self::types::{
    BatchBound, BatchConfig, BatchDecision, BatchEstimate, BatchQueue, BatchRun, BatchSizing,
    BatchTarget, BatchTrigger, Dispatch,
};
use crate::InvalidParameter;

/// Sizes the batches of one downstream and says when one goes.
#[derive(Clone, Debug)]
pub struct BatchSizer {
    config: BatchConfig,
    dispatched: u64,
}

impl BatchSizer {
    /// # Errors
    ///
    /// If a field of `config` is outside what it allows; the error names it and its value.
    pub fn new(config: BatchConfig) -> Result<Self, InvalidParameter> {
        config.check()?;
        Ok(Self { config, dispatched: 0 })
    }

    /// What to do with `queue` at `now`, while a slot is free and at least one item waits.
    ///
    /// Answers for one partition at a time, where there are several.
    #[must_use]
    pub fn decide(&mut self, _now: Duration, queue: &BatchQueue) -> BatchDecision {
        let items = self.target().items.min(queue.queued);
        BatchDecision::Dispatch(Dispatch { items, trigger: BatchTrigger::Idle, probe: false })
    }

    /// A batch goes: `items` and `weight` are what is really in it, which may be less than `dispatch`
    /// allows.
    pub fn dispatched(
        &mut self,
        now: Duration,
        dispatch: Dispatch,
        items: usize,
        weight: u64,
    ) -> BatchRun {
        self.dispatched += 1;
        BatchRun { started: now, items, weight, probe: dispatch.probe, number: self.dispatched }
    }

    /// The batch came back at `now` and was answered. One that failed as a whole says nothing
    /// about cost and is not recorded.
    pub fn record(&mut self, _now: Duration, _run: BatchRun) {}

    /// The downstream refused a batch of `weight` as too large.
    pub fn too_large(&mut self, _weight: u64) {}

    /// The most that a batch may weigh now.
    #[must_use]
    pub fn max_weight(&self) -> Option<u64> {
        self.config.max_weight
    }

    /// The most items that a batch has now, and why.
    #[must_use]
    pub fn target(&self) -> BatchTarget {
        let items = match self.config.sizing {
            BatchSizing::Fixed(size) => size,
            BatchSizing::Adaptive { max_size, .. } => max_size,
        };
        BatchTarget { items, bound: BatchBound::Max }
    }

    /// What it believes, for metrics.
    #[must_use]
    pub fn estimate(&self) -> BatchEstimate {
        BatchEstimate::default()
    }
}
