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

mod pull;
mod wakers;

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    task::Waker,
    time::Duration,
};

pub(super) use self::pull::{Line, Straight};
use super::{
    ErrorPolicy, ItemError, Outcome, StopReason, Timing,
    backlog::Backlog,
    cells::{Cells, ItemOutcome},
    classes::Classes,
    keys::Keys,
    policy::Counts,
    shelf::{Run, Shelf},
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
    pub(super) key: Option<K>,
    pub(super) outcome: Outcome<T, E>,
}

/// How much may be going on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Items that run at the same time.
    pub(super) concurrency: usize,
    /// Items that were started and not delivered; `usize::MAX` if the end keeps them all.
    pub(super) room: usize,
    /// Outcomes that lie ready, where the concurrency is unbounded.
    pub(super) ready: usize,
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
    /// The policy has to hear of successes, too.
    watches_successes: bool,
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
    /// Outcomes that the consumer has got.
    delivered: usize,
    pub(super) meter: Meter,
    cells: Option<Arc<Cells>>,
    /// Who is told that something can be started again.
    waiter: Option<Waker>,
    /// Who waits for permits and is told of a stop.
    applicant: Option<Waker>,
    /// Who is told that there is an outcome, or that it is over.
    consumer: Option<Waker>,
    /// Who was told, and is to be woken once the lock is released: wakers are foreign code.
    due: [Option<Waker>; 3],
    is_due: bool,
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
        let per_key = classes.per_key();
        let mut ledger = Self {
            source: Some(source),
            exhausted: false,
            backlog,
            classes,
            keys: Keys::new(per_key.get()),
            bounds,
            policy,
            watches_successes: matches!(policy, ErrorPolicy::FirstOk(_) | ErrorPolicy::Quorum(_)),
            pulled: 0,
            returned: VecDeque::new(),
            running: 0,
            counts: Counts::default(),
            first_failure: None,
            stop: None,
            settled: false,
            shelf: if streaming { Shelf::streaming(ordered) } else { Shelf::keeping() },
            delivered: 0,
            meter: Meter::new(now),
            cells,
            waiter: None,
            applicant: None,
            consumer: None,
            due: [None, None, None],
            is_due: false,
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

    /// Items that were taken from the source and do not wait here.
    pub(super) fn pulled(&self) -> usize {
        self.pulled - self.keys.parked() - self.returned.len()
    }

    pub(super) const fn policy(&self) -> ErrorPolicy {
        self.policy
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
        if self.backlog.is_some() && self.running > 0 {
            // What runs may push more.
            return None;
        }
        let waiting = self.keys.parked() + self.returned.len();
        let pulled = (self.pulled - waiting - self.counts.total()) as u64;
        Some(self.remaining()?.saturating_add(pulled))
    }

    /// Whether there is, or may be, something to start.
    #[inline]
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

    /// Whether something could be started now, if the source has it; with `source_waits`, without
    /// asking the source.
    #[inline]
    pub(super) fn can_start(&self, source_waits: bool) -> bool {
        if self.stop.is_some() || self.running >= self.bounds.concurrency {
            return false;
        }
        let at_hand = !self.returned.is_empty() || self.parked_may_start();
        at_hand
            || (((!self.exhausted && !source_waits)
                || self.backlog.as_ref().is_some_and(|backlog| !backlog.is_empty()))
                && self.may_pull())
    }

    /// Whether there is room for another item of the source.
    #[inline]
    fn may_pull(&self) -> bool {
        // In order, what is parked comes before what takes up the room, so it counts.
        let waiting = if self.shelf.is_ordered() { 0 } else { self.keys.parked() };
        let ahead = self.pulled - waiting - self.returned.len();
        let ahead = ahead - self.delivered;
        ahead < self.bounds.room
            // Where as many run as there are, only what lies ready is bounded.
            && (self.bounds.room != usize::MAX
                || ahead.saturating_sub(self.running) < self.bounds.ready)
            && (!C::KEYED || self.keys.parked() < self.bounds.lookahead.max(1))
    }

    /// Whether an item that was parked may run now. In order it needs no room: it comes before
    /// everything that takes up room.
    #[inline]
    fn parked_may_start(&self) -> bool {
        C::KEYED
            && self.keys.runnable()
            && (self.shelf.is_ordered()
                || self.pulled - self.keys.parked() - self.returned.len() - self.delivered
                    < self.bounds.room)
    }

    /// Whether the source says that it has nothing more. Then it need not be asked with a permit.
    pub(super) fn looks_empty(&self) -> bool {
        self.source_hint().1 == Some(0) && !self.has_more_at_hand()
    }

    /// Items will be booked one by one, instead of in runs.
    pub(super) fn expect_ones(&mut self) {
        let (expected, _) = self.source_hint();
        self.shelf.expect(expected);
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

    /// Books values of a chunk that is about to be [finished](Self::finish).
    pub(super) fn put_run(&mut self, run: Run<T>, now: u64) {
        let (items, timing) = (run.values.len(), run.timing);
        self.counts.succeeded += items;
        self.meter.done_many(items, timing.running_nanos(), now);
        if let Some(cells) = &self.cells {
            let running = Duration::from_nanos(timing.running_nanos() * items as u64);
            cells.items_ended(ItemOutcome::Ok, items as u64, running);
        }
        self.shelf.put_run(run);
        if self.watches_successes {
            self.check_policy();
        }
        if self.streaming {
            self.wake_consumer();
        }
    }

    /// Books the end of what ran, one item or the items of a chunk.
    #[inline]
    pub(super) fn finish(
        &mut self,
        finished: impl Iterator<Item = Finished<C::Key, T, E>>,
        now: u64,
    ) {
        self.meter.ended(self.running, now);
        self.running -= 1;
        for Finished { key, outcome } in finished {
            if C::KEYED
                && let Some(key) = key
                && self.keys.release(&key)
            {
                self.wake_waiter();
            }
            self.meter.done(&outcome, now);
            if let Some(cells) = &self.cells {
                cells.item_ended(label(&outcome.result), outcome.timing.running());
            }
            self.book(outcome);
        }
        if self.running == 0 && self.is_over() {
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
        if let Some(cells) = &self.cells {
            cells.items_not_started(label_of(&error), 1);
        }
        let result = Err(error);
        self.book(Outcome { index, result, timing: Timing::default(), attempts: 0 });
    }

    #[inline]
    fn book(&mut self, outcome: Outcome<T, E>) {
        let verdict = match &outcome.result {
            Ok(_) => {
                self.counts.succeeded += 1;
                self.watches_successes
            }
            Err(error) => {
                self.count(outcome.index, label_of(error));
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

    #[cold]
    fn count(&mut self, index: usize, ended: ItemOutcome) {
        if !matches!(ended, ItemOutcome::Cancelled | ItemOutcome::NotStarted) {
            self.first_failure.get_or_insert(index);
        }
        *match ended {
            ItemOutcome::Ok => &mut self.counts.succeeded,
            ItemOutcome::Failed => &mut self.counts.failed,
            ItemOutcome::TimedOut => &mut self.counts.timed_out,
            ItemOutcome::Panicked => &mut self.counts.panicked,
            ItemOutcome::Rejected => &mut self.counts.rejected,
            ItemOutcome::Cancelled => &mut self.counts.cancelled,
            ItemOutcome::NotStarted => &mut self.counts.not_started,
        } += 1;
    }

    #[cold]
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
        if let Some(backlog) = &self.backlog {
            backlog.refuse();
        }
        self.wake_waiter();
        self.wake_consumer();
        if let Some(applicant) = self.applicant.take() {
            self.due[2] = Some(applicant);
            self.is_due = true;
        }
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

    /// The same, and nothing is pushed any more: a push either came before this or is refused.
    pub(super) fn is_over_for_good(&self) -> bool {
        self.is_over()
            && (self.stop.is_some()
                || self.backlog.as_ref().is_none_or(|backlog| backlog.close_if_empty()))
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
        let pushed = self.backlog.as_ref().map(Backlog::close).unwrap_or_default();
        let left = left.saturating_add(pushed.len());
        for pulled in &parked {
            self.never_ran(pulled.index, ItemError::NotStarted(reason.clone()));
        }
        if left > 0 {
            if let Some(cells) = &self.cells {
                cells.items_not_started(ItemOutcome::NotStarted, left as u64);
            }
            self.counts.not_started = self.counts.not_started.saturating_add(left);
            let end = self.pulled.saturating_add(left);
            self.shelf.put_rest(self.pulled..end, &reason);
            self.pulled = end;
        }
        (reason, (parked, pushed, self.source.take()))
    }

    /// The next outcome to deliver, if there is one; makes room for another item.
    #[inline]
    pub(super) fn deliver(&mut self) -> Option<Outcome<T, E>> {
        let outcome = self.shelf.take()?;
        self.delivered += 1;
        self.wake_waiter();
        Some(outcome)
    }

    /// The values, by index.
    pub(super) fn take_values(&mut self) -> Vec<T> {
        self.shelf.take_values()
    }

    /// Moves some of the outcomes that are to be delivered. `got` of those that were moved before
    /// have reached the consumer, and the first of these is about to.
    pub(super) fn deliver_some(&mut self, got: usize, out: &mut VecDeque<Outcome<T, E>>) {
        // Where there is room for few, each of them counts.
        let most = (self.bounds.room / 8).clamp(1, 64);
        out.extend(std::iter::from_fn(|| self.shelf.take()).take(most));
        let got = got + usize::from(!out.is_empty());
        if got > 0 {
            self.delivered += got;
            self.wake_waiter();
        }
    }

    /// All outcomes by index.
    pub(super) fn take_all(&mut self) -> Vec<Outcome<T, E>> {
        self.shelf.take_all()
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
    result.as_ref().map_or_else(label_of, |_| ItemOutcome::Ok)
}

const fn label_of<E>(error: &ItemError<E>) -> ItemOutcome {
    match error {
        ItemError::Failed(_) => ItemOutcome::Failed,
        ItemError::TimedOut => ItemOutcome::TimedOut,
        ItemError::Cancelled(_) => ItemOutcome::Cancelled,
        ItemError::NotStarted(_) => ItemOutcome::NotStarted,
        ItemError::Panicked(_) => ItemOutcome::Panicked,
        ItemError::Rejected(_) => ItemOutcome::Rejected,
    }
}
