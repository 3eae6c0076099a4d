//! Why an item has no answer.

use std::{sync::Arc, time::Duration};

use crate::{Panic, Rejected};

/// Why [`Batcher::call`](super::Batcher::call) gave no answer; `E` is the error of the batch
/// function.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError<E> {
    /// The batch function said so of this item, or failed when it had this one alone: after
    /// [`Bisect`](super::OnBatchError::Bisect), and under light load, where most batches have one.
    #[error("the item failed")]
    Item(#[source] E),
    /// The batch function failed for a batch of several items; each of them has this error, and
    /// so have those that [`Bisect`](super::OnBatchError::Bisect) had no calls left to tell apart. What
    /// became of them downstream depends on the downstream.
    #[error("the batch of the item failed")]
    Batch(#[source] Arc<E>),
    /// The batch function panicked, or the clone of its answer for
    /// [another caller](super::BatcherBuilder::dedup_by).
    #[error("the batch function {0}")]
    Panicked(Arc<Panic>),
    /// The batch function gave another number of answers than it had items, so that nobody knows
    /// which is whose. They may all have been done.
    #[error("the batch function gave {answers} answers for {items} items")]
    Mismatched {
        /// What it was given.
        items: usize,
        /// What it gave.
        answers: usize,
    },
    /// The item was never sent.
    #[error(transparent)]
    Rejected(#[from] BatchRejected),
    /// The batch ended halfway, because its runtime was shut down or because all callers had gone
    /// and [`abort_abandoned`](super::BatcherBuilder::abort_abandoned) was asked for.
    #[error("the batch of the item was aborted")]
    Aborted,
}

impl<E> BatchError<E> {
    /// What the batch function said, of the item or of its batch; `None` if it said nothing.
    #[must_use]
    pub fn error(&self) -> Option<&E> {
        match self {
            Self::Item(error) => Some(error),
            Self::Batch(error) => Some(error),
            _ => None,
        }
    }
}

/// Why an item was refused before it was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BatchRejected {
    /// As many items wait as may.
    #[error("rejected: {capacity} callers wait, as many as may")]
    QueueFull {
        /// Callers that may wait.
        capacity: usize,
    },
    /// The item is heavier than a batch may be.
    #[error("rejected: the item weighs {weight}, and a batch at most {max}")]
    Weight {
        /// What it weighs.
        weight: u64,
        /// What a batch may weigh.
        max: u64,
    },
    /// The batcher is closed or being drained.
    #[error("rejected: the batcher is closed")]
    Closed,
    /// It has waited as long as it may.
    #[error("rejected: not sent within {max_wait:?}")]
    Expired {
        /// How long it may wait.
        max_wait: Duration,
    },
    /// A limiter does not admit a batch and will not: it is closed, or smaller than one permit. All that
    /// waited was refused.
    #[error("rejected: a limiter does not admit batches")]
    Limiter(#[source] Rejected),
}
