//! How items leave their source.

use std::{
    any::Any,
    cell::Cell,
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    task::{Context, Poll},
};

use super::{
    super::{ItemError, Outcome, StopReason, Timing, classes::Classes, source::Source},
    Ledger, Next, Pulled,
};
use crate::Panic;

/// Why items no longer run straight from the source.
pub(in crate::fan_out) enum Straight<E> {
    /// As many ran as were to.
    Most,
    /// The source gave its last item.
    Exhausted,
    /// The source has nothing now.
    SourceWaits,
    /// The item of this index waits.
    Waits(usize),
    /// The item of this index failed.
    Failed(usize, ItemError<E>),
}

/// Consecutive items that one worker has, of which it runs one after the other.
pub(in crate::fan_out) struct Line<I> {
    pub(in crate::fan_out) items: VecDeque<I>,
    /// The index of the first of them.
    pub(in crate::fan_out) next: usize,
    /// When they were there.
    pub(in crate::fan_out) since: u64,
}

impl<I> Line<I> {
    pub(in crate::fan_out) const fn new() -> Self {
        Self { items: VecDeque::new(), next: 0, since: 0 }
    }

    /// Takes out what is left.
    pub(in crate::fan_out) fn drain<K>(&mut self) -> impl Iterator<Item = Pulled<I, K>> {
        let Self { items, next, since } = self;
        let (next, since) = (*next, *since);
        let pulled =
            move |(place, item)| Pulled { index: next + place, item, key: None, weight: 1, since };
        items.drain(..).enumerate().map(pulled)
    }
}

impl<S: Source, C: Classes<S::Item>, T, E> Ledger<S, C, T, E> {
    /// Takes one item, which counts as running from here on.
    #[inline]
    pub(in crate::fan_out) fn pull_one(
        &mut self,
        now: u64,
        context: &mut Context<'_>,
    ) -> Result<Pulled<S::Item, C::Key>, Next> {
        let pulled = self.take(now, context)?;
        self.running += 1;
        self.meter.started(self.running, now);
        Ok(pulled)
    }

    /// Whether items can be run straight from the source: there is nothing else that would come
    /// first, and nothing that has to hear of each of them. How many there is room for.
    #[inline]
    pub(in crate::fan_out) fn straight(&self) -> usize {
        let plain = !C::KEYED
            && !C::WEIGHED
            && self.stop.is_none()
            && !self.exhausted
            && self.returned.is_empty()
            && self.backlog.is_none()
            && !self.watches_successes;
        if !plain || self.running >= self.bounds.concurrency {
            return 0;
        }
        self.bounds.room.saturating_sub(self.pulled - self.delivered)
    }

    /// Runs up to `most` items straight from the source, for as long as they do not wait: `run` is
    /// given each and says what became of it.
    ///
    /// Only while [`straight`](Self::straight) says that there is room for them. One item runs at a
    /// time, so what runs besides stays as it is.
    #[inline]
    pub(in crate::fan_out) fn run_straight<R>(
        &mut self,
        most: usize,
        context: &mut Context<'_>,
        mut run: R,
    ) -> Straight<E>
    where
        R: FnMut(S::Item) -> Poll<Result<T, E>>,
    {
        let Some(source) = &mut self.source else {
            return Straight::Most;
        };
        let (shelf, index) = (&mut self.shelf, Cell::new(self.pulled));
        let (pulling, before) = (Cell::new(true), self.pulled);
        let lane = || {
            for _ in 0..most {
                pulling.set(true);
                let item = match source.poll_next(context) {
                    Poll::Ready(Some(item)) => item,
                    Poll::Ready(None) => return Straight::Exhausted,
                    Poll::Pending => return Straight::SourceWaits,
                };
                pulling.set(false);
                let at = index.get();
                index.set(at + 1);
                match run(item) {
                    Poll::Ready(Ok(value)) => shelf.put(Outcome {
                        index: at,
                        result: Ok(value),
                        timing: Timing::default(),
                        attempts: 1,
                    }),
                    Poll::Ready(Err(error)) => {
                        return Straight::Failed(at, ItemError::Failed(error));
                    }
                    Poll::Pending => return Straight::Waits(at),
                }
            }
            Straight::Most
        };
        let caught = catch_unwind(AssertUnwindSafe(lane));
        self.pulled = index.get();
        let ran = self.pulled - before;
        let end = match caught {
            Ok(end) => end,
            Err(payload) if pulling.get() => {
                self.source_failed(payload);
                Straight::Most
            }
            Err(payload) => Straight::Failed(self.pulled - 1, ItemError::panicked(payload)),
        };
        let ended = ran - usize::from(matches!(end, Straight::Failed(..) | Straight::Waits(_)));
        self.counts.succeeded += ended;
        self.meter.ran_straight(self.running, ran as u64);
        if matches!(end, Straight::Exhausted) {
            self.exhausted = true;
            self.check_policy();
        }
        end
    }

    /// The item that [`run_straight`](Self::run_straight) stopped at waits, and counts as running.
    pub(in crate::fan_out) fn keeps_running(&mut self, now: u64) {
        self.running += 1;
        self.meter.started(self.running, now);
    }

    /// The item that [`run_straight`](Self::run_straight) stopped at failed.
    pub(in crate::fan_out) fn failed(&mut self, index: usize, error: ItemError<E>) {
        let timing = Timing::default();
        self.book(Outcome { index, result: Err(error), timing, attempts: 1 });
    }

    /// Takes up to `most` consecutive items for a line that is empty, which counts as one item that
    /// runs. For items without keys and weights.
    pub(in crate::fan_out) fn pull_line(
        &mut self,
        most: usize,
        now: u64,
        line: &mut Line<S::Item>,
        context: &mut Context<'_>,
    ) -> Result<(), Next> {
        // The first as always, whatever it is that gives it.
        let Pulled { index: first, item, since, .. } = self.take(now, context)?;
        line.items.push_back(item);
        (line.next, line.since) = (first, since);
        self.running += 1;
        self.meter.started(self.running, now);
        if first + 1 < self.pulled {
            // Given back by another: those behind it came back with it.
            while line.items.len() < most
                && let index = first + line.items.len()
                && let Some(pulled) = self.returned.pop_front_if(|one| one.index == index)
            {
                line.items.push_back(pulled.item);
            }
            return Ok(());
        }
        if self.backlog.as_ref().is_some_and(|backlog| !backlog.is_empty()) {
            // What is pushed is not known to be short.
            return Ok(());
        }
        let ahead = self.pulled - self.returned.len() - self.delivered;
        let room = self.bounds.room.saturating_sub(ahead);
        let more = (most - 1).min(room);
        let (Some(source), false) = (&mut self.source, self.exhausted) else {
            return Ok(());
        };
        let items = &mut line.items;
        let pull = || {
            for _ in 0..more {
                match source.poll_next(context) {
                    Poll::Ready(Some(item)) => items.push_back(item),
                    Poll::Ready(None) => return true,
                    Poll::Pending => return false,
                }
            }
            false
        };
        let pulled = catch_unwind(AssertUnwindSafe(pull));
        self.pulled = first + line.items.len();
        match pulled {
            Ok(exhausted) => {
                self.exhausted = exhausted;
                if exhausted {
                    self.check_policy();
                }
            }
            Err(payload) => self.source_failed(payload),
        }
        Ok(())
    }

    #[inline]
    fn take(
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
        if !self.returned.is_empty()
            && let Some(pulled) = self.returned.pop_front()
        {
            return Ok(pulled);
        }
        if self.parked_may_start()
            && let Some(pulled) = self.keys.next()
        {
            return Ok(pulled);
        }
        loop {
            if !self.may_pull() {
                return Err(Next::Wait);
            }
            let item = self.take_item(context)?;
            let index = self.pulled;
            self.pulled += 1;
            let since = if S::WAITS { now } else { self.meter.began() };
            if !C::KEYED && !C::WEIGHED {
                return Ok(Pulled { index, item, key: None, weight: 1, since });
            }
            let Self { classes, keys, .. } = self;
            let class = || {
                let weight = if C::WEIGHED { classes.weight(&item) } else { 1 };
                let key = classes.key(&item);
                keys.admit_or_park(key.clone(), Pulled { index, item, key, weight, since })
            };
            match catch_unwind(AssertUnwindSafe(class)) {
                Ok(Some(pulled)) => return Ok(pulled),
                Ok(None) => {}
                Err(payload) => self.never_ran(index, ItemError::panicked(payload)),
            }
            if self.stop.is_some() {
                return Err(Next::Rest);
            }
        }
    }

    #[inline]
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
                Ok(Poll::Ready(None)) => {
                    self.exhausted = true;
                    self.check_policy();
                }
                Ok(Poll::Pending) => waits = true,
                Err(payload) => {
                    self.source_failed(payload);
                    return Err(Next::Rest);
                }
            }
        }
        Err(if waits { Next::Pending } else { Next::Rest })
    }

    #[cold]
    fn source_failed(&mut self, payload: Box<dyn Any + Send>) {
        self.exhausted = true;
        let message = Panic::new(payload).message().into();
        self.stop(StopReason::SourceFailed(message));
    }
}
