//! What a [`BatchSizer`](super::BatchSizer) believes.

use std::time::Duration;

/// The most items that a batch has, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchTarget {
    /// Items.
    pub items: usize,
    /// What binds.
    pub bound: BatchBound,
}

/// What keeps batches from being larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BatchBound {
    /// More are not needed to bring the overhead down to what was asked for.
    Overhead,
    /// More would take longer than the latency objective.
    Objective,
    /// Load does not call for more: with batches of this size three tenths of the time that the items
    /// leave idle stay idle. Never binds a [`BatchTarget`], as a batch has more items if more of them wait.
    Load,
    /// More would be too heavy.
    Weight,
    /// More were not allowed.
    Max,
    /// Batching saves nothing here: the overhead is small beside an item.
    Unprofitable,
    /// Cost is not linear, and more items took longer per item than these.
    Observed,
    /// Too little was measured yet.
    WarmUp,
}

/// What a [`BatchSizer`](super::BatchSizer) believes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct BatchEstimate {
    /// The overhead α: what a batch costs whatever its size. `None` while nothing is known.
    pub overhead: Option<Duration>,
    /// The item cost β: what an item adds.
    pub item_cost: Option<Duration>,
    /// The part of the time of all recorded batches that was overhead, by the estimates of the
    /// moment, in seconds.
    pub overhead_seconds: f64,
    /// The rest of their time, in seconds.
    pub work_seconds: f64,
    /// What the same items would have cost in overhead as batches of one, beyond what they did
    /// cost, in seconds.
    pub avoided_seconds: f64,
    /// How far the time of a batch is from what the model says, as the mean absolute logarithm of their
    /// quotient: 0.3 is typically a third off. At most 1.
    pub residual: f64,
    /// Pairs of a probe and a regular batch that the estimate rests on.
    pub pairs: usize,
    /// How often the model was given up because the cost had changed.
    pub resets: u64,
    /// How often the target grew.
    pub target_ups: u64,
    /// How often the target shrank.
    pub target_downs: u64,
    /// The size that each bound allows on its own, by [`BatchBound::index`]; `None` where it
    /// allows any.
    pub bounds: [Option<usize>; BatchBound::ALL.len()],
}

/// The size that each bound allows, by [`BatchBound::index`].
pub(super) type Bounds = [Option<usize>; BatchBound::ALL.len()];

impl BatchBound {
    /// Every bound, in the order of the metric label `bound`.
    pub const ALL: [Self; 8] = [
        Self::Overhead,
        Self::Objective,
        Self::Load,
        Self::Weight,
        Self::Max,
        Self::Unprofitable,
        Self::Observed,
        Self::WarmUp,
    ];

    /// Its position in [`ALL`](Self::ALL).
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl BatchEstimate {
    /// The part of the time of all recorded batches that was overhead, 0 to 1; `None` while nothing is
    /// known.
    #[must_use]
    pub fn overhead_share(&self) -> Option<f64> {
        let time = self.overhead_seconds + self.work_seconds;
        (time > 0.0 && self.overhead.is_some()).then(|| self.overhead_seconds / time)
    }
}
