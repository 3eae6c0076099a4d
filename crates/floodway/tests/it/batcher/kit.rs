//! What the tests of batchers share: a downstream that is watched, and numbers by name.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use floodway::{
    BatchError, BatchSizing, Batcher, Clock, Registry,
    batcher::{BatcherBuilder, Call},
};
use floodway_metrics::{Metric, catalogue::batcher as catalogue};
use tokio::{
    sync::Semaphore,
    task::{JoinHandle, yield_now},
    time::timeout,
};

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

impl Downstream {
    /// A batcher in front of it that does what `judge` says of the batch once it was let through.
    pub(crate) fn judging<K: floodway::batcher::Key, D: floodway::batcher::Key>(
        &self,
        builder: BatcherBuilder<u32, u64, Trouble, K, D>,
        judge: impl Fn(&[u32]) -> Answers + Send + Sync + 'static,
    ) -> Batcher<u32, u64, Trouble> {
        let (downstream, judge) = (self.clone(), Arc::new(judge));
        builder
            .build(move |items| {
                let (downstream, judge) = (downstream.clone(), Arc::clone(&judge));
                async move {
                    downstream.take(&items).await;
                    judge(&items)
                }
            })
            .unwrap()
    }
}

/// The answers to all items: the double of each.
pub(crate) fn doubled(items: &[u32]) -> Answers {
    Ok(items.iter().map(|item| Ok(u64::from(*item) * 2)).collect())
}

/// What a batch function gives.
pub(crate) type Answers = Result<Vec<Result<u64, Trouble>>, Trouble>;

pub(crate) type Answer = Result<u64, BatchError<Trouble>>;

/// Calls in tasks of their own, which wait by the time that this returns.
pub(crate) async fn calls(
    batcher: &Batcher<u32, u64, Trouble>,
    items: impl IntoIterator<Item = u32>,
) -> Vec<JoinHandle<Answer>> {
    let calls = items.into_iter().map(|item| tokio::spawn(batcher.call(item))).collect();
    settle().await;
    calls
}

/// What all of them came to; a panic of a call is one here.
pub(crate) async fn answers(calls: Vec<JoinHandle<Answer>>) -> Vec<Answer> {
    let mut answers = Vec::with_capacity(calls.len());
    for call in calls {
        answers.push(ends(call).await.expect("the call does not panic"));
    }
    answers
}

/// The answer of each was its double.
#[track_caller]
pub(crate) fn check_doubled(items: impl IntoIterator<Item = u32>, answers: Vec<Answer>) {
    let answers: Vec<u64> = answers.into_iter().map(|answer| answer.expect("an answer")).collect();
    assert_eq!(answers, items.into_iter().map(|item| u64::from(item) * 2).collect::<Vec<_>>());
}

/// A word for each answer, to compare.
pub(crate) fn word(answer: &Answer) -> String {
    match answer {
        Ok(answer) => answer.to_string(),
        Err(BatchError::Item(trouble)) => format!("item {trouble}"),
        Err(BatchError::Batch(trouble)) => format!("batch {trouble}"),
        Err(BatchError::Panicked(panic)) => format!("panic {}", panic.message()),
        Err(BatchError::Mismatched { items, answers }) => format!("{answers} for {items}"),
        Err(BatchError::Rejected(rejected)) => rejected.to_string(),
        Err(other) => format!("{other:?}"),
    }
}

pub(crate) fn words(answers: &[Answer]) -> Vec<String> {
    answers.iter().map(word).collect()
}

/// Lets everybody run who can, on a runtime with one thread; no time passes.
pub(crate) async fn settle() {
    for _ in 0..64 {
        yield_now().await;
    }
}

/// The output of what is to end, and not to hang for a day.
#[track_caller]
pub(crate) fn ends<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let location = std::panic::Location::caller();
    async move {
        let ended = timeout(Duration::from_secs(86_400), future).await;
        ended.unwrap_or_else(|_| panic!("it hangs: {location}"))
    }
}

/// Polls a call once, for the first time; it waits.
#[track_caller]
pub(crate) fn waits<T, U: std::fmt::Debug, E: std::fmt::Debug>(call: &mut Call<T, U, E>) {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let poll = std::pin::Pin::new(call).poll(&mut context);
    assert!(poll.is_pending(), "it does not wait: {poll:?}");
}

/// Nothing waits, nothing runs.
#[track_caller]
pub(crate) fn check_idle<T, U, E>(batcher: &Batcher<T, U, E>) {
    let snapshot = batcher.snapshot();
    assert_eq!((snapshot.queued, snapshot.in_flight), (0, 0), "queued, in flight");
}

/// What became of items and how batches ended: those that are not named are zero.
#[track_caller]
pub(crate) fn check_outcomes(registry: &Registry, items: &[(&str, u32)], batches: &[(&str, u32)]) {
    for (metric, label, expected) in [
        (&catalogue::ITEMS, &catalogue::ITEM_OUTCOME, items),
        (&catalogue::BATCHES, &catalogue::BATCH_OUTCOME, batches),
    ] {
        for value in label.values {
            let named = expected.iter().find(|(name, _)| name == value);
            let found = number(registry, metric, value);
            assert_eq!(found, named.map_or(0.0, |(_, n)| f64::from(*n)), "{} {value}", metric.name);
        }
    }
}

/// All items that have an outcome.
#[track_caller]
pub(crate) fn all_items(registry: &Registry) -> f64 {
    number(registry, &catalogue::ITEMS, "")
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
