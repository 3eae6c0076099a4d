//! Which batches make a pair.

use std::{collections::VecDeque, time::Duration};

use super::{probing::Role, ratio::Pair};

// All constants: docs/decisions/0011-batch-sizes.md.

/// Regular batches that a new one may be compared with.
const RECENT: usize = 8;

/// Regular batches whose median a probe is compared with.
const NEAREST: usize = 3;

/// The least ratio of the sizes of a pair. Less says little and takes the place of another pair.
const APART: f64 = 1.5;

/// The most by which sizes, slots and batches in flight may differ to count as the same.
const ALIKE: f64 = 1.25;

/// A batch that came back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Done {
    pub(super) started: Duration,
    pub(super) ended: Duration,
    pub(super) items: f64,
    /// Logarithm of its time in seconds.
    pub(super) log_time: f64,
    pub(super) role: Role,
    /// Slots, and batches in flight, when it went.
    pub(super) slots: usize,
    pub(super) in_flight: usize,
}

impl Done {
    fn middle(&self) -> Duration {
        self.started + self.ended.saturating_sub(self.started) / 2
    }

    /// Whether slots and load were the same. A limit that moves, and neighbours that compete, change
    /// the time of a batch whatever its size.
    fn is_like(&self, other: &Self) -> bool {
        let alike = |a: usize, b: usize| a.max(b) as f64 <= a.min(b) as f64 * ALIKE + 1.0;
        alike(self.slots, other.slots) && alike(self.in_flight, other.in_flight)
    }

    fn is_apart(&self, other: &Self) -> bool {
        self.items.max(other.items) >= APART * self.items.min(other.items)
    }

    /// With a batch of another size that took `log_time`.
    fn pair(&self, other: &Self, log_time: f64) -> Pair {
        let log_times = self.log_time - log_time;
        if self.items < other.items {
            Pair { small: self.items, large: other.items, log_times }
        } else {
            Pair { small: other.items, large: self.items, log_times: -log_times }
        }
    }
}

/// Finds the regular batches before a probe.
///
/// Not those after it: they are larger if the probe was slow.
#[derive(Clone, Debug, Default)]
pub(super) struct Pairing {
    /// Regular batches, oldest first.
    recent: VecDeque<Done>,
}

impl Pairing {
    /// Takes a batch and says what it makes a pair with. `natural`: whether a regular batch makes
    /// one with the batch before it, as there are no probes.
    pub(super) fn add(&mut self, done: Done, natural: bool) -> Option<Pair> {
        if done.role != Role::Regular {
            return self.with_probe(&done);
        }
        let last = self.recent.back().filter(|last| last.is_like(&done) && last.is_apart(&done));
        let pair = last.filter(|_| natural).map(|last| done.pair(last, last.log_time));
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(done);
        pair
    }

    /// The nearest regular batch, with the median time of its neighbours of the same size.
    fn with_probe(&self, probe: &Done) -> Option<Pair> {
        let distance = |done: &&Done| done.middle().abs_diff(probe.middle());
        let fitting = |done: &&Done| done.is_like(probe) && done.is_apart(probe);
        let nearest = self.recent.iter().filter(fitting).min_by_key(distance)?;
        let same =
            |done: &&Done| done.items.max(nearest.items) <= ALIKE * done.items.min(nearest.items);
        let mut times = [0.0; NEAREST];
        let mut count = 0;
        for done in self.recent.iter().rev().filter(fitting).filter(same).take(NEAREST) {
            // As if it had the same size: near enough for so small a difference.
            times[count] = done.log_time + (nearest.items / done.items).ln();
            count += 1;
        }
        let times = &mut times[..count];
        times.sort_unstable_by(f64::total_cmp);
        let median = f64::midpoint(times[(count - 1) / 2], times[count / 2]);
        Some(probe.pair(nearest, median))
    }
}
