//! A worker: pulls, runs, books, until there is nothing left.

use std::{
    collections::VecDeque,
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use floodway_control::Chunk;
use tokio::task::coop::consume_budget;

use super::{
    super::{
        ItemError, StopReason,
        admission::Permits,
        attempts::Attempts,
        classes::Classes,
        engine::observe,
        latch::Held,
        ledger::{Finished, Next, Pulled},
        slot::{Look, Slot},
        source::Source,
        time::Timer,
    },
    operate::Operate,
    shared::{Shared, State},
};
use crate::Rejected;

/// How long a fan-out may keep the task that waits for it: a tenth of what tokio's authors call long
/// between two awaits (<https://ryhl.io/blog/async-what-is-blocking/>).
const LONGEST_INLINE: Duration = Duration::from_micros(10);

/// A worker. Whatever happens to it, what it had comes to the books, in its `Drop`.
pub(super) struct Worker<S, O, C, A, T, E>
where
    S: Source<Item: Send + 'static> + Send + 'static,
    O: Operate<S::Item, Value = T, Error = E>,
    C: Classes<S::Item, Key: Send + 'static> + Send + 'static,
    A: Attempts<S::Item, E> + Send + Sync + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    /// Dropped before `_held`: the end of the fan-out has the last reference.
    shared: Arc<Shared<S, O, C, A, T, E>>,
    place: usize,
    slot: Slot<S::Item, C::Key, O::Future>,
    /// What was pulled and not started.
    batch: VecDeque<Pulled<S::Item, C::Key>>,
    /// What ended and is not in the books.
    done: Vec<Finished<C::Key, T, E>>,
    /// The ledger counts this worker among those that run something.
    running: bool,
    idle: bool,
    chunk: Chunk,
    /// When the chunk began, and when the last of its items ended.
    began: u64,
    now: u64,
    timer: Timer,
    task: Option<Waker>,
    _held: Held,
}

impl<S, O, C, A, T, E> Worker<S, O, C, A, T, E>
where
    S: Source<Item: Send + 'static> + Send + 'static,
    O: Operate<S::Item, Value = T, Error = E>,
    C: Classes<S::Item, Key: Send + 'static> + Send + 'static,
    A: Attempts<S::Item, E> + Send + Sync + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    pub(super) fn new(shared: Arc<Shared<S, O, C, A, T, E>>, place: usize) -> Self {
        let held = shared.latch.hold();
        let now = shared.setting.now();
        Self {
            shared,
            place,
            slot: Slot::new(),
            batch: VecDeque::new(),
            done: Vec::new(),
            running: false,
            idle: false,
            chunk: Chunk { items: std::num::NonZeroUsize::MIN, slice: None },
            began: now,
            now,
            timer: Timer::default(),
            task: None,
            _held: held,
        }
    }

    pub(super) async fn work(mut self) {
        while let Some(permits) = self.next().await {
            self.run_chunk(permits).await;
        }
    }

    /// The same, but waits once as soon as a second worker pays, or it has taken long enough.
    pub(super) async fn work_inline_first(mut self) {
        let began = self.now;
        let mut inline = true;
        while let Some(permits) = self.next().await {
            if inline && self.has_enough_for_others(began) {
                inline = false;
                pending_once().await;
                self.shared.grow();
            }
            self.run_chunk(permits).await;
        }
    }

    fn has_enough_for_others(&self, began: u64) -> bool {
        let state = self.shared.state();
        let paying = state.sizer.paying_workers(state.ledger.remaining());
        let taken = Duration::from_nanos(self.now.saturating_sub(began));
        paying.is_some_and(|workers| workers.get() > 1) || taken >= LONGEST_INLINE
    }

    /// Books what is done and takes the next chunk; `None` if there is nothing left for this
    /// worker.
    async fn next(&mut self) -> Option<Permits> {
        let waits = S::WAITS || C::WEIGHED || !self.shared.setting.admission.is_open();
        let (next, colleague) = poll_fn(|context| Poll::Ready(self.turn(waits, context))).await;
        if let Some(colleague) = colleague {
            self.shared.launch(colleague);
        }
        match next {
            Next::Run => Some(Permits::None),
            Next::Rest => None,
            Next::Wait | Next::Pending => self.wait().await,
        }
    }

    /// One look at the books. With `waits`, the rest of the turn is behind the gate.
    fn turn(&mut self, waits: bool, context: &mut Context<'_>) -> (Next, Option<Self>) {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.state();
        self.book(&mut state);
        if state.ledger.stopped().is_some() {
            drop(state);
            shared.after_stop();
            return (Next::Rest, None);
        }
        if state.workers() > state.ledger.bounds.concurrency {
            return (Next::Rest, None);
        }
        let next = if waits {
            if state.ledger.may_have_more() { Next::Wait } else { Next::Rest }
        } else {
            self.pull(&mut state, context)
        };
        match next {
            Next::Run => {
                let colleague = shared.hire(&mut state);
                (next, colleague)
            }
            Next::Rest => (next, None),
            _ => {
                state.idle += 1;
                self.idle = true;
                (next, None)
            }
        }
    }

    /// Waits at the gate for permits, for the source or for room, in this order.
    async fn wait(&mut self) -> Option<Permits> {
        let shared = Arc::clone(&self.shared);
        let _turn = shared.gate.lock().await;
        let permits = loop {
            let permits = if C::WEIGHED { Ok(Permits::None) } else { shared.admit(1).await? };
            // What the source gives is only pulled with permits in hand; while it gives nothing,
            // they are back with the limiter.
            let next = poll_fn(|context| {
                let mut state = shared.state();
                let next = self.pull(&mut state, context);
                if matches!(next, Next::Wait | Next::Pending) {
                    // Nobody but the holder of the gate: there is one place for a waiter.
                    state.ledger.wait(context.waker());
                }
                Poll::Ready(next)
            });
            match next.await {
                Next::Run => {}
                Next::Rest => break None,
                Next::Wait | Next::Pending => {
                    drop(permits);
                    pending_once().await;
                    continue;
                }
            }
            let permits = if C::WEIGHED {
                let weight = self.batch.front().map_or(1, |pulled| pulled.weight);
                shared.admit(weight).await?
            } else {
                permits
            };
            match permits {
                Ok(permits) => break Some(permits),
                Err(rejected) => self.refuse(rejected),
            }
        };
        let mut state = shared.state();
        self.leave_gate(&mut state);
        let colleague = if permits.is_some() { shared.hire(&mut state) } else { None };
        drop(state);
        if let Some(colleague) = colleague {
            shared.launch(colleague);
        }
        permits
    }

    /// What was pulled will not run after all.
    fn refuse(&mut self, rejected: Rejected) {
        let mut state = self.shared.state();
        for pulled in self.batch.drain(..) {
            state.ledger.never_ran_after_all(pulled, ItemError::Rejected(rejected));
        }
        self.running = false;
        drop(state);
        self.shared.after_stop();
    }

    fn pull(&mut self, state: &mut State<S, C, T, E>, context: &mut Context<'_>) -> Next {
        if state.workers() > state.ledger.bounds.concurrency {
            return Next::Rest;
        }
        if self.shared.chunks {
            self.chunk = state.sizer.next(state.ledger.remaining());
        }
        let most = self.chunk.items.get();
        let next = state.ledger.pull(most, self.now, &mut self.batch, context);
        if next == Next::Run {
            self.running = true;
            if let Some(cells) = &self.shared.setting.cells {
                cells.items_started(self.batch.len() as u64);
                if self.shared.chunks {
                    cells.chunk(self.batch.len());
                }
            }
        }
        next
    }

    /// Brings what ended to the books.
    fn book(&mut self, state: &mut State<S, C, T, E>) {
        if !self.running {
            return;
        }
        if !self.batch.is_empty() {
            state.ledger.give_back(self.batch.drain(..));
        }
        if self.shared.chunks {
            let time = Duration::from_nanos(self.now.saturating_sub(self.began));
            state.sizer.record(self.done.len(), time);
        }
        state.ledger.finish(self.done.drain(..), self.now);
        self.running = false;
    }

    fn leave_gate(&mut self, state: &mut State<S, C, T, E>) {
        if self.idle {
            self.idle = false;
            state.idle -= 1;
        }
    }

    /// Runs what was pulled, one after the other.
    async fn run_chunk(&mut self, mut permits: Permits) {
        let one = self.batch.len() == 1;
        let measured = self.shared.setting.timed;
        if !one || S::WAITS || !self.shared.setting.admission.is_open() {
            self.now = self.shared.setting.now();
        }
        self.began = self.now;
        let (mut ran, mut look_at) = (0, self.chunk.items_until_look(0, Duration::ZERO));
        while let Some(pulled) = self.batch.pop_front() {
            // A worker whose items never wait would keep its thread for itself.
            consume_budget().await;
            let result = self.run(pulled, std::mem::take(&mut permits)).await;
            ran += 1;
            if one || ran >= look_at {
                self.now = self.shared.setting.now();
                let elapsed = Duration::from_nanos(self.now.saturating_sub(self.began));
                look_at = ran + self.chunk.items_until_look(ran, elapsed);
                if let Some(finished) = self.slot.finish(result, self.now) {
                    observe(&finished, &self.shared.setting);
                    self.done.push(finished);
                }
                if measured && self.chunk.is_over(elapsed) {
                    break;
                }
            } else if let Some(finished) = self.slot.finish(result, self.now) {
                observe(&finished, &self.shared.setting);
                self.done.push(finished);
            }
            if self.shared.is_aborting() {
                break;
            }
        }
        if !one {
            self.now = self.shared.setting.now();
            self.share_time();
        }
    }

    /// Items of a chunk are too short to be timed one by one: each gets the mean.
    fn share_time(&mut self) {
        let items = self.done.len().max(1) as u64;
        let mean = Duration::from_nanos(self.now.saturating_sub(self.began) / items);
        for finished in &mut self.done {
            finished.timing.running = mean;
        }
    }

    /// Runs one item to its result.
    async fn run(
        &mut self,
        pulled: Pulled<S::Item, C::Key>,
        permits: Permits,
    ) -> Result<T, ItemError<E>> {
        let Self { shared, slot, now, .. } = &mut *self;
        let mut call = |item| shared.operate.operate(item, &shared.latch);
        slot.start(pulled, permits, &shared.setting, &mut call, *now)?;
        loop {
            match poll_fn(|context| self.poll_item(context)).await {
                Some(result) => return result,
                None => self.resume().await?,
            }
        }
    }

    /// Polls the item; `None` if its next attempt wants permits.
    fn poll_item(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<T, ItemError<E>>>> {
        let Self { shared, slot, timer, .. } = &mut *self;
        if shared.is_aborting() {
            return Poll::Ready(Some(Err(self.abandon())));
        }
        let mut call = |item| shared.operate.operate(item, &shared.latch);
        let mut look = slot.look(&shared.setting, context);
        while matches!(look, Look::Pending)
            && let Poll::Ready(now) =
                timer.poll(context, slot.due(&shared.setting), shared.setting.origin)
        {
            look = slot.on_time(&shared.setting, &mut call, context, now);
        }
        match look {
            Look::Done(result) => Poll::Ready(Some(result)),
            Look::WantsPermits => Poll::Ready(None),
            Look::Pending => {
                if !self.task.as_ref().is_some_and(|task| task.will_wake(context.waker())) {
                    self.shared.state().set_task(self.place, context.waker().clone());
                    self.task = Some(context.waker().clone());
                    // It may have been looked for before the waker was there.
                    if self.shared.is_aborting() {
                        return Poll::Ready(Some(Err(self.abandon())));
                    }
                }
                Poll::Pending
            }
        }
    }

    /// Drops what runs.
    fn abandon(&mut self) -> ItemError<E> {
        self.slot.drop_attempts().map_or_else(ItemError::Panicked, |()| {
            let state = self.shared.state();
            ItemError::Cancelled(state.ledger.stopped().cloned().unwrap_or(StopReason::Cancelled))
        })
    }

    /// Begins another attempt once there are permits for it.
    async fn resume(&mut self) -> Result<(), ItemError<E>> {
        let weight = self.slot.weight();
        let shared = Arc::clone(&self.shared);
        let permits = match shared.setting.admission.try_admit(weight) {
            Some(permits) => Some(Ok(permits)),
            None => {
                let _turn = shared.gate.lock().await;
                shared.admit(weight).await
            }
        };
        let permits = match permits {
            Some(Ok(permits)) => permits,
            Some(Err(rejected)) => return Err(ItemError::Rejected(rejected)),
            None => return Err(self.abandon()),
        };
        let mut call = |item| shared.operate.operate(item, &shared.latch);
        self.slot.resume(permits, &shared.setting, &mut call)
    }
}

/// Waits to be polled again: by whoever was given the waker before, or moved this.
async fn pending_once() {
    let mut before = true;
    poll_fn(|_| if std::mem::take(&mut before) { Poll::Pending } else { Poll::Ready(()) }).await;
}

/// What it had comes to the books: everything is there unless the worker was dropped in the middle,
/// with its runtime.
impl<S, O, C, A, T, E> Drop for Worker<S, O, C, A, T, E>
where
    S: Source<Item: Send + 'static> + Send + 'static,
    O: Operate<S::Item, Value = T, Error = E>,
    C: Classes<S::Item, Key: Send + 'static> + Send + 'static,
    A: Attempts<S::Item, E> + Send + Sync + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    fn drop(&mut self) {
        let shared = Arc::clone(&self.shared);
        let interrupted = !self.slot.is_empty() || !self.batch.is_empty() || self.idle;
        let stop = shared.state().ledger.stopped().cloned();
        if interrupted && stop.is_none() {
            shared.state().ledger.stop(StopReason::RuntimeGone);
        }
        let reason = stop.unwrap_or(StopReason::RuntimeGone);
        if let Some(finished) = self.slot.abandon(reason, self.now) {
            observe(&finished, &shared.setting);
            self.done.push(finished);
        }
        let mut state = shared.state();
        self.book(&mut state);
        self.leave_gate(&mut state);
        let supervisor = state.leave(self.place);
        drop(state);
        if let Some(supervisor) = supervisor {
            supervisor.wake();
        }
        shared.after_stop();
    }
}
