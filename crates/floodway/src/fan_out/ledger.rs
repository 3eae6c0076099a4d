//! The books of one fan-out: what was pulled, what runs, what became of it, and when to stop.
//!
//! Pure bookkeeping behind whatever lock an engine needs; nothing here waits. The life of an item:
//!
//! ```text
//!            key is busy
//!  source ──────────────> parked ──┐
//!    │                             v
//!    └─────────────────────────> running ──> outcome ──> delivered
//! ```

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    task::{Context, Poll, Waker},
};

use super::{
    ErrorPolicy, ItemError, Outcome, StopReason, Timing,
    backlog::Backlog,
    cells::{Cells, ItemOutcome},
    classes::Classes,
    keys::Keys,
    outcome::Panic,
    policy::Counts,
    shelf::Shelf,
    source::Source,
    stats::Meter,
};

/// An item that has its turn.
pub(super) struct Pulled<I, K> {
    pub(super) index: usize,
    pub(super) item: I,
    pub(super) key: Option<K>,
    pub(super) weight: u32,
    /// When it was there, in nanoseconds of the clock.
    pub(super) since: u64,
}

/// What a worker is to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Run what it was given.
    Run,
    /// Ask again once woken: the source has nothing now.
    Pending,
    /// Ask again once woken: there is no room, or every key is busy.
    Wait,
    /// Go home: there is nothing more to start.
    Rest,
}

/// How an item that ran came to its end.
pub(super) struct Finished<K, T, E> {
    pub(super) index: usize,
    pub(super) key: Option<K>,
    pub(super) result: Result<T, ItemError<E>>,
    pub(super) timing: Timing,
    pub(super) attempts: u32,
}

/// How much may be going on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Items that run at the same time.
    pub(super) concurrency: usize,
    /// Items that were started and not delivered; `usize::MAX` if the end keeps them all.
    pub(super) room: usize,
    /// Items that are parked.
    pub(super) lookahead: usize,
}

pub(super) struct Ledger<S: Source, C: Classes<S::Item>, T, E> {
    /// Kept to the end, to be dropped outside the lock.
    source: Option<S>,
    /// The source gave its last item, or panicked.
    exhausted: bool,
    backlog: Option<Backlog<S::Item>>,
    classes: C,
    keys: Keys<C::Key, Pulled<S::Item, C::Key>>,
    pub(super) bounds: Bounds,
    policy: ErrorPolicy,
    pulled: usize,
    /// Items of chunks that took too long.
    returned: VecDeque<Pulled<S::Item, C::Key>>,
    /// Workers, or places in the set of futures, that have an item or a chunk.
    running: usize,
    counts: Counts,
    first_failure: Option<usize>,
    stop: Option<StopReason>,
    settled: bool,
    shelf: Shelf<T, E>,
    pub(super) meter: Meter,
    cells: Option<Arc<Cells>>,
    /// Who is told that something can be started again.
    waiter: Option<Waker>,
    /// Who is told that there is an outcome, or that it is over.
    consumer: Option<Waker>,
    /// Who was told, and is to be woken once the lock is released: wakers are foreign code.
    due: [Option<Waker>; 2],
    /// The consumer looks at every outcome, as opposed to all of them at the end.
    streaming: bool,
}

impl<S: Source, C: Classes<S::Item>, T, E> Ledger<S, C, T, E> {
    #[expect(clippy::too_many_arguments, reason = "the one place where a ledger is opened")]
    pub(super) fn new(
        source: S,
        backlog: Option<Backlog<S::Item>>,
        classes: C,
        bounds: Bounds,
        policy: ErrorPolicy,
        ordered: bool,
        streaming: bool,
        cells: Option<Arc<Cells>>,
        now: u64,
    ) -> Self {
        let expected = if streaming { 0 } else { source.size_hint().0 };
        let per_key = classes.per_key();
        let mut ledger = Self {
            source: Some(source),
            exhausted: false,
            backlog,
            classes,
            keys: Keys::new(per_key.get()),
            bounds,
            policy,
            pulled: 0,
            returned: VecDeque::new(),
            running: 0,
            counts: Counts::default(),
            first_failure: None,
            stop: None,
            settled: false,
            shelf: Shelf::new(ordered, expected),
            meter: Meter::new(now),
            cells,
            waiter: None,
            consumer: None,
            due: [None, None],
            streaming,
        };
        ledger.check_policy();
        ledger
    }

    pub(super) const fn stopped(&self) -> Option<&StopReason> {
        self.stop.as_ref()
    }

    /// Whether [`settle`](Self::settle) was called.
    pub(super) const fn is_settled(&self) -> bool {
        self.settled
    }

    pub(super) const fn first_failure(&self) -> Option<usize> {
        self.first_failure
    }

    pub(super) const fn pulled(&self) -> usize {
        self.pulled
    }

    pub(super) const fn counts(&self) -> &Counts {
        &self.counts
    }

    pub(super) const fn running(&self) -> usize {
        self.running
    }

    /// Items that are still to come, if that is known.
    pub(super) fn remaining(&self) -> Option<u64> {
        let (least, most) = self.source_hint();
        let source = (most == Some(least)).then_some(least as u64)?;
        let pushed = match &self.backlog {
            Some(backlog) if backlog.is_held_open() => return None,
            Some(backlog) => backlog.len() as u64,
            None => 0,
        };
        let waiting = (self.keys.parked() + self.returned.len()) as u64;
        Some(source.saturating_add(pushed).saturating_add(waiting))
    }

    fn source_hint(&self) -> (usize, Option<usize>) {
        match &self.source {
            Some(source) if !self.exhausted => {
                // Foreign code, asked under the lock: one that panics knows nothing.
                catch_unwind(AssertUnwindSafe(|| source.size_hint())).unwrap_or((0, None))
            }
            _ => (0, Some(0)),
        }
    }

    /// Items that were not started, or not finished, if that is known.
    fn open(&self) -> Option<u64> {
        let waiting = self.keys.parked() + self.returned.len();
        let pulled = (self.pulled - waiting - self.counts.total()) as u64;
        Some(self.remaining()?.saturating_add(pulled))
    }

    /// Whether there is, or may be, something to start.
    pub(super) fn may_have_more(&self) -> bool {
        self.stop.is_none() && (!self.exhausted || self.has_more_at_hand())
    }

    /// The same, taking the source at its word. Somebody has to ask it once more all the same.
    pub(super) fn is_worth_a_worker(&self, others: usize) -> bool {
        let may_give = || others == 0 || self.source_hint().1 != Some(0);
        self.stop.is_none() && ((!self.exhausted && may_give()) || self.has_more_at_hand())
    }

    fn has_more_at_hand(&self) -> bool {
        self.backlog.as_ref().is_some_and(|backlog| !backlog.is_empty())
            || !self.returned.is_empty()
            || self.keys.runnable()
    }

    /// Whether something could be started now, if the source has it.
    pub(super) fn can_start(&self) -> bool {
        let started = self.pulled - self.keys.parked() - self.returned.len();
        self.may_have_more()
            && self.running < self.bounds.concurrency
            && (started - self.shelf.delivered() < self.bounds.room || self.keys.runnable())
    }

    /// Who is woken by a push.
    pub(super) fn listen(&self, waker: &Waker) {
        if let Some(backlog) = &self.backlog {
            backlog.set_waker(waker);
        }
    }

    /// Puts back what was pulled in a chunk and not started.
    pub(super) fn give_back(&mut self, items: impl Iterator<Item = Pulled<S::Item, C::Key>>) {
        self.returned.extend(items);
        self.returned.make_contiguous().sort_unstable_by_key(|pulled| pulled.index);
    }

    /// Takes up to `most` items, which then count as one that runs.
    ///
    /// Panics of the source, of keys and of weights become stops and outcomes.
    pub(super) fn pull(
        &mut self,
        most: usize,
        now: u64,
        out: &mut VecDeque<Pulled<S::Item, C::Key>>,
        context: &mut Context<'_>,
    ) -> Next {
        while out.len() < most {
            match self.pull_one(now, context) {
                Ok(pulled) => out.push_back(pulled),
                Err(next) if out.is_empty() => return next,
                Err(_) => break,
            }
        }
        self.running += 1;
        self.meter.started(self.running, now);
        Next::Run
    }

    fn pull_one(
        &mut self,
        now: u64,
        context: &mut Context<'_>,
    ) -> Result<Pulled<S::Item, C::Key>, Next> {
        if self.stop.is_some() {
            return Err(Next::Rest);
        }
        if self.running >= self.bounds.concurrency {
            return Err(Next::Wait);
        }
        if let Some(pulled) = self.returned.pop_front() {
            return Ok(pulled);
        }
        let started = self.pulled - self.keys.parked();
        let ordered = self.shelf.is_ordered();
        let full = started - self.shelf.delivered() >= self.bounds.room;
        // In order, what is parked comes before everything that takes up room: it must not wait.
        if C::KEYED
            && (ordered || !full)
            && let Some(pulled) = self.keys.next()
        {
            return Ok(pulled);
        }
        loop {
            let ahead = if ordered { self.pulled } else { self.pulled - self.keys.parked() };
            if ahead - self.shelf.delivered() >= self.bounds.room {
                return Err(Next::Wait);
            }
            if C::KEYED && self.keys.parked() >= self.bounds.lookahead {
                return Err(Next::Wait);
            }
            let item = self.take_item(context)?;
            let index = self.pulled;
            self.pulled += 1;
            let classes = &mut self.classes;
            let class = || (classes.key(&item), if C::WEIGHED { classes.weight(&item) } else { 1 });
            let class = if C::KEYED || C::WEIGHED {
                catch_unwind(AssertUnwindSafe(class))
            } else {
                Ok((None, 1))
            };
            let since = if S::WAITS { now } else { self.meter.began() };
            match class {
                Ok((key, weight)) => {
                    let pulled = Pulled { index, item, key, weight, since };
                    if !C::KEYED {
                        return Ok(pulled);
                    }
                    let key = pulled.key.clone();
                    if let Some(pulled) = self.keys.admit_or_park(key, pulled) {
                        return Ok(pulled);
                    }
                }
                Err(payload) => self.never_ran(index, ItemError::Panicked(Panic::new(payload))),
            }
            if self.stop.is_some() {
                return Err(Next::Rest);
            }
        }
    }

    fn take_item(&mut self, context: &mut Context<'_>) -> Result<S::Item, Next> {
        if let Some(item) = self.backlog.as_ref().and_then(|backlog| backlog.pop()) {
            return Ok(item);
        }
        let mut waits = false;
        if let Some(source) = &mut self.source
            && !self.exhausted
        {
            match catch_unwind(AssertUnwindSafe(|| source.poll_next(context))) {
                Ok(Poll::Ready(Some(item))) => return Ok(item),
                Ok(Poll::Ready(None)) => self.exhausted = true,
                Ok(Poll::Pending) => waits = true,
                Err(payload) => {
                    self.exhausted = true;
                    let message = Panic::new(payload).message().into();
                    self.stop(StopReason::SourceFailed(message));
                    return Err(Next::Rest);
                }
            }
        }
        Err(if waits { Next::Pending } else { Next::Rest })
    }

    /// Books the end of what ran, one item or the items of a chunk.
    pub(super) fn finish(
        &mut self,
        finished: impl Iterator<Item = Finished<C::Key, T, E>>,
        now: u64,
    ) {
        self.meter.ended(self.running, now);
        self.running -= 1;
        for Finished { index, key, result, timing, attempts } in finished {
            if let Some(key) = key
                && self.keys.release(&key)
            {
                self.wake_waiter();
            }
            self.meter.done(timing.running, attempts, now);
            if let Some(cells) = &self.cells {
                cells.item_ended(label(&result), timing.running);
            }
            self.book(Outcome { index, result, timing, attempts });
        }
        if self.is_over() {
            self.wake_consumer();
        }
    }

    /// Books an item that had its turn and was not started.
    pub(super) fn never_ran_after_all(
        &mut self,
        pulled: Pulled<S::Item, C::Key>,
        error: ItemError<E>,
    ) {
        self.running -= 1;
        if let Some(key) = &pulled.key {
            self.keys.release(key);
        }
        self.never_ran(pulled.index, error);
        if self.is_over() {
            self.wake_consumer();
        }
    }

    /// Books an item that was pulled and never ran.
    fn never_ran(&mut self, index: usize, error: ItemError<E>) {
        let result = Err(error);
        if let Some(cells) = &self.cells {
            cells.items_not_started(label(&result), 1);
        }
        self.book(Outcome { index, result, timing: Timing::default(), attempts: 0 });
    }

    #[inline]
    fn book(&mut self, outcome: Outcome<T, E>) {
        let verdict = match &outcome.result {
            Ok(_) => {
                self.counts.succeeded += 1;
                matches!(self.policy, ErrorPolicy::FirstOk(_) | ErrorPolicy::Quorum(_))
            }
            Err(error) => {
                if error.is_failure() {
                    self.first_failure.get_or_insert(outcome.index);
                }
                *match error {
                    ItemError::Failed(_) => &mut self.counts.failed,
                    ItemError::TimedOut => &mut self.counts.timed_out,
                    ItemError::Panicked(_) => &mut self.counts.panicked,
                    ItemError::Rejected(_) => &mut self.counts.rejected,
                    ItemError::Cancelled(_) => &mut self.counts.cancelled,
                    ItemError::NotStarted(_) => &mut self.counts.not_started,
                } += 1;
                true
            }
        };
        self.shelf.put(outcome);
        if verdict {
            self.check_policy();
        }
        if self.streaming {
            self.wake_consumer();
        }
    }

    fn check_policy(&mut self) {
        if self.stop.is_none()
            && let Some(reason) = self.policy.verdict(&self.counts, self.open())
        {
            self.stop(reason);
        }
    }

    /// Nothing is started from now on. The first reason stays.
    pub(super) fn stop(&mut self, reason: StopReason) {
        if self.stop.is_some() {
            return;
        }
        self.stop = Some(reason);
        self.wake_waiter();
        self.wake_consumer();
    }

    /// Whether nothing runs and nothing will.
    pub(super) fn is_over(&self) -> bool {
        self.running == 0
            && (self.stop.is_some()
                || (self.exhausted
                    && self.keys.parked() == 0
                    && self.returned.is_empty()
                    && self.backlog.as_ref().is_none_or(|b| b.is_empty() && !b.is_held_open())))
    }

    /// Books what will never run, and says why it ended. Call once, when it [is over](Self::is_over)
    /// and every future has been dropped.
    ///
    /// Items that are still in a source of unknown length are left there: they were never pulled.
    pub(super) fn settle(&mut self) -> (StopReason, impl Sized + use<S, C, T, E>) {
        self.settled = true;
        let reason = self.stop.get_or_insert(StopReason::Completed).clone();
        let mut parked = self.keys.drain();
        parked.extend(self.returned.drain(..));
        let (least, most) = self.source_hint();
        let left = if most == Some(least) { least } else { 0 };
        let left = left + self.backlog.as_ref().map_or(0, Backlog::close);
        for pulled in &parked {
            self.never_ran(pulled.index, ItemError::NotStarted(reason.clone()));
        }
        if left > 0 {
            if let Some(cells) = &self.cells {
                cells.items_not_started(ItemOutcome::NotStarted, left as u64);
            }
            self.counts.not_started += left;
            self.shelf.put_rest(self.pulled..self.pulled + left, &reason);
            self.pulled += left;
        }
        (reason, (parked, self.source.take()))
    }

    /// The next outcome to deliver, if there is one; makes room for another item.
    pub(super) fn deliver(&mut self) -> Option<Outcome<T, E>> {
        let outcome = self.shelf.take()?;
        self.wake_waiter();
        Some(outcome)
    }

    /// All outcomes by index.
    pub(super) fn take_all(&mut self) -> Vec<Outcome<T, E>> {
        self.shelf.take_all()
    }

    pub(super) fn register_consumer(&mut self, waker: &Waker) {
        match &mut self.consumer {
            Some(consumer) => consumer.clone_from(waker),
            None => self.consumer = Some(waker.clone()),
        }
    }

    /// Whoever waits for something else than the ledger hears of a stop, too.
    pub(super) fn wait(&mut self, waker: &Waker) {
        if !self.waiter.as_ref().is_some_and(|waiter| waiter.will_wake(waker)) {
            self.waiter = Some(waker.clone());
        }
    }

    pub(super) fn wake_consumer(&mut self) {
        if let Some(consumer) = self.consumer.take() {
            self.due[0] = Some(consumer);
        }
    }

    pub(super) fn wake_waiter(&mut self) {
        if let Some(waiter) = self.waiter.take() {
            self.due[1] = Some(waiter);
        }
    }

    /// Whom to wake once the lock is released.
    pub(super) fn take_due(&mut self) -> [Option<Waker>; 2] {
        std::mem::take(&mut self.due)
    }

    pub(super) fn set_concurrency(&mut self, concurrency: usize) {
        if self.bounds.room != usize::MAX {
            let buffer = self.bounds.room - self.bounds.concurrency;
            self.bounds.room = concurrency.saturating_add(buffer);
        }
        self.bounds.concurrency = concurrency;
    }
}

/// The value of the metric label.
fn label<T, E>(result: &Result<T, ItemError<E>>) -> ItemOutcome {
    match result {
        Ok(_) => ItemOutcome::Ok,
        Err(ItemError::Failed(_)) => ItemOutcome::Failed,
        Err(ItemError::TimedOut) => ItemOutcome::TimedOut,
        Err(ItemError::Cancelled(_)) => ItemOutcome::Cancelled,
        Err(ItemError::NotStarted(_)) => ItemOutcome::NotStarted,
        Err(ItemError::Panicked(_)) => ItemOutcome::Panicked,
        Err(ItemError::Rejected(_)) => ItemOutcome::Rejected,
    }
}
