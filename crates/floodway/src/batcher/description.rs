//! What a batcher is told: the batch function, what is known of items, what failures are worth.

use std::{hash::Hash, pin::Pin, sync::Arc, time::Duration};

use super::{BatchError, OnBatchError, QueueFull};
use crate::{Clock, Outcome as Load};

/// What a caller gets.
pub(super) type Answer<U, E> = Result<U, BatchError<E>>;

/// What the batch function gives: a result for each item, or an error for all of them.
pub(super) type Output<U, E> = Result<Vec<Result<U, E>>, E>;

/// The batch function.
pub(super) type Run<T, U, E> =
    Arc<dyn Fn(Vec<T>) -> Pin<Box<dyn Future<Output = Output<U, E>> + Send>> + Send + Sync>;

/// What partitions and items are told apart by.
pub trait Key: Hash + Eq + Clone + Send + 'static {}

impl<K: Hash + Eq + Clone + Send + 'static> Key for K {}

pub(super) type Fun<T, V> = Arc<dyn Fn(&T) -> V + Send + Sync>;

/// Makes an answer for another caller.
pub(super) type Share<U, E> = fn(&Answer<U, E>) -> Answer<U, E>;

/// Makes items to be sent again.
pub(super) type Copies<T> = fn(&[T]) -> Vec<T>;

/// What is known of an item by looking at it.
pub(super) struct Keys<T, U, E, K, D> {
    pub(super) weigh: Option<Fun<T, u64>>,
    pub(super) partition: Option<Fun<T, K>>,
    pub(super) dedup: Option<Dedup<T, U, E, D>>,
}

/// Items of one key are sent once, and all their callers have the answer.
pub(super) struct Dedup<T, U, E, D> {
    pub(super) key: Fun<T, D>,
    pub(super) share: Share<U, E>,
}

/// What a batch that failed is worth.
pub(super) struct Failure<T, E> {
    pub(super) on_error: OnBatchError<E>,
    pub(super) too_large: Option<fn(&E) -> bool>,
    /// How items are copied that may be sent again; `None` if none is.
    pub(super) copy: Option<Copies<T>>,
    pub(super) load: Load,
}

// Not derived, because that would ask for clones of items and keys.
impl<T, U, E, K, D> Clone for Keys<T, U, E, K, D> {
    fn clone(&self) -> Self {
        let dedup = self.dedup.as_ref();
        let dedup = dedup.map(|dedup| Dedup { key: Arc::clone(&dedup.key), share: dedup.share });
        Self { weigh: self.weigh.clone(), partition: self.partition.clone(), dedup }
    }
}

impl<T, E> Clone for Failure<T, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, E> Copy for Failure<T, E> {}

/// Numbers of the configuration.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) name: Arc<str>,
    /// As configured; an item above it is refused.
    pub(super) max_weight: Option<u64>,
    pub(super) capacity: usize,
    pub(super) queue_full: QueueFull,
    pub(super) max_wait: Option<Duration>,
    pub(super) max_in_flight: usize,
    pub(super) abort_abandoned: bool,
    /// Whether the clock is read for each item.
    pub(super) timings: bool,
    pub(super) clock: Clock,
}
