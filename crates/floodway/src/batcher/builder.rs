//! The description of a batcher, checked as a whole when it is built.

use std::{fmt, pin::Pin, sync::Arc, time::Duration};

use floodway_control::{BatchConfig, BatchSizer, BatchSizing, InvalidParameter};
use floodway_metrics::{ComponentKind, Registry, Source};
use tokio::sync::Semaphore;

use super::{
    Batcher, OnBatchError,
    cells::Cells,
    core::{Core, Engine},
    description::{Dedup, Failure, Key, Keys, Output, Run, Settings, Share},
    shared::Shared,
};
use crate::{BuildError, Clock, Instrumentation, Limiter, Outcome, Priority, admission::Admission};

/// Items that may wait, unless told otherwise.
const DEFAULT_CAPACITY: usize = 10_000;
/// Batches that may run at once where no limiter says it.
const DEFAULT_IN_FLIGHT: usize = 4;
/// The longest wait that can be asked for, in seconds: a day.
const LONGEST_WAIT: f64 = 86_400.0;

/// What a caller finds who comes to a full queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum QueueFull {
    /// Back-pressure: it waits for room, first come, first served. How many do is not bounded, and they
    /// are not among those that [wait](super::BatcherSnapshot::queued).
    #[default]
    Wait,
    /// [`BatchRejected::QueueFull`](super::BatchRejected::QueueFull), at once.
    Reject,
}

/// Describes a [`Batcher`]. Made by [`Batcher::builder`].
///
/// `K` tells partitions apart and `D` items that are the same; both are `()` unless asked for.
#[must_use]
pub struct BatcherBuilder<T, U, E, K = (), D = ()> {
    options: Options,
    keys: Keys<T, U, E, K, D>,
    failure: Failure<T, E>,
}

/// What does not depend on the items.
struct Options {
    name: String,
    sizer: BatchConfig,
    capacity: usize,
    queue_full: QueueFull,
    max_wait: Option<Duration>,
    max_in_flight: Option<usize>,
    limiters: Vec<Limiter>,
    priority: Priority,
    abort_abandoned: bool,
    instrumentation: Instrumentation,
    clock: Clock,
    registry: Registry,
}

impl<T, U, E> BatcherBuilder<T, U, E> {
    pub(super) fn new(name: String) -> Self {
        let options = Options {
            name,
            sizer: BatchConfig::default(),
            capacity: DEFAULT_CAPACITY,
            queue_full: QueueFull::default(),
            max_wait: None,
            max_in_flight: None,
            limiters: Vec::new(),
            priority: Priority::default(),
            abort_abandoned: false,
            instrumentation: Instrumentation::default(),
            clock: Clock::shared(),
            registry: Registry::global().clone(),
        };
        let failure = Failure {
            on_error: OnBatchError::Fail,
            too_large: None,
            copy: None,
            load: Outcome::Ignore,
        };
        Self { options, keys: Keys { weigh: None, partition: None, dedup: None }, failure }
    }
}

impl<T, U, E, K, D> BatcherBuilder<T, U, E, K, D> {
    /// How many items a batch may have; by default as many as keep the overhead at 5 % of a
    /// batch's time, at most 1,024.
    pub fn sizing(mut self, sizing: BatchSizing) -> Self {
        self.options.sizer.sizing = sizing;
        self
    }

    /// How long an item may wait for company while a batch could go. By default 5 ms, which adaptive
    /// sizing makes use of only under load that calls for it, and zero with a fixed size. Timers have a
    /// resolution of one millisecond.
    pub fn max_linger(mut self, linger: Duration) -> Self {
        self.options.sizer.max_linger = Some(linger);
        self
    }

    /// How long an item may take from its arrival to its answer. Batches are kept so small, and are
    /// sent so early, that not more than one in a hundred takes longer, where that is possible at all.
    pub fn latency_objective(mut self, objective: Duration) -> Self {
        self.options.sizer.latency_objective = Some(objective);
        self
    }

    /// The most that a batch may weigh, and what an item weighs: bytes of a request, parameters of a
    /// statement. A heavier item is [rejected](super::BatchRejected::Weight).
    pub fn max_weight(
        mut self,
        max: u64,
        weigh: impl Fn(&T) -> u64 + Send + Sync + 'static,
    ) -> Self {
        self.options.sizer.max_weight = Some(max);
        self.keys.weigh = Some(Arc::new(weigh));
        self
    }

    /// Whether some batches are sent in another size to measure the overhead; by default they
    /// are, where sizing is adaptive. Without, the overhead is estimated from batches that came out
    /// small by chance, which says less.
    pub fn probing(mut self, probing: bool) -> Self {
        self.options.sizer.probing = probing;
        self
    }

    /// How many batches may run at once; by default as many as the [limiter](Self::limiter) allows,
    /// or four without one.
    ///
    /// At least 1. Few is good: what waits while they run goes together in the next one. Never more
    /// than there are connections to run them on: one that waits for a connection grows no more.
    pub fn max_in_flight(mut self, batches: usize) -> Self {
        self.options.max_in_flight = Some(batches);
        self
    }

    /// A limiter that each batch takes a permit of, such as that of a connection pool. Can be given
    /// several times. A limiter that is busy is waited for, by one waiter however much could go, and one
    /// for each batch that is sent again. Load is judged as if the whole limit were the batcher's.
    ///
    /// Do not give it a limiter whose permits its callers hold while they wait for their answer: once
    /// they hold all of them, no batch goes.
    pub fn limiter(mut self, limiter: &Limiter) -> Self {
        self.options.limiters.push(limiter.clone());
        self
    }

    /// The priority of batches in the queues of the limiters; by default normal.
    pub fn priority(mut self, priority: Priority) -> Self {
        self.options.priority = priority;
        self
    }

    /// How the failure of a whole batch counts for adaptive limiters; by default
    /// [`Ignore`](Outcome::Ignore).
    pub fn failures_are(mut self, load: Outcome) -> Self {
        self.failure.load = load;
        self
    }

    /// How many callers may wait in the queue, at least 1; by default 10,000.
    pub fn queue_capacity(mut self, callers: usize) -> Self {
        self.options.capacity = callers;
        self
    }

    /// What a caller finds who comes to a full queue; by default it waits for room.
    pub fn queue_full(mut self, queue_full: QueueFull) -> Self {
        self.options.queue_full = queue_full;
        self
    }

    /// How long an item may wait in the queue before it is
    /// [refused](super::BatchRejected::Expired), a millisecond to a day; by default as long as its
    /// caller does. It does not begin while its caller waits for [room](Self::queue_full), and an item
    /// that several wait for [by key](Self::dedup_by) expires for all of them when the first has waited
    /// so long.
    pub fn max_wait(mut self, max_wait: Duration) -> Self {
        self.options.max_wait = Some(max_wait);
        self
    }

    /// Drops the future of a batch once all of its callers have gone. By default a batch that was
    /// sent goes on to its end, because what it does may not bear to be interrupted.
    pub fn abort_abandoned(mut self) -> Self {
        self.options.abort_abandoned = true;
        self
    }

    /// Items of different keys never share a batch: shards, tenants, tables. Partitions share the
    /// rest: the queue's capacity, the batches in flight, what is known of costs. One that is empty
    /// is forgotten.
    ///
    /// The function is called once for each item, in the task of its caller, which it may panic. `Hash`,
    /// `Eq` and `Clone` of the key must not panic.
    pub fn partition_by<P: Key>(
        self,
        key: impl Fn(&T) -> P + Send + Sync + 'static,
    ) -> BatcherBuilder<T, U, E, P, D> {
        let Keys { weigh, dedup, .. } = self.keys;
        let keys = Keys { weigh, partition: Some(Arc::new(key) as _), dedup };
        BatcherBuilder { options: self.options, keys, failure: self.failure }
    }

    /// Items of one key, within their partition, are sent once: whoever comes with another while the
    /// first waits in the queue has a copy of its answer. Once that one was sent, the next is sent
    /// again. An error that cannot be cloned goes into an [`Arc`], in the batch function.
    ///
    /// The function is called once for each item, in the task of its caller, which it may panic. `Hash`,
    /// `Eq` and `Clone` of the key must not panic.
    pub fn dedup_by<P: Key>(
        self,
        key: impl Fn(&T) -> P + Send + Sync + 'static,
    ) -> BatcherBuilder<T, U, E, K, P>
    where
        U: Clone,
        E: Clone,
    {
        let Keys { weigh, partition, .. } = self.keys;
        let share: Share<U, E> = Clone::clone;
        let keys = Keys { weigh, partition, dedup: Some(Dedup { key: Arc::new(key), share }) };
        BatcherBuilder { options: self.options, keys, failure: self.failure }
    }

    /// What to do with a batch that fails as a whole; by default every item has its error. Items are
    /// copied for each call.
    pub fn on_batch_error(mut self, policy: OnBatchError<E>) -> Self
    where
        T: Clone,
    {
        self.failure.on_error = policy;
        self.failure.copy = Some(<[T]>::to_vec);
        self
    }

    /// Which errors of a whole batch say that it is too large (HTTP 413, too many parameters). Its
    /// halves are sent instead, and batches stay lighter from then on: 0.9 times the weight that was
    /// too much, growing by 1 % with each batch that succeeds, and by half of that after every further
    /// refusal until there were none for long. Without [`max_weight`](Self::max_weight)
    /// each item weighs 1. Items are copied for each call.
    pub fn too_large_when(mut self, too_large: fn(&E) -> bool) -> Self
    where
        T: Clone,
    {
        self.failure.too_large = Some(too_large);
        self.failure.copy = Some(<[T]>::to_vec);
        self
    }

    /// How much is measured; by default everything. With
    /// [`Counts`](Instrumentation::Counts) the clock is read when a batch ends and when it is decided
    /// on the next, and not for each item; waits are not exported, and an item may be taken for older than it is, by at most the
    /// time since the batch before it.
    pub fn instrumentation(mut self, instrumentation: Instrumentation) -> Self {
        self.options.instrumentation = instrumentation;
        self
    }

    /// What durations are measured with; by default the processor's time-stamp counter.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.options.clock = clock;
        self
    }

    /// Where the metrics are registered; by default [`Registry::global`].
    pub fn registry(mut self, registry: &Registry) -> Self {
        self.options.registry = registry.clone();
        self
    }
}

impl<T, U, E, K, D> BatcherBuilder<T, U, E, K, D>
where
    T: Send + 'static,
    U: Send + 'static,
    E: Send + Sync + 'static,
    K: Key,
    D: Key,
{
    /// Builds the batcher around `function`, which is given the items of a batch and gives one
    /// result for each, in the same order, or an error for the batch as a whole.
    ///
    /// Where the downstream can undo one item and go on with the others, a result for each is better
    /// than an error for all of them that has to be [bisected](OnBatchError::Bisect).
    ///
    /// # Errors
    ///
    /// [`BuildError`] names the first field that cannot be used and its value.
    pub fn build<F, Fut>(self, function: F) -> Result<Batcher<T, U, E>, BuildError>
    where
        F: Fn(Vec<T>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Vec<Result<U, E>>, E>> + Send + 'static,
    {
        Ok(self.prepare()?.batcher(function))
    }

    /// As [`build`](Self::build), for batches that are all or nothing: a transaction, a statement.
    ///
    /// # Errors
    ///
    /// As for [`build`](Self::build).
    pub fn build_atomic<F, Fut>(self, function: F) -> Result<Batcher<T, U, E>, BuildError>
    where
        F: Fn(Vec<T>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Vec<U>, E>> + Send + 'static,
    {
        self.build(move |items| {
            let answers = function(items);
            async move { Ok(answers.await?.into_iter().map(Ok).collect()) }
        })
    }

    /// Checks the description without a batch function, for middleware that has it later. The name
    /// is taken from now on.
    ///
    /// # Errors
    ///
    /// As for [`build`](Self::build).
    pub fn prepare(self) -> Result<PreparedBatcher<T, U, E>, BuildError> {
        let Self { options, keys, failure } = self;
        let sizer = options.check()?;
        failure.on_error.check()?;
        let timings = options.instrumentation == Instrumentation::Full;
        let max_items = max_items(options.sizer.sizing);
        let shared = Arc::new(Shared::new(Cells::new(timings), &sizer, max_items));
        let source: Arc<dyn Source> = Arc::clone(&shared) as _;
        options.registry.register(ComponentKind::Batcher, &options.name, &source)?;

        let Options { limiters, priority, .. } = options;
        let in_flight = if limiters.is_empty() { DEFAULT_IN_FLIGHT } else { usize::MAX };
        let settings = Settings {
            name: options.name.into(),
            max_weight: options.sizer.max_weight,
            capacity: options.capacity,
            queue_full: options.queue_full,
            max_wait: options.max_wait,
            max_in_flight: options.max_in_flight.unwrap_or(in_flight),
            abort_abandoned: options.abort_abandoned,
            timings,
            clock: options.clock,
        };
        let make = move |run| {
            let admission = Admission::new(limiters.clone(), priority);
            let (settings, keys) = (settings.clone(), keys.clone());
            let core = Core::new(settings, sizer.clone(), keys, run, failure, admission, &shared);
            let core = Arc::new(core);
            shared.add(Arc::downgrade(&core) as _);
            core as Arc<dyn Engine<T, U, E>>
        };
        Ok(PreparedBatcher { make: Arc::new(make) })
    }
}

impl Options {
    fn check(&self) -> Result<BatchSizer, BuildError> {
        let most = u32::try_from(Semaphore::MAX_PERMITS).unwrap_or(u32::MAX);
        in_range("queue_capacity", self.capacity, most)?;
        if let Some(batches) = self.max_in_flight {
            in_range("max_in_flight", batches, u32::MAX)?;
        }
        if let Some(max_wait) = self.max_wait {
            InvalidParameter::check("max_wait", max_wait.as_secs_f64(), 0.001, LONGEST_WAIT)?;
        }
        Ok(BatchSizer::new(self.sizer)?)
    }
}

/// The most items that a batch may have, whatever else holds.
const fn max_items(sizing: BatchSizing) -> usize {
    match sizing {
        BatchSizing::Fixed(size) => size,
        BatchSizing::Adaptive { max_size, .. } => max_size,
        _ => usize::MAX,
    }
}

fn in_range(field: &'static str, value: usize, max: u32) -> Result<(), BuildError> {
    if (1..=max as usize).contains(&value) {
        return Ok(());
    }
    Err(BuildError::OutOfRange { field, value: value as f64, min: 1, max })
}

impl<T, U, E, K, D> fmt::Debug for BatcherBuilder<T, U, E, K, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatcherBuilder")
            .field("name", &self.options.name)
            .field("sizer", &self.options.sizer)
            .field("queue_capacity", &self.options.capacity)
            .field("queue_full", &self.options.queue_full)
            .field("max_wait", &self.options.max_wait)
            .field("max_in_flight", &self.options.max_in_flight)
            .field("on_batch_error", &self.failure.on_error)
            .finish_non_exhaustive()
    }
}

/// A checked description of batchers. Made by [`BatcherBuilder::prepare`].
///
/// Batchers made of it have their own queues and sizes, and count under one name.
pub struct PreparedBatcher<T, U, E> {
    make: Make<T, U, E>,
}

type Make<T, U, E> = Arc<dyn Fn(Run<T, U, E>) -> Arc<dyn Engine<T, U, E>> + Send + Sync>;

impl<T, U, E> PreparedBatcher<T, U, E> {
    /// A batcher around `function`: see [`BatcherBuilder::build`].
    pub fn batcher<F, Fut>(&self, function: F) -> Batcher<T, U, E>
    where
        F: Fn(Vec<T>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Vec<Result<U, E>>, E>> + Send + 'static,
    {
        let run = move |items| {
            let answers = function(items);
            Box::pin(answers) as Pin<Box<dyn Future<Output = Output<U, E>> + Send>>
        };
        Batcher { engine: (self.make)(Arc::new(run)) }
    }
}

// Not derived, because that would ask for clones of items.
impl<T, U, E> Clone for PreparedBatcher<T, U, E> {
    fn clone(&self) -> Self {
        Self { make: Arc::clone(&self.make) }
    }
}

impl<T, U, E> fmt::Debug for PreparedBatcher<T, U, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreparedBatcher").finish_non_exhaustive()
    }
}
