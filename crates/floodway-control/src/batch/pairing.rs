//! Which batches make a pair.

use std::{collections::VecDeque, time::Duration};

use super::ratio::Pair;

/// Batches that a new one may be compared with.
const RECENT: usize = 8;

/// Regular batches whose median a probe is compared with.
const NEAREST: usize = 3;

/// The least ratio of the sizes of a pair. Less says little and takes the place of another pair.
const APART: f64 = 1.5;

/// The most by which slots and batches in flight may differ within a pair.
const ALIKE: f64 = 1.25;

/// A batch that came back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Done {
    pub(super) started: Duration,
    pub(super) ended: Duration,
    pub(super) items: f64,
    /// Logarithm of its time in seconds.
    pub(super) log_time: f64,
    pub(super) probe: bool,
    /// Whether its size does not depend on how long the batches before it took.
    pub(super) free: bool,
    pub(super) slots: usize,
    pub(super) in_flight: usize,
}

impl Done {
    fn middle(&self) -> Duration {
        self.started + (self.ended.saturating_sub(self.started)) / 2
    }

    /// Whether the circumstances were the same: a limit that moves changes the time of a batch
    /// whatever its size.
    fn is_like(&self, other: &Self) -> bool {
        let alike = |a: usize, b: usize| {
            let (a, b) = (a.max(1) as f64, b.max(1) as f64);
            a.max(b) <= a.min(b) * ALIKE + 1.0
        };
        alike(self.slots, other.slots) && alike(self.in_flight, other.in_flight)
    }

    fn is_apart(&self, other: &Self) -> bool {
        self.items.max(other.items) >= APART * self.items.min(other.items)
    }

    fn pair(&self, other: &Self, log_time: f64) -> Pair {
        let log_ratio = self.log_time - log_time;
        if self.items < other.items {
            Pair { small: self.items, large: other.items, log_ratio }
        } else {
            Pair { small: other.items, large: self.items, log_ratio: -log_ratio }
        }
    }
}

/// Finds the regular batches that were nearest to a probe.
#[derive(Clone, Debug, Default)]
pub(super) struct Pairing {
    recent: VecDeque<Done>,
    /// The last probe, until the regular batch after it came back.
    probe: Option<Done>,
}

impl Pairing {
    /// Takes a batch and says what it makes a pair with. `natural`: whether regular batches may be
    /// paired with each other.
    pub(super) fn add(&mut self, done: Done, natural: bool) -> Option<Pair> {
        let pair = if done.probe {
            self.probe = Some(done);
            self.before(&done)
        } else if natural {
            self.recent.back().filter(|last| last.is_like(&done) && last.is_apart(&done)).map(
                |last| done.pair(last, last.log_time),
            )
        } else {
            self.after(&done)
        };
        if !done.probe {
            if self.recent.len() == RECENT {
                self.recent.pop_front();
            }
            self.recent.push_back(done);
        }
        pair
    }

    /// The probe with the regular batches of one size nearest to it, so far.
    fn before(&self, probe: &Done) -> Option<Pair> {
        let distance = |done: &Done| {
            let (a, b) = (done.middle(), probe.middle());
            a.max(b) - a.min(b)
        };
        let fitting = |done: &&Done| done.is_like(probe) && done.is_apart(probe);
        let nearest = self.recent.iter().filter(fitting).min_by_key(|done| distance(done))?;
        let mut times = [0.0; RECENT];
        let mut count = 0;
        for done in self.recent.iter().rev().filter(fitting) {
            if count < NEAREST && done.items.max(nearest.items) <= ALIKE * done.items.min(nearest.items)
            {
                times[count] = done.log_time - done.items.ln() + nearest.items.ln();
                count += 1;
            }
        }
        let times = &mut times[..count];
        times.sort_unstable_by(f64::total_cmp);
        let middle = (times[(count - 1) / 2] + times[count / 2]) / 2.0;
        Some(probe.pair(nearest, middle))
    }

    /// The regular batch that comes after a probe, with it. Not one that is large because the probe
    /// was slow.
    fn after(&mut self, done: &Done) -> Option<Pair> {
        let probe = self.probe.take()?;
        let fitting = (done.free || done.started <= probe.ended)
            && done.is_like(&probe)
            && done.is_apart(&probe);
        fitting.then(|| done.pair(&probe, probe.log_time))
    }
}
