//! What waits, and what is to happen with it.

use std::time::Duration;

/// What waits, for one decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchQueue {
    /// Items that wait, at least one.
    pub queued: usize,
    /// What they weigh together; ignored without a maximum weight.
    pub weight: u64,
    /// When the oldest of them arrived.
    pub oldest: Duration,
    /// Items that have arrived so far, in all partitions, those that were sent included; not those that
    /// join an item that waits.
    pub arrived: u64,
    /// Partitions that have something waiting, this one included.
    pub partitions: usize,
    /// Batches that run.
    pub in_flight: usize,
    /// Items that were sent, in all partitions, and whose callers have no answer yet. Not those of a
    /// batch that runs still but has given its answers: its callers may wait again already.
    pub unanswered: usize,
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
    /// Nothing was in flight, or nothing was to be waited for.
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
