//! What the tests of batchers share: a downstream that is watched, and numbers by name.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use floodway::{BatchSizing, Batcher, Clock, Registry, batcher::BatcherBuilder};
use floodway_metrics::Metric;
use tokio::sync::Semaphore;

pub(crate) const MS: Duration = Duration::from_millis(1);

/// What a test downstream says of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// An item breaks a rule.
    Poison,
    /// The batch has too many items.
    TooLarge,
    /// The downstream is gone.
    Down,
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for Trouble {}

/// The batches that arrived, and a gate that holds them.
#[derive(Clone)]
pub(crate) struct Downstream {
    batches: Arc<Mutex<Vec<Vec<u32>>>>,
    gate: Arc<Semaphore>,
}

impl Downstream {
    /// Answers at once.
    pub(crate) fn open() -> Self {
        Self { batches: Arc::default(), gate: Arc::new(Semaphore::new(1_000_000)) }
    }

    /// Answers as many batches as are let through.
    pub(crate) fn gated() -> Self {
        Self { batches: Arc::default(), gate: Arc::new(Semaphore::new(0)) }
    }

    pub(crate) fn let_through(&self, batches: usize) {
        self.gate.add_permits(batches);
    }

    pub(crate) async fn take(&self, items: &[u32]) {
        self.batches.lock().unwrap().push(items.to_vec());
        self.gate.acquire().await.unwrap().forget();
    }

    /// Each batch, in the order in which they arrived.
    pub(crate) fn batches(&self) -> Vec<Vec<u32>> {
        self.batches.lock().unwrap().clone()
    }

    /// A batcher in front of it that answers with the double of each number.
    pub(crate) fn doubling<K: floodway::batcher::Key, D: floodway::batcher::Key>(
        &self,
        builder: BatcherBuilder<u32, u64, Trouble, K, D>,
    ) -> Batcher<u32, u64, Trouble> {
        let downstream = self.clone();
        builder
            .build(move |items| {
                let downstream = downstream.clone();
                async move {
                    downstream.take(&items).await;
                    Ok(items.into_iter().map(|item| Ok(u64::from(item) * 2)).collect())
                }
            })
            .unwrap()
    }
}

/// In a registry of its own and on tokio's clock, one batch at a time, of any size up to 1,024.
pub(crate) fn builder() -> (Registry, BatcherBuilder<u32, u64, Trouble>) {
    let registry = Registry::new();
    let builder = Batcher::builder("test")
        .registry(&registry)
        .clock(Clock::tokio())
        .sizing(BatchSizing::Fixed(1_024))
        .max_in_flight(1);
    (registry, builder)
}

/// A number of the batcher; with the value of its label, if it has one.
#[track_caller]
pub(crate) fn number(registry: &Registry, metric: &'static Metric, label: &str) -> f64 {
    let labels = if label.is_empty() { vec!["test"] } else { vec!["test", label] };
    registry.snapshot().number(metric, &labels).unwrap()
}
