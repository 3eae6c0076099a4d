//! Whether it is always the same number of callers who come back with another item.

use super::BatchQueue;

// All constants: docs/decisions/0011-batch-sizes.md.

/// Decisions that are looked at.
const LAST: usize = 16;

/// A number of items varies by at most one part of so many of it to count as the same.
const STEADY: usize = 32;

/// Decisions after which it is no accident: with few items, and in a queue that is full, it is often
/// the same number for a while.
const SURE: u32 = 16;
const FEW: usize = 8;

/// Decisions without a steady number after which it is over: callers take a moment to come back, and
/// there are decisions meanwhile.
const HOLDS: u32 = 256;

/// The items that wait or are on their way.
///
/// Callers who wait for their answers before they come back are always as many. Waiting for more of
/// them than are a slot's share leaves another slot empty, and nobody else will come.
#[derive(Clone, Debug, Default)]
pub(super) struct Population {
    last: [usize; LAST],
    decisions: usize,
    /// Decisions in a row with about the same number.
    steady: u32,
    was: usize,
    /// Decisions for which what was known of callers still holds, and what that was.
    holds: u32,
    callers: usize,
}

/// The items that wait or are on their way.
pub(super) fn items(queue: &BatchQueue) -> usize {
    queue.unanswered.saturating_add(queue.queued)
}

impl Population {
    pub(super) fn observe(&mut self, queue: &BatchQueue) {
        if queue.partitions > 1 {
            // What waits in the others is not known.
            *self = Self::default();
            return;
        }
        self.last[self.decisions % LAST] = items(queue);
        self.decisions += 1;
        let now = self.steady().unwrap_or(0);
        let same = now > 0 && now.abs_diff(self.was) <= self.was / STEADY;
        self.steady = if same { self.steady.saturating_add(1) } else { 0 };
        if !same {
            self.was = now;
        }
        if self.steady >= SURE {
            self.callers = now;
            self.holds = HOLDS;
        } else {
            self.holds = self.holds.saturating_sub(1);
        }
    }

    /// The items of all callers who come back, if there is hardly a doubt that they do; and not more
    /// than `fit` into all slots, as in a queue that is full.
    pub(super) fn closed(&self, fit: usize) -> Option<usize> {
        (self.holds > 0 && (FEW..=fit).contains(&self.callers)).then_some(self.callers)
    }

    /// The items of all callers, if it is always about the same number.
    ///
    /// Half of the time is enough: callers who have their answers take a moment to come back, and
    /// a decision meanwhile finds some of them away. Nobody finds more than there are.
    pub(super) fn steady(&self) -> Option<usize> {
        let most = self.last.iter().copied().max().unwrap_or(0);
        let all = self.last.iter().filter(|items| **items >= most - most / STEADY).count();
        (self.decisions >= LAST && all >= LAST / 2).then_some(most)
    }
}
