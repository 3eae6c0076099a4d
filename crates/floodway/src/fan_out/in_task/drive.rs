//! The side of the consumer.

use std::{
    iter::once,
    task::{Context, Poll, ready},
};

use tokio::task::coop;

use super::{
    super::{
        FanOut, ItemError, Outcome, Report, Stats, StopReason,
        attempts::Attempts,
        classes::Classes,
        engine::{Drive, Ends, Parts, settle},
        options::DEFAULT_CONCURRENCY,
        source::Source,
    },
    Admitting, InTask, Running, Whom,
};

/// Begins when it is first polled. Boxed, so that it may hold what must not move and be moved.
#[doc(hidden)]
pub struct InTaskDrive<S: Source, F, C: Classes<S::Item>, A, Fut, T, E> {
    described: Option<Described<S, F, C, A>>,
    running: Option<Running<S, F, C, A, Fut, T, E>>,
    ending: Option<(StopReason, Stats)>,
}

type Described<S, F, C, A> = (FanOut<S, F, C, A, InTask>, Ends);

impl<S, F, C, A, Fut, T, E> InTaskDrive<S, F, C, A, Fut, T, E>
where
    S: Source,
    F: FnMut(S::Item) -> Fut,
    Fut: Future<Output = Result<T, E>>,
    C: Classes<S::Item>,
    A: Attempts<S::Item, E>,
{
    pub(super) fn new(fan_out: FanOut<S, F, C, A, InTask>, ends: Ends) -> Box<Self> {
        Box::new(Self { described: Some((fan_out, ends)), running: None, ending: None })
    }

    /// Ready once nothing runs and nothing will.
    fn progress(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.ending.is_some() {
            return Poll::Ready(());
        }
        if let Some((fan_out, ends)) = self.described.take() {
            self.running = Some(Running::new(Parts::new(fan_out, ends, DEFAULT_CONCURRENCY)));
        }
        let Some(running) = &mut self.running else {
            return Poll::Ready(());
        };
        let span = running.span.clone();
        let _entered = span.enter();
        if running.progress(context).is_pending() {
            return Poll::Pending;
        }
        let now = running.setting.now();
        let (ending, garbage) = settle(&mut running.ledger, running.setting.cells.as_deref(), now);
        self.ending = Some(ending);
        drop(garbage);
        Poll::Ready(())
    }
}

impl<S, F, C, A, Fut, T, E> Drive for Box<InTaskDrive<S, F, C, A, Fut, T, E>>
where
    S: Source,
    F: FnMut(S::Item) -> Fut,
    Fut: Future<Output = Result<T, E>>,
    C: Classes<S::Item>,
    A: Attempts<S::Item, E>,
{
    type Value = T;
    type Error = E;

    fn poll_progress(&mut self, context: &mut Context<'_>) {
        let _ = self.progress(context);
    }

    #[inline]
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Outcome<T, E>>> {
        // Each outcome uses up some of the budget of the task, so that a consumer that never waits
        // does not keep its thread for itself.
        let budget = ready!(coop::poll_proceed(context));
        let waiting = self.running.as_mut().and_then(|running| running.ledger.deliver());
        if waiting.is_some() {
            budget.made_progress();
            return Poll::Ready(waiting);
        }
        let over = self.progress(context).is_ready();
        match self.running.as_mut().and_then(|running| running.ledger.deliver()) {
            None if !over => Poll::Pending,
            outcome => {
                budget.made_progress();
                Poll::Ready(outcome)
            }
        }
    }

    fn poll_report(&mut self, context: &mut Context<'_>) -> Poll<Report<T, E>> {
        if self.progress(context).is_pending() {
            return Poll::Pending;
        }
        let (stop, stats) = self.ending.clone().expect("it has ended");
        let outcomes = self.running.as_mut().map(|running| running.ledger.take_all());
        Poll::Ready(Report { outcomes: outcomes.unwrap_or_default(), stop, stats })
    }

    fn poll_values(&mut self, context: &mut Context<'_>) -> Poll<Result<Vec<T>, Report<T, E>>> {
        ready!(self.progress(context));
        match (&self.ending, &mut self.running) {
            (Some((stop, _)), Some(running)) if stop.is_success() => {
                Poll::Ready(Ok(running.ledger.take_values()))
            }
            _ => self.poll_report(context).map(Err),
        }
    }

    fn ending(&self) -> Option<(StopReason, Stats)> {
        self.ending.clone()
    }
}

/// A fan-out that is dropped is cancelled: its items are dropped with it and its books closed.
impl<S: Source, F, C: Classes<S::Item>, A, Fut, T, E> Drop for InTaskDrive<S, F, C, A, Fut, T, E> {
    fn drop(&mut self) {
        let Some(running) = &mut self.running else {
            return;
        };
        if self.ending.is_some() {
            return;
        }
        running.ledger.stop(StopReason::Cancelled);
        if let Some(Admitting { whom: Whom::Item(pulled), .. }) = running.admitting.take() {
            let error = ItemError::NotStarted(StopReason::Cancelled);
            running.ledger.never_ran_after_all(pulled, error);
        }
        for (slot, _) in &mut running.slots {
            if let Some(finished) = slot.abandon(StopReason::Cancelled, running.setting.now()) {
                running.ledger.finish(once(finished), running.setting.now());
            }
        }
        let now = running.setting.now();
        let _garbage = settle(&mut running.ledger, running.setting.cells.as_deref(), now);
    }
}

impl<S: Source, F, C: Classes<S::Item>, A, Fut, T, E> std::fmt::Debug
    for InTaskDrive<S, F, C, A, Fut, T, E>
{
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InTaskDrive").field("ending", &self.ending).finish_non_exhaustive()
    }
}
