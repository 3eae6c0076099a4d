//! Many operations at once, bounded, with exactly one outcome for every item.
//!
//! `items.fan_out(operation)` describes a fan-out over an iterator or a stream; methods say how it
//! is bounded; an *end* such as [`collect`](FanOut::collect) runs it.
//!
//! ```
//! use std::{num::NonZeroUsize, time::Duration};
//!
//! use floodway::fan_out::{FanOutExt, ItemError};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! let report = ["users", "orders", "stock"]
//!     .fan_out(|service| async move {
//!         match service {
//!             "orders" => tokio::time::sleep(Duration::from_secs(60)).await,
//!             "stock" => return Err("out of order"),
//!             _ => {}
//!         }
//!         Ok(service.len())
//!     })
//!     .concurrency(NonZeroUsize::new(8).expect("8 is not zero"))
//!     .item_timeout(Duration::from_millis(150))
//!     .collect()
//!     .await;
//! assert!(matches!(report.outcomes[0].result, Ok(5)));
//! assert!(matches!(report.outcomes[1].result, Err(ItemError::TimedOut)));
//! assert!(matches!(report.outcomes[2].result, Err(ItemError::Failed("out of order"))));
//! # }
//! ```

mod attempts;
mod backlog;
mod cells;
mod classes;
mod ends;
mod engine;
mod handle;
mod in_task;
mod keys;
mod latch;
mod ledger;
mod name;
mod options;
mod outcome;
mod policy;
mod report;
mod shelf;
mod slot;
mod source;
mod spawned;
mod stats;
mod time;
mod wake;

use std::{fmt, num::NonZeroUsize, sync::Arc, time::Duration};

use futures_core::Stream;
use tokio::time::Instant;

use self::options::Options;
pub use self::{
    attempts::{Always, AttemptBudget, Attempts, Once, Retry, RetryWhen},
    backlog::Backlog,
    classes::{Alike, Classes, Keyed, Weighed},
    ends::{Collect, FirstOk, Fold, ForEach, Outcomes, TryCollect},
    engine::{Drive, Ends, Engine},
    handle::{Handle, Progress, Running},
    in_task::{InTask, InTaskDrive},
    latch::Latch,
    name::Name,
    outcome::{ItemError, Outcome, Timing},
    policy::{Counts, ErrorPolicy, OnStop, StopReason, Tolerance},
    report::{FanOutError, Report, Summary},
    source::{Iter, Source, Streamed},
    spawned::{
        Block, Blocking, Charge, Child, Control, Direct, Each, Operate, SendOrUseInTask, SpawnEach,
        Spawned, SpawnedDrive, Steer,
    },
    stats::Stats,
};
use crate::{Chunking, Clock, Limiter, Priority};

/// Makes a [`FanOut`] of every iterator and every stream.
///
/// `Kind` tells iterators from streams and is inferred.
pub trait FanOutExt<Kind>: Sized {
    /// What is given to the operation.
    type Item;
    /// Where the items come from.
    type Source: Source<Item = Self::Item>;

    /// Describes that `operation` is to be run for every item: an async function that gives a
    /// `Result`, or with [`blocking`](FanOut::blocking) a plain one. Nothing runs before an end of
    /// the fan-out is polled.
    ///
    /// Does the compiler say `may outlive the current function`, `does not live long enough`,
    /// `borrowed data escapes` or `cannot be sent between threads`? Operations that borrow, or are
    /// not `Send`, run with [`in_task`](FanOut::in_task).
    fn fan_out<F, R>(self, operation: F) -> FanOut<Self::Source, F>
    where
        F: Fn(Self::Item) -> R;
}

/// The kind of iterators.
#[derive(Clone, Copy, Debug)]
pub struct OfIterator;

/// The kind of streams.
#[derive(Clone, Copy, Debug)]
pub struct OfStream;

impl<I: IntoIterator> FanOutExt<OfIterator> for I {
    type Item = I::Item;
    type Source = Iter<I::IntoIter>;

    fn fan_out<F, R>(self, operation: F) -> FanOut<Self::Source, F>
    where
        F: Fn(I::Item) -> R,
    {
        FanOut::new(Iter::new(self.into_iter()), operation)
    }
}

impl<S: Stream> FanOutExt<OfStream> for S {
    type Item = S::Item;
    type Source = Streamed<S>;

    fn fan_out<F, R>(self, operation: F) -> FanOut<Self::Source, F>
    where
        F: Fn(S::Item) -> R,
    {
        FanOut::new(Streamed::new(self), operation)
    }
}

/// A description of many operations at once. Made by [`FanOutExt::fan_out`].
///
/// # Engines
///
/// Items run in [workers that are spawned](Spawned), unless [`in_task`](Self::in_task),
/// [`spawn_each`](Self::spawn_each) or [`blocking`](Self::blocking) says otherwise.
///
/// # Order
///
/// A permit is taken before an item is pulled from the source, and the item is pulled before its
/// future exists. So memory follows concurrency and not the length of the input, and a source that
/// has nothing, or a consumer that takes nothing, holds no permit. Where items have to be looked at
/// first, for [weights](Self::weight), one item is pulled before its permits.
///
/// # Cancel safety
///
/// Dropping an end cancels the fan-out. Where an end is awaited, it returns only after every future
/// of the fan-out has been dropped. The spawned engines drop them in their workers, so after a
/// dropped end that happens soon, but later.
#[must_use = "a fan-out does nothing before an end of it is awaited, such as `collect()`"]
pub struct FanOut<S: Source, F, C = Alike, A = Once, M = Spawned> {
    source: S,
    call: F,
    classes: C,
    attempts: A,
    backlog: Option<Backlog<S::Item>>,
    options: Options,
    _engine: std::marker::PhantomData<M>,
}

impl<S: Source, F> FanOut<S, F> {
    fn new(source: S, call: F) -> Self {
        Self {
            source,
            call,
            classes: Alike,
            attempts: Once,
            backlog: None,
            options: Options::default(),
            _engine: std::marker::PhantomData,
        }
    }
}

/// What bounds it.
impl<S: Source, F, C, A, M> FanOut<S, F, C, A, M> {
    /// How many items may run at the same time; by default 16, with [`blocking`](Self::blocking)
    /// as many as there are cores.
    pub fn concurrency(mut self, items: NonZeroUsize) -> Self {
        self.options.concurrency = Some(items);
        self
    }

    /// As many items run at the same time as there are.
    pub fn unbounded(self) -> Self {
        self.concurrency(NonZeroUsize::MAX)
    }

    /// How many outcomes may lie ready for a consumer that takes them one by one, before nothing
    /// new is started; by default as many as may run and at least 256, or 4,096 with
    /// [`chunks`](Self::chunks), which cannot be larger than what is left of it. For [`stream`](Self::stream),
    /// [`for_each`](Self::for_each) and [`fold`](Self::fold); other ends take them all.
    pub fn buffer(mut self, outcomes: usize) -> Self {
        self.options.buffer = Some(outcomes);
        self
    }

    /// Runs every attempt of every item under a permit of this limiter. May be called for several
    /// limiters, which are asked in one order that all fan-outs share.
    ///
    /// However many items could run, a fan-out is one waiter in the queue of a limiter, so fan-outs
    /// and other callers take turns. While a limiter refuses because it is busy, the fan-out waits
    /// and asks again; what it will never admit ends as [`ItemError::Rejected`].
    ///
    /// Where the fan-out runs inside an operation of the same limiter, that one lends its permits:
    /// see [`Permit::scope`](crate::Permit::scope).
    pub fn limiter(mut self, limiter: &Limiter) -> Self {
        self.options.limiters.push(limiter.clone());
        self
    }

    /// The priority in the queues of the limiters; by default normal.
    pub fn priority(mut self, priority: Priority) -> Self {
        self.options.priority = priority;
        self
    }

    /// How the end of an attempt that failed counts for adaptive limiters; by default
    /// [`Ignore`](crate::Outcome::Ignore). Timeouts count as overload, except with
    /// [`spawn_each`](Self::spawn_each), where the permits of an item that is dropped say nothing.
    pub fn failures_are(mut self, load: crate::Outcome) -> Self {
        self.options.load_of_failures = load;
        self
    }

    /// Lets items of one key run at most `limit` at a time. Replaces a key that was given before.
    ///
    /// Those that have to wait are parked, at most [`lookahead`](Self::lookahead) of them, and
    /// items of other keys go before them. A key function that panics gives its item the outcome
    /// [`Panicked`](ItemError::Panicked).
    pub fn limit_per_key<G, K>(self, key: G, limit: NonZeroUsize) -> FanOut<S, F, Keyed<G, C>, A, M>
    where
        G: FnMut(&S::Item) -> K,
    {
        self.map_classes(|inner| Keyed { key, per_key: limit, inner })
    }

    /// Runs all items of a key one after the other, in the order of the source; items of different
    /// keys run at the same time. While items of the key wait, they stay with one worker.
    pub fn group_by_key<G, K>(self, key: G) -> FanOut<S, F, Keyed<G, C>, A, M>
    where
        G: FnMut(&S::Item) -> K,
    {
        self.limit_per_key(key, NonZeroUsize::MIN)
    }

    /// How many items may be parked because their key is busy; by default as many as may run.
    pub fn lookahead(mut self, items: usize) -> Self {
        self.options.lookahead = Some(items);
        self
    }

    /// How many permits of each limiter an item needs; 1 by default. What is heavier than a limit
    /// ends as [`ItemError::Rejected`].
    pub fn weight<W>(self, weight: W) -> FanOut<S, F, Weighed<W, C>, A, M>
    where
        W: FnMut(&S::Item) -> u32,
    {
        self.map_classes(|inner| Weighed { weight, inner })
    }

    fn map_classes<D>(self, map: impl FnOnce(C) -> D) -> FanOut<S, F, D, A, M> {
        let Self { source, call, classes, attempts, backlog, options, _engine } = self;
        FanOut { source, call, classes: map(classes), attempts, backlog, options, _engine }
    }
}

/// When it ends.
impl<S: Source, F, C, A, M> FanOut<S, F, C, A, M> {
    /// How long an attempt may take. In [`blocking`](Self::blocking) fan-outs it has no effect.
    pub fn item_timeout(mut self, timeout: Duration) -> Self {
        self.options.item_timeout = Some(timeout);
        self
    }

    /// When the whole has to be over, time in queues included. One that has passed runs nothing.
    pub fn deadline(mut self, deadline: Instant) -> Self {
        self.options.deadline = Some(deadline);
        self
    }

    /// How long the whole may take from its first poll on. With a [`deadline`](Self::deadline) as
    /// well, the earlier counts.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = Some(timeout);
        self
    }

    /// Stops once this future is done, such as `token.cancelled_owned()` of a
    /// `CancellationToken`.
    pub fn cancel_on(mut self, cancelled: impl Future<Output = ()> + Send + 'static) -> Self {
        self.options.cancelled = Some(Box::pin(cancelled));
        self
    }

    /// What a failure means for the others. By default that of the end:
    /// [`CollectAll`](ErrorPolicy::CollectAll), and [`FailFast`](ErrorPolicy::FailFast) for
    /// [`try_collect`](Self::try_collect).
    pub fn on_error(mut self, policy: ErrorPolicy) -> Self {
        self.options.policy = Some(policy);
        self
    }

    /// What becomes of the items that run when the fan-out stops; by default they are dropped.
    pub fn on_stop(mut self, on_stop: OnStop) -> Self {
        self.options.on_stop = on_stop;
        self
    }

    /// Tries items again, or beside their first attempt. Items have to be `Clone`.
    pub fn attempts<R>(self, attempts: R) -> FanOut<S, F, C, R, M> {
        let Self { source, call, classes, backlog, options, _engine, .. } = self;
        FanOut { source, call, classes, attempts, backlog, options, _engine }
    }

    /// Also runs what is pushed to `backlog` meanwhile. Give every fan-out a backlog of its own.
    pub fn backlog(mut self, backlog: &Backlog<S::Item>) -> Self {
        self.backlog = Some(backlog.clone());
        self
    }

    /// How many items a worker takes at once; by default one. For spawned and blocking engines.
    ///
    /// Items in a chunk run one after the other: a slow one delays those behind it. Outcomes,
    /// timeouts and retries stay per item. Items that need permits or have keys or weights run by
    /// themselves.
    pub fn chunks(mut self, chunking: Chunking) -> Self {
        self.options.chunking = chunking;
        self
    }
}

/// How it is seen.
impl<S: Source, F, C, A, M> FanOut<S, F, C, A, M> {
    /// Counts in the metrics of this name. Without a name nothing is exported.
    pub fn name(mut self, name: &Name) -> Self {
        self.options.name = Some((name.shared(), name.cells()));
        self
    }

    /// Reads no clock for [`Timing`] and [`Stats`], which are zero then. Worth it for items of a
    /// few nanoseconds; a name, chunks and [`slow_after`](Self::slow_after) need the clock all the same.
    pub fn untimed(mut self) -> Self {
        self.options.timed = false;
        self
    }

    /// Logs items that take longer than this, in the span of the fan-out. Not those in
    /// [`chunks`](Self::chunks), which are not timed one by one.
    pub fn slow_after(mut self, limit: Duration) -> Self {
        self.options.slow_after = Some(limit);
        self
    }

    /// Measures with this clock; tests under paused time give [`Clock::tokio`].
    pub fn clock(mut self, clock: Clock) -> Self {
        self.options.clock = Some(clock);
        self
    }

    /// Gives outcomes to [`stream`](Self::stream), [`for_each`](Self::for_each) and
    /// [`fold`](Self::fold) by index instead of as they come. A slow item then keeps those behind
    /// it waiting, [`buffer`](Self::buffer) of them. [`collect`](Self::collect) always gives them
    /// by index.
    pub fn ordered(mut self) -> Self {
        self.options.ordered = true;
        self
    }
}

/// Who runs it.
impl<S: Source, F, C, A, M> FanOut<S, F, C, A, M> {
    /// Runs items in spawned workers; the default. See [`Spawned`].
    pub fn spawned(self) -> FanOut<S, F, C, A, Spawned> {
        self.with_engine()
    }

    /// Polls all items in the task that waits: they may borrow and need not be `Send`. See
    /// [`InTask`].
    pub fn in_task(self) -> FanOut<S, F, C, A, InTask> {
        self.with_engine()
    }

    /// Runs every item in a task of its own. See [`SpawnEach`].
    pub fn spawn_each(self) -> FanOut<S, F, C, A, SpawnEach> {
        self.with_engine()
    }

    /// Runs a synchronous operation on threads that may block or compute. See [`Blocking`].
    pub fn blocking(self) -> FanOut<S, F, C, A, Blocking> {
        self.with_engine()
    }

    fn with_engine<N>(self) -> FanOut<S, F, C, A, N> {
        let Self { source, call, classes, attempts, backlog, options, .. } = self;
        let _engine = std::marker::PhantomData;
        FanOut { source, call, classes, attempts, backlog, options, _engine }
    }
}

/// Ends. Those of spawned engines panic if they are polled outside a tokio runtime, and all if a
/// timeout or a deadline is set there.
impl<S: Source, F, C, A, M> FanOut<S, F, C, A, M> {
    /// All outcomes, by index, whatever fails.
    pub fn collect(self) -> Collect<M::Drive>
    where
        M: Engine<S, F, C, A>,
    {
        Collect(M::drive(self, Ends::all(ErrorPolicy::CollectAll)))
    }

    /// All values, by index; stops at the first failure, or as [`on_error`](Self::on_error) says.
    ///
    /// # Errors
    ///
    /// [`FanOutError`] with the first failure and all outcomes, if it stopped early.
    pub fn try_collect(self) -> TryCollect<M::Drive>
    where
        M: Engine<S, F, C, A>,
    {
        TryCollect(M::drive(self, Ends::all(ErrorPolicy::FailFast)))
    }

    /// The first value; stops with it, whatever [`on_error`](Self::on_error) said.
    ///
    /// # Errors
    ///
    /// [`FanOutError`] if no item has one.
    pub fn first_ok(mut self) -> FirstOk<M::Drive>
    where
        M: Engine<S, F, C, A>,
    {
        self.options.policy = Some(ErrorPolicy::Quorum(NonZeroUsize::MIN));
        FirstOk(M::drive(self, Ends::all(ErrorPolicy::CollectAll)))
    }

    /// At least `values` of them, by index; stops with the last that is needed, or once they are
    /// out of reach: at once if the source says that it has fewer. Takes the place of
    /// [`on_error`](Self::on_error).
    ///
    /// # Errors
    ///
    /// [`FanOutError`] if there are fewer.
    pub fn quorum(mut self, values: NonZeroUsize) -> TryCollect<M::Drive>
    where
        M: Engine<S, F, C, A>,
    {
        self.options.policy = Some(ErrorPolicy::Quorum(values));
        TryCollect(M::drive(self, Ends::all(ErrorPolicy::CollectAll)))
    }

    /// Gives every outcome to `body`, one after the other. Items go on while `body` waits, until
    /// the [`buffer`](Self::buffer) is full.
    pub fn for_each<B, Fut>(self, body: B) -> ForEach<M::Drive, B, Fut>
    where
        M: Engine<S, F, C, A>,
        B: FnMut(Outcome<M::Value, M::Error>) -> Fut,
        Fut: Future<Output = ()>,
    {
        ForEach::new(self.drive_streaming(), body)
    }

    /// Folds every outcome into a value. Items go on while `body` waits, until the
    /// [`buffer`](Self::buffer) is full.
    pub fn fold<X, B, Fut>(self, initial: X, body: B) -> Fold<M::Drive, X, B, Fut>
    where
        M: Engine<S, F, C, A>,
        B: FnMut(X, Outcome<M::Value, M::Error>) -> Fut,
        Fut: Future<Output = X>,
    {
        Fold::new(self.drive_streaming(), initial, body)
    }

    fn drive_streaming(self) -> M::Drive
    where
        M: Engine<S, F, C, A>,
    {
        let ordered = self.options.ordered;
        M::drive(self, Ends { policy: ErrorPolicy::CollectAll, streaming: true, ordered })
    }
}

/// Ends of engines whose items make progress by themselves.
impl<S: Source, F, C, A, M> FanOut<S, F, C, A, M> {
    /// Outcomes as they come. Items go on while the consumer is busy, until the
    /// [`buffer`](Self::buffer) is full.
    pub fn stream(self) -> Outcomes<M::Drive>
    where
        M: Engine<S, F, C, A, Drive: Steer>,
    {
        Outcomes(self.drive_streaming())
    }

    /// Starts it now, without somebody who waits: to watch it, to steer it and to push items to
    /// it. It goes on until [`join`](Running::join) or [`shutdown`](Running::shutdown), and keeps
    /// every outcome until then: what runs for days is a [`stream`](Self::stream) of a
    /// [`backlog`](Self::backlog), or a fan-out over a channel.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn start(mut self) -> Running<S::Item, M::Drive>
    where
        M: Engine<S, F, C, A, Drive: Steer>,
    {
        let backlog = self.backlog.get_or_insert_default().clone();
        backlog.hold_open(true);
        Running::new(M::drive(self, Ends::all(ErrorPolicy::CollectAll)), backlog)
    }
}

impl<S: Source, F, C, A> FanOut<S, F, C, A, InTask> {
    /// Outcomes as they come; items run **only while the stream is polled**. A consumer that is
    /// busy elsewhere stops them all, with their timeouts, connections and locks.
    ///
    /// Prefer [`for_each`](Self::for_each), which polls items beside the consumer, or the
    /// [`stream`](Self::stream) of a spawned engine.
    pub fn stream_lazy(self) -> Outcomes<<InTask as Engine<S, F, C, A>>::Drive>
    where
        InTask: Engine<S, F, C, A>,
    {
        Outcomes(self.drive_streaming())
    }
}

impl<S: Source, F, C, A, M> fmt::Debug for FanOut<S, F, C, A, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FanOut")
            .field("name", &self.options.name.as_ref().map(|(name, _)| Arc::clone(name)))
            .field("concurrency", &self.options.concurrency)
            .finish_non_exhaustive()
    }
}
