//! A worker: pulls, runs, books, until there is nothing left.

mod gate;

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use tokio::task::coop::poll_proceed;

use self::gate::pending_once;
use super::{
    super::{
        ItemError, StopReason,
        attempts::Attempts,
        classes::Classes,
        engine::observe,
        latch::Held,
        ledger::{Finished, Next, Pulled},
        slot::{LineEnd, Look, Slot, Started},
        source::Source,
        time::Timer,
        wake::Stamped,
    },
    lane::Lane,
    operate::{Charge, Operate},
    shared::{Place, Shared, Sharing, State},
};
use crate::{Outcome as Load, Rejected, admission::Permits};

/// How long a fan-out may keep the task that waits for it: well below what tokio's authors call long
/// between two awaits, 10 to 100 µs (<https://ryhl.io/blog/async-what-is-blocking/>).
const LONGEST_INLINE: Duration = Duration::from_micros(50);

/// How long it takes until measured costs mean something: 1,000 items that do nothing take less.
const COLD: Duration = Duration::from_micros(10);

/// Boxed, because most fan-outs have no chunks and all have workers.
type BoxedLane<S, C, T, E> =
    Box<Lane<<S as Source>::Item, <C as Classes<<S as Source>::Item>>::Key, T, E>>;

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
    /// Dropped before `held`: the end of the fan-out has the last reference.
    shared: Arc<Shared<S, O, C, A, T, E>>,
    /// The same once more, to be taken out while the worker itself is borrowed.
    spare: Sharing<S, O, C, A, T, E>,
    place: usize,
    slot: Slot<S::Item, C::Key, O::Future, E>,
    /// What was pulled and not started.
    pulled: Option<Pulled<S::Item, C::Key>>,
    /// What ended and is not in the books.
    one: Option<Finished<C::Key, T, E>>,
    /// With chunks: the rest of what was pulled, and of what ended.
    lane: Option<BoxedLane<S, C, T, E>>,
    /// It has nothing more to do; otherwise it is dropped in the middle, with its runtime.
    goes_home: bool,
    /// The ledger counts this worker among those that run something.
    running: bool,
    idle: bool,
    /// Time went by between the pull and the start.
    has_yielded: bool,
    /// The last reading of the clock.
    now: u64,
    /// For the item that is started next.
    permits: Permits,
    /// For another attempt of the item that runs, or why there are none.
    resuming: Option<Result<Permits, Rejected>>,
    timer: Timer,
    task: Option<Waker>,
    /// With metrics: what items are woken through, to see how long they wait for their next poll.
    stamped: Option<(Arc<Stamped>, Waker)>,
    held: Option<Held>,
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
    pub(super) fn new(shared: Arc<Shared<S, O, C, A, T, E>>, place: usize) -> Box<Self> {
        let held = (!O::QUEUES).then(|| shared.latch.hold());
        let now = shared.setting.now();
        let lane = shared.chunks.then(|| Box::new(Lane::new()));
        Box::new(Self {
            spare: Some(Arc::clone(&shared)),
            shared,
            place,
            slot: Slot::new(),
            pulled: None,
            one: None,
            lane,
            goes_home: false,
            running: false,
            idle: false,
            has_yielded: false,
            now,
            permits: Permits::None,
            resuming: None,
            timer: Timer::default(),
            task: None,
            stamped: None,
            held,
        })
    }

    /// Boxed: a future that takes a large value by itself has room for it twice.
    pub(super) async fn work(mut self: Box<Self>) {
        self.held.get_or_insert_with(|| self.shared.latch.hold());
        // It may have waited for a thread.
        self.now = self.shared.setting.now();
        loop {
            match poll_fn(|context| self.step(context)).await {
                Step::Home => break,
                // Whoever polled it so far moves it into a task of its own.
                Step::Elsewhere => {
                    pending_once().await;
                    self.shared.grow();
                }
                Step::Gate => match self.wait().await {
                    Some(permits) => self.permits = permits,
                    None => break,
                },
                Step::WantsPermits => match self.shared.admit(self.slot.weight()).await {
                    Some(permits) => self.resuming = Some(permits),
                    None => self.abandon(),
                },
            }
        }
        self.goes_home = true;
    }

    /// Goes on until something has to be waited for elsewhere.
    fn step(&mut self, context: &mut Context<'_>) -> Poll<Step> {
        loop {
            if !self.slot.is_empty() {
                match ready!(self.poll_item(context)) {
                    Look::Done(result) => self.end(result),
                    Look::WantsPermits => return Poll::Ready(Step::WantsPermits),
                    // It had to be dropped.
                    Look::Pending => self.abandon(),
                }
            } else if self.pulled.is_some() {
                // A worker whose items never wait would keep its thread for itself.
                ready!(poll_proceed(context)).made_progress();
                self.start(context);
            } else if self.has_line() {
                ready!(poll_proceed(context)).made_progress();
                self.run_line(context);
            } else {
                let waits = S::WAITS || C::WEIGHED || !self.shared.setting.admission.is_open();
                let (next, colleague) = self.turn(waits, context);
                if let Some(colleague) = colleague {
                    self.shared.launch(colleague);
                    // The colleague lies where no other thread can take it until this poll is over,
                    // which an item that computes may keep for long. So it goes first; unless
                    // it could begin a later item of the same key before.
                    if !C::KEYED {
                        self.has_yielded = true;
                        context.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                }
                match next {
                    Next::Run => {
                        if self.shared.is_inline() && self.has_enough_for_others() {
                            return Poll::Ready(Step::Elsewhere);
                        }
                    }
                    Next::Rest => return Poll::Ready(Step::Home),
                    Next::Wait | Next::Pending => return Poll::Ready(Step::Gate),
                }
            }
        }
    }

    /// A second worker pays, or this one has kept the task of the consumer for long enough.
    fn has_enough_for_others(&self) -> bool {
        let mut state = self.shared.state();
        let taken = Duration::from_nanos(self.now.saturating_sub(state.ledger.meter.began()));
        // The first microseconds are those of cold caches and say little of what is to come.
        let others = taken >= COLD && (state.pay_for_others() || taken >= LONGEST_INLINE);
        if others {
            state.size_for_all();
        }
        others
    }

    /// One look at the books. With `waits`, the rest of the turn is behind the gate.
    fn turn(&mut self, waits: bool, context: &mut Context<'_>) -> (Next, Option<Place>) {
        // Taken out and put back: counting references up and down costs a tenth of a short item.
        let shared = self.spare.take().unwrap_or_else(|| Arc::clone(&self.shared));
        let answer = self.turn_with(&shared, waits, context);
        self.spare = Some(shared);
        answer
    }

    #[inline]
    fn turn_with(
        &mut self,
        shared: &Arc<Shared<S, O, C, A, T, E>>,
        waits: bool,
        context: &mut Context<'_>,
    ) -> (Next, Option<Place>) {
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
        let answer = self.answer(next, &mut state);
        drop(state);
        shared.after_pull();
        if next == Next::Rest {
            shared.after_stop();
        }
        answer
    }

    #[inline]
    fn answer(&mut self, next: Next, state: &mut State<S, C, T, E>) -> (Next, Option<Place>) {
        match next {
            Next::Run => (next, self.shared.hire(state)),
            Next::Rest => (next, None),
            _ => {
                state.idle += 1;
                self.idle = true;
                (next, None)
            }
        }
    }

    #[inline]
    fn pull(&mut self, state: &mut State<S, C, T, E>, context: &mut Context<'_>) -> Next {
        if state.workers() > state.ledger.bounds.concurrency {
            return Next::Rest;
        }
        if self.idle || self.lane.is_some() {
            // It has waited, or chunks are timed from their first item on.
            self.now = self.shared.setting.now();
        }
        let next = match &mut self.lane {
            None => state.ledger.pull_one(self.now, context).map(|pulled| {
                self.pulled = Some(pulled);
            }),
            Some(lane) => {
                let chunk = state.sizer.next(state.ledger.remaining());
                let most = chunk.items.get();
                let pulled = state.ledger.pull_line(most, self.now, &mut lane.line, context);
                pulled.map(|()| {
                    lane.begin(chunk, state.sizer.estimate().item_time, self.now);
                    if let Some(cells) = &self.shared.setting.cells {
                        cells.chunk(lane.line.items.len());
                    }
                })
            }
        };
        if let Err(next) = next {
            return next;
        }
        self.running = true;
        if state.ledger.stopped().is_some() {
            // The source panicked in the middle of a chunk.
            self.book(state);
            return Next::Rest;
        }
        Next::Run
    }

    /// Brings what ended to the books.
    #[inline]
    fn book(&mut self, state: &mut State<S, C, T, E>) {
        if !self.running {
            return;
        }
        if let Some(pulled) = self.pulled.take() {
            state.ledger.give_back(std::iter::once(pulled));
        }
        match &mut self.lane {
            None => state.ledger.finish(self.one.take().into_iter(), self.now),
            Some(lane) => {
                self.now = self.shared.setting.now();
                lane.book(state, self.now);
            }
        }
        self.running = false;
    }

    /// Whether there is an item of the chunk to start, and time left for it.
    #[inline]
    fn has_line(&mut self) -> bool {
        let Self { lane, shared, .. } = self;
        lane.as_mut()
            .is_some_and(|lane| lane.goes_on(|| shared.is_stopping(), &shared.setting.clock))
    }

    /// Runs items of the chunk until one waits or fails, or it is time to look at the clock.
    fn run_line(&mut self, context: &Context<'_>) {
        self.stamp(context.waker());
        let Self { shared, slot, lane: Some(lane), now, stamped, .. } = &mut *self else {
            return;
        };
        let since = lane.line.since;
        if A::MANY || shared.policy.may_stop_after(true) {
            // Each by itself: it may be tried again, or be the last that is needed.
            if let Some(item) = lane.line.items.pop_front() {
                let index = lane.started(1);
                lane.end_run();
                self.pulled = Some(Pulled { index, item, key: None, weight: 1, since });
                self.start(context);
            }
            return;
        }
        let (before, most) = (lane.line.items.len(), lane.until_look());
        let call = |item| shared.operate.operate(item, &shared.latch, Charge::default());
        let Lane { line, run, .. } = &mut **lane;
        let waker = stamped.as_ref().map_or(context.waker(), |(stamped, waker)| {
            stamped.stamp.reset();
            waker
        });
        let context = &mut Context::from_waker(waker);
        let end = slot.run_line(&mut line.items, most, &mut run.values, call, context);
        let started = before - line.items.len();
        let last = lane.started(started);
        if let Some(cells) = &shared.setting.cells {
            cells.items_started(started as u64);
        }
        match end {
            LineEnd::Look => {}
            LineEnd::Waits => {
                lane.end_run();
                slot.keep(last, since, &shared.setting, *now);
                self.give_back_rest();
            }
            LineEnd::Failed(error) => {
                lane.end_run();
                let failed =
                    Slot::<S::Item, C::Key, O::Future, E>::failed(last, since, error, *now);
                self.push(failed);
            }
        }
    }

    #[inline]
    fn start(&mut self, context: &Context<'_>) {
        let Some(pulled) = self.pulled.take() else {
            return;
        };
        self.stamp(context.waker());
        if std::mem::take(&mut self.has_yielded) {
            self.now = self.shared.setting.now();
        }
        let mut permits = std::mem::take(&mut self.permits);
        let Self { shared, slot, now, stamped, .. } = &mut *self;
        let waker = stamped.as_ref().map_or(context.waker(), |(stamped, waker)| {
            stamped.stamp.reset();
            waker
        });
        let context = &mut Context::from_waker(waker);
        let mut charge = charge::<S, O>(&mut permits, shared.setting.load_of_failures);
        if let Some(cells) = &shared.setting.cells {
            cells.items_started(1);
        }
        let mut call =
            |item| shared.operate.operate(item, &shared.latch, std::mem::take(&mut charge));
        match slot.start(pulled, permits, &shared.setting, &mut call, context, *now) {
            // The first look has been had: what woke it since wakes this worker.
            Started::Waits => self.give_back_rest(),
            Started::Done(done) => {
                let now = self.end_time();
                self.push(done.at(now));
            }
            Started::Looked(Look::Done(result)) => self.end(result),
            Started::Looked(_) => {}
        }
    }

    /// An item of a chunk waits: what is behind it need not, unless it was asked to.
    fn give_back_rest(&mut self) {
        let Some(lane) = self.lane.as_mut().filter(|lane| lane.is_adaptive()) else {
            return;
        };
        if lane.line.items.is_empty() {
            return;
        }
        let mut state = self.shared.state();
        state.ledger.give_back(lane.line.drain());
        state.ledger.wake_waiter();
        drop(state);
        self.shared.grow();
    }

    /// The item that runs has ended.
    fn end(&mut self, result: Result<T, ItemError<E>>) {
        let now = self.end_time();
        if let Some(finished) = self.slot.finish(result, now) {
            self.push(finished);
        }
    }

    /// When an item ended: now, unless it is one of many, which share their time.
    #[inline]
    fn end_time(&mut self) -> u64 {
        if self.lane.is_none() {
            self.now = self.shared.setting.now();
        }
        self.now
    }

    #[inline]
    fn push(&mut self, finished: Finished<C::Key, T, E>) {
        observe(&finished, &self.shared.setting);
        match &mut self.lane {
            None => self.one = Some(finished),
            Some(lane) => {
                lane.cut |= self.shared.policy.may_stop_after(finished.outcome.result.is_ok());
                lane.done.push(finished);
            }
        }
    }

    /// With metrics, what the item is to be woken through instead of the task itself.
    #[inline]
    fn stamp(&mut self, task: &Waker) {
        if self.shared.setting.cells.is_none() {
            return;
        }
        match &self.stamped {
            Some((stamped, _)) => stamped.follow(task),
            None => {
                let stamped = Stamped::new(self.shared.setting.clock.clone(), task);
                let waker = Waker::from(Arc::clone(&stamped));
                self.stamped = Some((stamped, waker));
            }
        }
    }

    /// Polls the item; `Look::Pending` if it has to go.
    fn poll_item(&mut self, context: &Context<'_>) -> Poll<Look<T, E>> {
        if self.shared.is_aborting() {
            return Poll::Ready(Look::Pending);
        }
        self.stamp(context.waker());
        let Self { shared, slot, timer, resuming, stamped, .. } = &mut *self;
        let task = context.waker();
        if let (Some(cells), Some((stamped, _))) = (&shared.setting.cells, &stamped)
            && let Some(delay) = stamped.stamp.take_delay()
        {
            cells.woken(delay);
        }
        let context = &mut Context::from_waker(stamped.as_ref().map_or(task, |(_, waker)| waker));
        let mut charge_of_next = Charge::default();
        let charge_of_next = &mut charge_of_next;
        let mut resuming = resuming.take();
        if let Some(Ok(permits)) = &mut resuming {
            *charge_of_next = charge::<S, O>(permits, shared.setting.load_of_failures);
        }
        let mut call =
            |item| shared.operate.operate(item, &shared.latch, std::mem::take(charge_of_next));
        let mut look = match resuming {
            None => slot.look(&shared.setting, context),
            Some(Ok(permits)) => slot.resume(permits, &shared.setting, &mut call, context),
            Some(Err(rejected)) => Look::Done(Err(rejected.into())),
        };
        while matches!(look, Look::Pending)
            && let Poll::Ready(now) =
                timer.poll(context, slot.due(&shared.setting), shared.setting.origin)
        {
            look = slot.on_time(&shared.setting, &mut call, context, now);
        }
        match look {
            Look::Done(_) | Look::WantsPermits => Poll::Ready(look),
            Look::Pending => {
                if !self.task.as_ref().is_some_and(|known| known.will_wake(task)) {
                    self.shared.state().set_task(self.place, task.clone());
                    self.task = Some(task.clone());
                    // It may have been looked for before the waker was there.
                    if self.shared.is_aborting() {
                        return Poll::Ready(Look::Pending);
                    }
                }
                // Nothing is started any more, so there will be no other attempt.
                if self.shared.is_stopping() && !self.slot.runs() {
                    return Poll::Ready(Look::Pending);
                }
                Poll::Pending
            }
        }
    }

    /// Drops what runs.
    fn abandon(&mut self) {
        let reason = self.shared.state().ledger.stopped().cloned();
        let now = self.end_time();
        if let Some(finished) = self.slot.abandon(reason.unwrap_or(StopReason::Cancelled), now) {
            self.push(finished);
        }
    }
}

/// The permits that go with a detached item, which are no longer the slot's.
#[inline]
fn charge<S: Source, O: Operate<S::Item>>(permits: &mut Permits, load_of_failures: Load) -> Charge {
    let permits = if O::DETACHED { std::mem::take(permits) } else { Permits::None };
    Charge { permits, load_of_failures }
}

/// What a worker cannot do by itself.
enum Step {
    /// There is nothing left for it.
    Home,
    /// Wait at the gate.
    Gate,
    /// Leave the task of the consumer.
    Elsewhere,
    /// Get permits for another attempt.
    WantsPermits,
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
        let mut state = shared.state();
        if !self.goes_home {
            state.ledger.stop(StopReason::RuntimeGone);
        }
        let reason = state.ledger.stopped().cloned().unwrap_or(StopReason::RuntimeGone);
        drop(state);
        if let Some(finished) = self.slot.abandon(reason, self.now) {
            self.push(finished);
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
        // Something may have been pushed, or more allowed to run, since it looked for the last time.
        if self.goes_home {
            shared.grow();
        }
    }
}
