//! One batch at a time: calls the batch function and gives everybody their answer.

use std::{
    future::poll_fn,
    mem,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::{Poll, Waker},
    time::Duration,
};

use floodway_control::BatchRun;
use tokio::{task::yield_now, time::sleep};
use tracing::{Instrument, Span};

use super::{
    BatchError,
    cells::{BatchOutcome, ItemOutcome},
    core::{Core, Launch},
    description::{Answer, Key, Output},
    failure::Next,
    queue::Callers,
    seat::Riders,
};
use crate::{Outcome as Load, Panic, Rejected, admission::Permits};

/// Runs batches until none is left for this lane.
pub(super) async fn drive<T, U, E, K, D>(mut batch: Batch<T, U, E, K, D>)
where
    T: Send + 'static,
    U: Send + 'static,
    E: Send + Sync + 'static,
    K: Key,
    D: Key,
{
    loop {
        let core = Arc::clone(&batch.core);
        let (run, ended) = batch.run().await;
        // Those who have their answers may bring the next items at once, and go in the next batch
        // together with what waits, instead of finding it gone without them.
        yield_now().await;
        batch.over = true;
        match core.finish(run, ended) {
            Some(next) => batch = next,
            None => return,
        }
    }
}

/// Items on their way, and who waits for each.
pub(super) struct Batch<T, U, E, K, D> {
    core: Arc<Core<T, U, E, K, D>>,
    items: Vec<T>,
    weights: Vec<u64>,
    callers: Vec<Option<Callers<Answer<U, E>>>>,
    run: BatchRun,
    /// Answers that were counted and not yet given.
    outbox: Outbox<U, E>,
    permits: Permits,
    riders: Option<Arc<Riders>>,
    span: Span,
    started: u64,
    /// Items that count as unanswered.
    unanswered: usize,
    /// The slot was given back.
    over: bool,
}

type Outbox<U, E> = Vec<(Callers<Answer<U, E>>, Answer<U, E>)>;

/// How a call of the batch function ended.
enum Called<U, E> {
    Returned(Output<U, E>),
    Panicked(Panic),
    /// All callers have gone.
    Abandoned,
}

impl<U, E> Called<U, E> {
    /// For the numbers; `items` were sent.
    fn outcome(&self, items: usize) -> BatchOutcome {
        match self {
            Self::Returned(Ok(answers)) if answers.len() == items => BatchOutcome::Ok,
            Self::Returned(Ok(_)) => BatchOutcome::Mismatched,
            Self::Returned(Err(_)) => BatchOutcome::Error,
            Self::Panicked(_) => BatchOutcome::Panicked,
            Self::Abandoned => BatchOutcome::Aborted,
        }
    }
}

/// What a batch has come to.
#[derive(Default)]
struct Tally {
    calls: u32,
    ok: u64,
    item_errors: u64,
    batch_errors: u64,
    deduplicated: u64,
    /// Of the last call that was not all right, if there was one.
    outcome: BatchOutcome,
}

impl<T, U, E, K, D> Batch<T, U, E, K, D>
where
    T: Send + 'static,
    U: Send + 'static,
    E: Send + Sync + 'static,
    K: Key,
    D: Key,
{
    pub(super) fn new<A>(core: Arc<Core<T, U, E, K, D>>, launch: Launch<T, U, E, A>) -> Self {
        let Launch { taken, run, trigger, permits, riders, now } = launch;
        let n = taken.entries.len();
        let mut batch = Self {
            core,
            items: Vec::with_capacity(n),
            weights: Vec::with_capacity(n),
            callers: Vec::with_capacity(n),
            outbox: Vec::with_capacity(n),
            run,
            permits,
            riders,
            span: Span::none(),
            started: now,
            unanswered: n,
            over: false,
        };
        // Foreign code, which may panic: from here on a drop gives everything back.
        let name = &*batch.core.settings.name;
        batch.span = tracing::info_span!(parent: None, "batch", batcher = name, items = n);
        // In the trace of the batch, which is where an exemplar should lead: whoever is polled here
        // brought one of the items or let the batch before end.
        batch.span.in_scope(|| {
            batch.core.cells.flushed(trigger, n);
            if batch.core.settings.timings {
                let waits = taken.entries.iter().map(|entry| now.saturating_sub(entry.arrived));
                waits.for_each(|waited| batch.core.cells.waited(waited));
            }
        });
        for entry in taken.entries {
            for span in entry.callers.all().filter_map(|caller| caller.span.as_ref()) {
                batch.span.follows_from(span.id());
            }
            batch.items.push(entry.item);
            batch.weights.push(entry.weight);
            batch.callers.push(Some(entry.callers));
        }
        // All are aboard: from now on they can all have gone.
        if let Some(riders) = &batch.riders {
            riders.leave();
        }
        batch
    }

    /// Sends everything, in as many calls as it takes. Gives the run if it says what a batch of
    /// this size costs, and when it ended.
    async fn run(&mut self) -> (Option<BatchRun>, u64) {
        let mut tally = Tally::default();
        let whole = 0..self.items.len();
        let mut parts = vec![whole.clone()];
        let mut ended = self.started;
        let mut telling = None;
        while let Some(part) = parts.pop() {
            self.settle(&mut tally);
            self.deliver();
            tally.calls += 1;
            let begun = if tally.calls == 1 { self.started } else { self.now() };
            let called = match self.items_of(&part) {
                Ok(items) => self.call(items).await,
                Err(panic) => Called::Panicked(panic),
            };
            ended = self.now();
            let outcome = called.outcome(part.len());
            let took = ended.saturating_sub(begun);
            self.span.in_scope(|| self.core.cells.batch_ended(outcome, took));
            if outcome != BatchOutcome::Ok {
                tally.outcome = outcome;
            }
            let error = match called {
                Called::Returned(Ok(answers)) if answers.len() == part.len() => {
                    if part == whole && tally.calls == 1 {
                        telling = Some(self.run);
                    }
                    self.answer_each(part, answers, &mut tally);
                    continue;
                }
                Called::Returned(Ok(answers)) => {
                    let (items, answers) = (part.len(), answers.len());
                    self.end(part, &mut tally, || BatchError::Mismatched { items, answers });
                    continue;
                }
                Called::Panicked(panic) => {
                    let panic = Arc::new(panic);
                    self.end(part, &mut tally, || BatchError::Panicked(Arc::clone(&panic)));
                    continue;
                }
                Called::Abandoned => {
                    parts.push(part);
                    for part in parts.drain(..) {
                        self.end(part, &mut tally, || BatchError::Aborted);
                    }
                    break;
                }
                Called::Returned(Err(error)) => error,
            };
            match self.next(&error, &part, tally.calls, parts.len()) {
                Next::GiveUp => self.fail(part, error, &mut tally),
                Next::Divide => {
                    self.core.cells.split();
                    let middle = part.start + part.len().div_ceil(2);
                    parts.push(middle..part.end);
                    parts.push(part.start..middle);
                }
                Next::Again(wait) => {
                    self.core.cells.retried();
                    self.settle(&mut tally);
                    self.deliver();
                    match self.wait_and_ask_again(wait).await {
                        Ok(()) => {
                            // The new permits hear of the new call alone.
                            tally.outcome = BatchOutcome::Ok;
                            parts.push(part);
                        }
                        // It was sent, so what it failed with says more than the refusal.
                        Err(_) => self.fail(part, error, &mut tally),
                    }
                }
            }
        }
        // Before the answers, so that who has one finds it counted and the permits back.
        self.settle(&mut tally);
        let load = match tally.outcome {
            BatchOutcome::Ok => Load::Success,
            BatchOutcome::Error => self.core.failure.load,
            _ => Load::Ignore,
        };
        self.permits.complete(load);
        self.deliver();
        (telling, ended)
    }

    fn now(&self) -> u64 {
        self.core.settings.clock.now()
    }

    /// The items of a part; copies, if it may have to be sent again.
    fn items_of(&mut self, part: &Range<usize>) -> Result<Vec<T>, Panic> {
        let Some(copy) = self.core.failure.copy else {
            return Ok(mem::take(&mut self.items));
        };
        let copy = || copy(&self.items[part.clone()]);
        catch_unwind(AssertUnwindSafe(copy)).map_err(Panic::new)
    }

    /// Calls the batch function once.
    async fn call(&mut self, items: Vec<T>) -> Called<U, E> {
        let Self { core, permits, riders, span, .. } = self;
        let mut items = Some(items);
        let mut future = None;
        let mut gone = pin!(async {
            match riders {
                Some(riders) => riders.all_gone().await,
                None => std::future::pending().await,
            }
        });
        let called = poll_fn(|context| {
            if gone.as_mut().poll(context).is_ready() {
                return Poll::Ready(Called::Abandoned);
            }
            let poll = || {
                permits.within(|| {
                    let future = match &mut future {
                        Some(future) => future,
                        None => future.insert((core.run)(items.take().unwrap_or_default())),
                    };
                    future.as_mut().poll(context)
                })
            };
            match catch_unwind(AssertUnwindSafe(poll)) {
                Ok(poll) => poll.map(Called::Returned),
                Err(payload) => Poll::Ready(Called::Panicked(Panic::new(payload))),
            }
        });
        let called = called.instrument(span.clone()).await;
        // What panics when it is dropped has failed as well.
        match catch_unwind(AssertUnwindSafe(|| drop(future))) {
            Ok(()) => called,
            Err(payload) => Called::Panicked(Panic::new(payload)),
        }
    }

    /// What to do with a part that failed with `error`.
    fn next(&self, error: &E, part: &Range<usize>, calls: u32, pending: usize) -> Next {
        let failure = &self.core.failure;
        let judge = || {
            if failure.too_large.is_some_and(|too_large| too_large(error)) {
                let weights = self.weights[part.clone()].iter();
                let weight = weights.fold(0, |sum: u64, weight| sum.saturating_add(*weight));
                self.core.too_large(weight);
                // Smaller parts are what the downstream asked for, and there are at most two calls
                // an item.
                return if part.len() > 1 { Next::Divide } else { Next::GiveUp };
            }
            failure.on_error.next(error, part.len(), calls, pending)
        };
        // Somebody else's judgement: if it panics, there is none.
        catch_unwind(AssertUnwindSafe(judge)).unwrap_or(Next::GiveUp)
    }

    /// Holds nothing of a limiter for a while.
    async fn wait_and_ask_again(&mut self, wait: Duration) -> Result<(), Rejected> {
        self.permits.complete(self.core.failure.load);
        sleep(wait).await;
        self.permits = self.core.admission.admit(1).await?;
        Ok(())
    }

    fn answer_each(&mut self, part: Range<usize>, answers: Vec<Result<U, E>>, tally: &mut Tally) {
        for (at, answer) in part.zip(answers) {
            match answer {
                Ok(_) => tally.ok += 1,
                Err(_) => tally.item_errors += 1,
            }
            self.answer(at, answer.map_err(BatchError::Item), tally);
        }
    }

    /// A part failed for good.
    fn fail(&mut self, part: Range<usize>, error: E, tally: &mut Tally) {
        if part.len() == 1 && (tally.calls > 1 || self.weights.len() == 1) {
            tally.item_errors += 1;
            self.answer(part.start, Err(BatchError::Item(error)), tally);
            return;
        }
        let error = Arc::new(error);
        self.end(part, tally, || BatchError::Batch(Arc::clone(&error)));
    }

    /// All items of a part have the same error.
    fn end(
        &mut self,
        part: Range<usize>,
        tally: &mut Tally,
        mut error: impl FnMut() -> BatchError<E>,
    ) {
        for at in part {
            tally.batch_errors += 1;
            self.answer(at, Err(error()), tally);
        }
    }

    fn answer(&mut self, at: usize, answer: Answer<U, E>, tally: &mut Tally) {
        if let Some(callers) = self.callers[at].take() {
            tally.deduplicated += callers.twins.len() as u64;
            self.outbox.push((callers, answer));
        }
    }

    /// Counts what is about to be answered.
    fn settle(&mut self, tally: &mut Tally) {
        let cells = &self.core.cells;
        cells.items_ended(ItemOutcome::Ok, mem::take(&mut tally.ok));
        cells.items_ended(ItemOutcome::ItemError, mem::take(&mut tally.item_errors));
        cells.items_ended(ItemOutcome::BatchError, mem::take(&mut tally.batch_errors));
        cells.items_ended(ItemOutcome::Deduplicated, mem::take(&mut tally.deduplicated));
        let answered = self.outbox.len();
        self.unanswered -= answered;
        self.core.answered(answered);
    }
}

impl<T, U, E, K, D> Batch<T, U, E, K, D> {
    /// Gives the answers in the outbox, the oldest first, and one by one: if one panics when it is
    /// dropped, the others remain to be given.
    fn deliver(&mut self) {
        let share = self.core.share();
        self.outbox.reverse();
        while let Some((callers, answer)) = self.outbox.last_mut() {
            let twin = callers.twins.pop();
            if let (Some(twin), Some(share)) = (twin, share) {
                // Somebody else's clone, which may panic.
                let copy = catch_unwind(AssertUnwindSafe(|| share(answer)));
                let panicked = |payload| Err(BatchError::Panicked(Arc::new(Panic::new(payload))));
                wake(twin.seat.answer(copy.unwrap_or_else(panicked)));
            } else if let Some((callers, answer)) = self.outbox.pop() {
                wake(callers.first.seat.answer(answer));
            }
        }
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

// Its task was dropped: the runtime is shutting down, or the task panicked.
impl<T, U, E, K, D> Drop for Batch<T, U, E, K, D> {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        self.core.answered(mem::take(&mut self.unanswered));
        self.deliver();
        let callers: Vec<_> = self.callers.iter_mut().filter_map(Option::take).collect();
        if !callers.is_empty() {
            self.core.cells.batch_dropped();
        }
        for callers in callers {
            let twins = callers.twins.len() as u64;
            self.core.cells.items_ended(ItemOutcome::BatchError, 1);
            self.core.cells.items_ended(ItemOutcome::Deduplicated, twins);
            for caller in callers.all() {
                wake(caller.seat.answer(Err(BatchError::Aborted)));
            }
        }
        self.permits.complete(Load::Ignore);
        self.core.lose();
    }
}
