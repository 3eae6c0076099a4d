//! A chunk in the hands of a worker: consecutive items, run one after the other.

use std::{num::NonZeroUsize, time::Duration};

use floodway_control::Chunk;

use super::{
    super::{
        Timing,
        classes::Classes,
        ledger::{Finished, Line},
        shelf::Run,
        source::Source,
    },
    shared::State,
};
use crate::Clock;

/// How long items run, going by those before, until the clock is read for the first time in a chunk.
const FIRST_LOOK: Duration = Duration::from_micros(1);

/// A chunk: what is left of it, and what became of the rest.
pub(super) struct Lane<I, K, T, E> {
    pub(super) line: Line<I>,
    chunk: Chunk,
    /// When it began.
    began: u64,
    /// Items that were started.
    ran: usize,
    /// After how many of them the clock is read again.
    look_at: usize,
    /// The rest has to wait until the policy has heard of what ended.
    pub(super) cut: bool,
    /// Values of items that follow one another; the last of these vectors is being filled.
    runs: Vec<Run<T>>,
    pub(super) run: Run<T>,
    /// What ended otherwise.
    pub(super) done: Vec<Finished<K, T, E>>,
}

impl<I, K, T, E> Lane<I, K, T, E> {
    pub(super) const fn new() -> Self {
        Self {
            line: Line::new(),
            chunk: Chunk { items: NonZeroUsize::MIN, slice: None },
            began: 0,
            ran: 0,
            look_at: 1,
            cut: false,
            runs: Vec::new(),
            run: Run { start: 0, values: Vec::new(), timing: Timing::of_nanos(0, 0) },
            done: Vec::new(),
        }
    }

    /// A chunk of this description was pulled. `item` is how long an item takes, going by those
    /// before.
    pub(super) fn begin(&mut self, chunk: Chunk, item: Option<Duration>, now: u64) {
        self.chunk = chunk;
        self.began = now;
        self.ran = 0;
        self.cut = false;
        self.look_at = if chunk.slice.is_none() {
            usize::MAX
        } else {
            let item = item.unwrap_or(FIRST_LOOK).as_nanos().max(1);
            usize::try_from(FIRST_LOOK.as_nanos() / item).unwrap_or(usize::MAX).max(1)
        };
        self.run.start = self.line.next;
        self.run.values.reserve_exact(self.line.items.len());
    }

    /// Whether there is an item to start, and time left for it.
    #[inline]
    pub(super) fn goes_on(&mut self, stopping: impl FnOnce() -> bool, clock: &Clock) -> bool {
        if self.line.items.is_empty() {
            return false;
        }
        if self.ran == 0 {
            return true;
        }
        if self.cut || stopping() {
            return false;
        }
        if self.ran < self.look_at {
            return true;
        }
        let elapsed = Duration::from_nanos(clock.now().saturating_sub(self.began));
        self.look_at = self.ran + self.chunk.items_until_look(self.ran, elapsed);
        !self.chunk.is_over(elapsed)
    }

    /// Whether its size was chosen by what items cost, as opposed to asked for.
    pub(super) const fn is_adaptive(&self) -> bool {
        self.chunk.slice.is_some()
    }

    /// How many items may run until the clock is read again.
    pub(super) fn until_look(&self) -> usize {
        self.look_at.saturating_sub(self.ran).max(1)
    }

    /// So many items were taken from the line and started. The index of the last of them.
    #[inline]
    pub(super) fn started(&mut self, items: usize) -> usize {
        self.line.next += items;
        self.ran += items;
        self.line.next.wrapping_sub(1)
    }

    /// What comes next is not a value that follows the last one.
    pub(super) fn end_run(&mut self) {
        let timing = Timing::default();
        let next = Run { start: self.line.next, values: Vec::new(), timing };
        let run = std::mem::replace(&mut self.run, next);
        if !run.values.is_empty() {
            self.runs.push(run);
        }
    }

    /// Brings what ended to the books, and back what was not started.
    ///
    /// Items of a chunk are too short to be timed one by one: each gets the mean.
    pub(super) fn book<S, C>(&mut self, state: &mut State<S, C, T, E>, now: u64)
    where
        S: Source<Item = I>,
        C: Classes<I, Key = K>,
    {
        if !self.line.items.is_empty() {
            state.ledger.give_back(self.line.drain());
        }
        let time = now.saturating_sub(self.began);
        state.sizer.record(self.ran, Duration::from_nanos(time));
        let queued = self.began.saturating_sub(self.line.since);
        let timing = Timing::of_nanos(queued, time / self.ran.max(1) as u64);
        self.end_run();
        for run in self.runs.drain(..) {
            state.ledger.put_run(Run { timing, ..run }, now);
        }
        let timed = self.done.drain(..).map(|mut finished| {
            finished.outcome.timing = timing;
            finished
        });
        state.ledger.finish(timed, now);
    }
}
