//! What goes into a [`BatchSizer`](super::BatchSizer) and what comes out.

use std::time::Duration;

use crate::InvalidParameter;

/// Most items of a batch that can be asked for.
const MAX_ITEMS: f64 = 1_048_576.0;

/// How many items a batch may have.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum BatchSizing {
    /// At most so many, and worth waiting for as long as the linger allows. Right where the
    /// downstream prescribes the size.
    Fixed(usize),
    /// At most as many as keep the overhead of a batch at a share of `overhead` of its time, from
    /// measured costs; never more than `max_size`. The size is a cap and nobody waits for it.
    Adaptive {
        /// The share of a batch's time that may be overhead, between 0 and 1.
        overhead: f64,
        /// Most items.
        max_size: usize,
    },
}

impl Default for BatchSizing {
    /// Adaptive: 5 % of overhead, 1,024 items.
    fn default() -> Self {
        Self::Adaptive { overhead: 0.05, max_size: 1_024 }
    }
}

/// The settings of a [`BatchSizer`](super::BatchSizer).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchConfig {
    /// How many items a batch may have.
    pub sizing: BatchSizing,
    /// How long an item may wait for others while a slot is free. `None`: 5 ms with adaptive
    /// sizing, nothing with a fixed size.
    pub max_linger: Option<Duration>,
    /// How long an item may take from its arrival to its answer; at most one in a hundred is to
    /// take longer, if that can be had.
    pub latency_objective: Option<Duration>,
    /// The most that a batch may weigh, in the caller's unit: bytes, parameters.
    pub max_weight: Option<u64>,
    /// Whether batches of another size are sent now and then to measure the overhead. Adaptive
    /// sizing only.
    pub probing: bool,
}

impl Default for BatchConfig {
    fn default() -> Self {
        Self {
            sizing: BatchSizing::default(),
            max_linger: None,
            latency_objective: None,
            max_weight: None,
            probing: true,
        }
    }
}

impl BatchConfig {
    pub(super) fn check(&self) -> Result<(), InvalidParameter> {
        let size = match self.sizing {
            BatchSizing::Fixed(size) => size,
            BatchSizing::Adaptive { overhead, max_size } => {
                InvalidParameter::check("overhead", overhead, 0.000_1, 0.999_9)?;
                max_size
            }
        };
        InvalidParameter::check("max_size", size as f64, 1.0, MAX_ITEMS)
    }
}

/// What waits, for one decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchQueue {
    /// Items that wait, at least one.
    pub queued: usize,
    /// What they weigh together; ignored without a maximum weight.
    pub weight: u64,
    /// When the oldest of them arrived.
    pub oldest: Duration,
    /// Items that have arrived so far, in all partitions, those that were sent included.
    pub arrived: u64,
    /// Partitions that have something waiting, this one included.
    pub partitions: usize,
    /// Batches that run.
    pub in_flight: usize,
    /// Batches that may run at once.
    pub slots: usize,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BatchDecision {
    /// Send a batch.
    Dispatch(Dispatch),
    /// Ask again once `items` are queued, when a batch comes back, or at `until`, whichever is
    /// first.
    Wait {
        /// How many queued items are worth another question; `usize::MAX` if none are.
        items: usize,
        /// The latest moment.
        until: Duration,
    },
}

/// A batch that is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dispatch {
    /// Most items to send, at least 1; the oldest first.
    pub items: usize,
    /// Why now.
    pub trigger: BatchTrigger,
    /// Whether its size was chosen to measure the overhead.
    pub probe: bool,
}

/// Why a batch went when it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BatchTrigger {
    /// Nothing was in flight.
    Idle,
    /// As many items waited as were needed.
    Size,
    /// As much weight waited as a batch may have.
    Weight,
    /// The oldest item had waited long enough.
    Linger,
    /// The oldest item would have missed the latency objective.
    Objective,
    /// The batch measures the overhead.
    Probe,
    /// The batcher is being drained: nothing waits for company any more.
    Drain,
}

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
    /// More would not bring the overhead down to less than was asked for.
    Overhead,
    /// More would take longer than the latency objective.
    Objective,
    /// Load is lower than what calls for more.
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

/// A batch on its way; given back with [`BatchSizer::record`](super::BatchSizer::record).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct BatchRun {
    pub(super) started: Duration,
    pub(super) items: usize,
    pub(super) weight: u64,
    pub(super) probe: bool,
    /// How long the oldest item had waited.
    pub(super) waited: Duration,
    /// Whether its size is that of the target, and not what happened to be there.
    pub(super) full: bool,
    pub(super) slots: usize,
    pub(super) in_flight: usize,
    /// Counts batches.
    pub(super) number: u64,
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
    /// How far the time of a batch is from what the model says, as a typical share of it.
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

impl BatchTrigger {
    /// Every trigger, in the order of the metric label `trigger`.
    pub const ALL: [Self; 7] = [
        Self::Idle,
        Self::Size,
        Self::Weight,
        Self::Linger,
        Self::Objective,
        Self::Probe,
        Self::Drain,
    ];

    /// Its position in [`ALL`](Self::ALL).
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

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
