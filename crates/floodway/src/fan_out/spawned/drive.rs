//! The side of the consumer.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, OnceLock, Weak},
    task::{Context, Poll, ready},
};

use floodway_control::Chunking;
use tokio::{runtime::Handle, task::coop::poll_proceed};

use super::{
    super::{
        Outcome, Progress, Report, Stats, StopReason,
        attempts::Attempts,
        classes::Classes,
        engine::{Drive, Parts, settle},
        source::Source,
    },
    control::Control,
    operate::Operate,
    shared::{Shared, Sharing},
};

/// A fan-out whose workers are spawned when it is first polled.
#[doc(hidden)]
pub struct SpawnedDrive<S: Source, O, C: Classes<S::Item>, A, T, E>
where
    S: Source<Item: Send + 'static> + Send + 'static,
    O: Operate<S::Item, Value = T, Error = E>,
    C: Classes<S::Item, Key: Send + 'static> + Send + 'static,
    A: Attempts<S::Item, E> + Send + Sync + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    described: Option<Described<S, O, C, A, T, E>>,
    shared: Sharing<S, O, C, A, T, E>,
    ending: Option<(StopReason, Stats)>,
    /// Outcomes that were taken under one lock and not given to the consumer.
    taken: VecDeque<Outcome<T, E>>,
    /// How many of them the consumer got, which the ledger has not heard of.
    got: usize,
    /// How far it came, for those who ask afterwards.
    last: Arc<OnceLock<Progress>>,
}

type Described<S, O, C, A, T, E> = Box<dyn FnOnce() -> Parts<S, O, C, A, T, E> + Send>;

impl<S, O, C, A, T, E> SpawnedDrive<S, O, C, A, T, E>
where
    S: Source<Item: Send + 'static> + Send + 'static,
    O: Operate<S::Item, Value = T, Error = E>,
    C: Classes<S::Item, Key: Send + 'static> + Send + 'static,
    A: Attempts<S::Item, E> + Send + Sync + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    pub(super) fn new(
        described: impl FnOnce() -> Parts<S, O, C, A, T, E> + Send + 'static,
    ) -> Box<Self> {
        let last = Arc::default();
        Box::new(Self {
            described: Some(Box::new(described)),
            shared: None,
            ending: None,
            taken: VecDeque::new(),
            got: 0,
            last,
        })
    }

    /// Takes a few of the outcomes that are there.
    fn take(&mut self) {
        if let Some(shared) = &self.shared {
            let got = std::mem::take(&mut self.got);
            shared.state().ledger.deliver_some(got, &mut self.taken);
        }
    }

    /// Begins now, instead of when it is first polled.
    fn begin(&mut self, context: Option<&mut Context<'_>>) {
        let Some(described) = self.described.take() else {
            return;
        };
        let runtime = Handle::current();
        let parts = described();
        // What is to be stopped by a clock is not begun before somebody watches it.
        let inline =
            O::INLINE && parts.chunking == Chunking::Adaptive && !parts.stopper.is_needed();
        let shared = Shared::new(parts, runtime, Arc::clone(&self.last));
        match context {
            Some(context) if inline && shared.chunks => shared.begin_inline(context),
            _ => shared.grow(),
        }
        self.shared = Some(shared);
    }

    /// Ready once every worker is gone.
    fn poll_over(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.ending.is_some() {
            return Poll::Ready(());
        }
        self.begin(Some(context));
        let Some(shared) = &self.shared else {
            return Poll::Ready(());
        };
        let mut state = shared.state();
        state.ledger.register_consumer(context.waker());
        // Under one lock: nobody can push, hire or begin between the question and the answer.
        if !shared.latch.is_free(context.waker()) || !state.ledger.is_over_for_good() {
            return Poll::Pending;
        }
        let now = shared.setting.now();
        let (ending, garbage) = settle(&mut state.ledger, shared.setting.cells.as_deref(), now);
        let _ = self.last.set(Progress::new(&state.ledger, now));
        drop(state);
        self.ending = Some(ending);
        drop(garbage);
        Poll::Ready(())
    }
}

impl<S, O, C, A, T, E> Drive for Box<SpawnedDrive<S, O, C, A, T, E>>
where
    S: Source<Item: Send + 'static> + Send + 'static,
    O: Operate<S::Item, Value = T, Error = E>,
    C: Classes<S::Item, Key: Send + 'static> + Send + 'static,
    A: Attempts<S::Item, E> + Send + Sync + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    type Value = T;
    type Error = E;

    fn poll_progress(&mut self, _: &mut Context<'_>) {}

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Outcome<T, E>>> {
        // Each outcome uses up some of the budget of the task, so that a consumer that never waits
        // does not keep its thread for itself.
        let budget = ready!(poll_proceed(context));
        if self.taken.is_empty() {
            self.begin(None);
            self.take();
        }
        if self.taken.is_empty() {
            let over = self.poll_over(context).is_ready();
            // Registered by now: whatever came in between is seen here.
            self.take();
            if self.taken.is_empty() && !over {
                return Poll::Pending;
            }
        }
        budget.made_progress();
        let outcome = self.taken.pop_front();
        // The first of those that were taken together was counted when they were.
        self.got += usize::from(!self.taken.is_empty());
        Poll::Ready(outcome)
    }

    fn poll_report(&mut self, context: &mut Context<'_>) -> Poll<Report<T, E>> {
        if self.poll_over(context).is_pending() {
            return Poll::Pending;
        }
        let (stop, stats) = self.ending.clone().expect("it has ended");
        let outcomes = self.shared.as_ref().map(|shared| shared.state().ledger.take_all());
        Poll::Ready(Report { outcomes: outcomes.unwrap_or_default(), stop, stats })
    }

    fn poll_values(&mut self, context: &mut Context<'_>) -> Poll<Result<Vec<T>, Report<T, E>>> {
        ready!(self.poll_over(context));
        match (&self.ending, &self.shared) {
            (Some((stop, _)), Some(shared)) if stop.is_success() => {
                Poll::Ready(Ok(shared.state().ledger.take_values()))
            }
            _ => self.poll_report(context).map(Err),
        }
    }

    fn ending(&self) -> Option<(StopReason, Stats)> {
        self.ending.clone()
    }
}

/// A drive that can be watched and steered from elsewhere.
#[diagnostic::on_unimplemented(
    message = "this end is for engines whose items make progress by themselves",
    label = "not with `.in_task()`",
    note = "use `for_each`, which polls items beside the consumer, or `stream_lazy`"
)]
#[doc(hidden)]
pub trait Steer: Drive {
    /// Begins at once.
    fn steer(&mut self) -> (Arc<dyn Control>, Arc<OnceLock<Progress>>);
}

impl<S, O, C, A, T, E> Steer for Box<SpawnedDrive<S, O, C, A, T, E>>
where
    S: Source<Item: Send + 'static> + Send + 'static,
    O: Operate<S::Item, Value = T, Error = E>,
    C: Classes<S::Item, Key: Send + 'static> + Send + 'static,
    A: Attempts<S::Item, E> + Send + Sync + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    fn steer(&mut self) -> (Arc<dyn Control>, Arc<OnceLock<Progress>>) {
        self.begin(None);
        let control: Weak<_> = self.shared.as_ref().map(Arc::downgrade).unwrap_or_default();
        (Arc::new(control), Arc::clone(&self.last))
    }
}

/// A fan-out that is dropped is cancelled. Its workers drop their items as soon as they are
/// scheduled; nobody waits for them.
impl<S: Source, O, C: Classes<S::Item>, A, T, E> Drop for SpawnedDrive<S, O, C, A, T, E>
where
    S: Source<Item: Send + 'static> + Send + 'static,
    O: Operate<S::Item, Value = T, Error = E>,
    C: Classes<S::Item, Key: Send + 'static> + Send + 'static,
    A: Attempts<S::Item, E> + Send + Sync + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    fn drop(&mut self) {
        if self.ending.is_some() {
            return;
        }
        if let Some(shared) = &self.shared {
            shared.stop(StopReason::Cancelled);
            shared.abort();
        }
    }
}

impl<S: Source, O, C: Classes<S::Item>, A, T, E> fmt::Debug for SpawnedDrive<S, O, C, A, T, E>
where
    S: Source<Item: Send + 'static> + Send + 'static,
    O: Operate<S::Item, Value = T, Error = E>,
    C: Classes<S::Item, Key: Send + 'static> + Send + 'static,
    A: Attempts<S::Item, E> + Send + Sync + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpawnedDrive").field("ending", &self.ending).finish_non_exhaustive()
    }
}
