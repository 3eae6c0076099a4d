//! How a fan-out went: durations, width, and what they say about its parallelism.

use std::{num::NonZeroUsize, time::Duration};

use floodway_control::sizing::Parallelism;

use super::{Outcome, policy::Counts};

/// How a fan-out went.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Stats {
    /// How many items ended in which way.
    pub counts: Counts,
    /// From the start to the end.
    pub duration: Duration,
    /// The running times of all items, added up.
    pub busy: Duration,
    /// How long at most one item ran.
    pub alone: Duration,
    /// From the end of the median item to the end: what the slower half cost.
    pub straggling: Duration,
    /// Most items that ran at the same time.
    pub width: usize,
    /// How many were allowed to, at the end.
    pub concurrency: usize,
    /// How often items were handed to run: as many as ran, or chunks of them.
    pub chunks: u64,
    /// Attempts beyond the first of each item.
    pub extra_attempts: u64,
    /// The index of the item that failed first, by the time of its end.
    pub first_failure: Option<usize>,
}

impl Stats {
    /// Items that ran to their own end, per second; 0 with [`untimed`](super::FanOut::untimed).
    #[must_use]
    pub fn rate(&self) -> f64 {
        let seconds = self.duration.as_secs_f64();
        if seconds > 0.0 { self.counts.done() as f64 / seconds } else { 0.0 }
    }

    /// What the durations say about parallelism: how many items ran at a time on average, which
    /// share of the work was serial, and what a larger concurrency would give.
    ///
    /// Nothing with [`untimed`](super::FanOut::untimed), of which the durations are zero.
    #[must_use]
    pub fn parallelism(&self) -> Option<Parallelism> {
        if self.busy.is_zero() {
            return None;
        }
        let workers = NonZeroUsize::new(self.width)?;
        Parallelism::measured(self.duration, self.busy, self.alone, workers).ok()
    }
}

/// Keeps the durations while items run, in nanoseconds of the clock.
#[derive(Debug)]
pub(super) struct Meter {
    began: u64,
    busy: u64,
    alone: u64,
    /// Since when at most one item runs.
    alone_since: Option<u64>,
    width: usize,
    chunks: u64,
    done: usize,
    extra_attempts: u64,
    halfway: Halfway,
}

impl Meter {
    pub(super) const fn new(now: u64) -> Self {
        Self {
            began: now,
            busy: 0,
            alone: 0,
            alone_since: Some(now),
            width: 0,
            chunks: 0,
            done: 0,
            extra_attempts: 0,
            halfway: Halfway::new(),
        }
    }

    pub(super) const fn began(&self) -> u64 {
        self.began
    }

    /// `running` items run now, one more than before.
    #[inline]
    pub(super) fn started(&mut self, running: usize, now: u64) {
        self.width = self.width.max(running);
        self.chunks += 1;
        if running == 2
            && let Some(since) = self.alone_since.take()
        {
            self.alone += now.saturating_sub(since);
        }
    }

    /// `running` items ran until now; one of them ends.
    #[inline]
    pub(super) fn ended(&mut self, running: usize, now: u64) {
        if running == 2 {
            self.alone_since = Some(now);
        }
    }

    #[inline]
    pub(super) fn done<T, E>(&mut self, outcome: &Outcome<T, E>, now: u64) {
        self.extra_attempts += u64::from(outcome.attempts.saturating_sub(1));
        // Nothing is timed.
        if now == 0 {
            return;
        }
        self.done += 1;
        self.busy += outcome.timing.running_nanos();
        self.halfway.record(self.done, now);
    }

    /// So many items ran one after the other beside the `running` others, without being timed.
    #[inline]
    pub(super) fn ran_straight(&mut self, running: usize, items: u64) {
        self.width = self.width.max(running + usize::from(items > 0));
        self.chunks += items;
    }

    /// So many items ended with one attempt, each after the same time.
    pub(super) fn done_many(&mut self, items: usize, running: u64, now: u64) {
        if now == 0 {
            return;
        }
        self.done += items;
        self.busy += running * items as u64;
        self.halfway.record_about(self.done, now);
    }

    pub(super) fn finish(&self, counts: Counts, concurrency: usize, now: u64) -> Stats {
        let alone = self.alone + self.alone_since.map_or(0, |since| now.saturating_sub(since));
        let median = self.halfway.time_of(self.done.div_ceil(2)).unwrap_or(now);
        Stats {
            counts,
            duration: Duration::from_nanos(now.saturating_sub(self.began)),
            busy: Duration::from_nanos(self.busy),
            alone: Duration::from_nanos(alone),
            straggling: Duration::from_nanos(now.saturating_sub(median)),
            width: self.width,
            concurrency,
            chunks: self.chunks,
            extra_attempts: self.extra_attempts,
            first_failure: None,
        }
    }
}

/// When about half of the items were done, of a number that is known at the end alone.
///
/// Keeps the times of every `stride`-th end; when there is no room left, every second is dropped
/// and the stride doubled, so a fixed number of them always spans the whole run.
#[derive(Debug)]
struct Halfway {
    times: [u64; Self::PLACES],
    len: usize,
    stride: usize,
}

impl Halfway {
    const PLACES: usize = 32;

    const fn new() -> Self {
        Self { times: [0; Self::PLACES], len: 0, stride: 1 }
    }

    #[inline]
    fn record(&mut self, done: usize, now: u64) {
        if done & (self.stride - 1) == 0 {
            self.record_about(done, now);
        }
    }

    /// Fills the places up to so many ends, all of which happened at about this time.
    fn record_about(&mut self, done: usize, now: u64) {
        while (self.len + 1) * self.stride <= done {
            self.push(now);
        }
    }

    fn push(&mut self, now: u64) {
        if self.len == Self::PLACES {
            for place in 0..Self::PLACES / 2 {
                self.times[place] = self.times[2 * place + 1];
            }
            self.len = Self::PLACES / 2;
            self.stride *= 2;
            return;
        }
        self.times[self.len] = now;
        self.len += 1;
    }

    /// About when so many were done.
    fn time_of(&self, done: usize) -> Option<u64> {
        let place = done.div_ceil(self.stride).max(1) - 1;
        self.times[..self.len].get(place.min(self.len.checked_sub(1)?)).copied()
    }
}
