//! The waiters of one partition: a line per priority, and whose turn it is.

use super::{Priority, codel::CoDel, line::Line};

/// The lines of one partition.
///
/// Strict precedence with a guaranteed share: every grant earns each level that has waiters its
/// share of the grant's weight; a level that has earned the weight of its first waiter goes before
/// higher ones. So a level with waiters gets at least its share of the grants, whatever arrives
/// above it. Source: deficit counters as in M. Shreedhar and G. Varghese, "Efficient fair queuing
/// using deficit round-robin", IEEE/ACM Transactions on Networking 4(3), 1996.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) lines: [Line; Priority::COUNT],
    pub(super) codel: [CoDel; Priority::COUNT],
    earned: [f64; Priority::COUNT],
    /// What the whole partition has earned by its share of the grants.
    pub(super) credit: f64,
    pub(super) len: usize,
    /// The part of the limit and of the queue that this partition can count on, 0 to 1.
    pub(super) guarantee: f64,
}

impl Group {
    pub(super) fn new(guarantee: f64) -> Self {
        Self {
            lines: Default::default(),
            codel: Default::default(),
            earned: Default::default(),
            credit: 0.0,
            len: 0,
            guarantee,
        }
    }

    /// The only level that has waiters, if there is one: nearly always, and then there is nothing
    /// to weigh.
    #[inline]
    fn only(&self) -> Option<usize> {
        let mut waiting = (0..Priority::COUNT).filter(|level| self.lines[*level].len > 0);
        let first = waiting.next()?;
        waiting.next().is_none().then_some(first)
    }

    /// The level whose turn it is; `weight` gives that of the waiter that it would send.
    #[inline]
    pub(super) fn level(&self, weight: impl Fn(usize) -> u32) -> Option<usize> {
        if let Some(only) = self.only() {
            return Some(only);
        }
        let waiting = |level: &usize| self.lines[*level].len > 0;
        let due = (0..Priority::COUNT)
            .filter(waiting)
            .filter(|level| self.earned[*level] >= f64::from(weight(*level)))
            .max_by(|a, b| self.earned[*a].total_cmp(&self.earned[*b]));
        due.or_else(|| (0..Priority::COUNT).find(waiting))
    }

    /// The highest level that has waiters.
    #[inline]
    pub(super) fn highest(&self) -> Option<usize> {
        (0..Priority::COUNT).find(|level| self.lines[*level].len > 0)
    }

    /// Books a grant of `weight` to `served`, before it leaves its line.
    #[inline]
    pub(super) fn charge(
        &mut self,
        served: usize,
        weight: u32,
        guarantees: &[f64; Priority::COUNT],
    ) {
        // Alone, a level earns no more than it spends.
        if self.only().is_some() {
            return;
        }
        let weight = f64::from(weight);
        for ((earned, line), guarantee) in self.earned.iter_mut().zip(&self.lines).zip(guarantees) {
            if line.len > 0 {
                *earned += guarantee * weight;
            }
        }
        self.earned[served] = (self.earned[served] - weight).max(0.0);
    }

    /// Where nobody waits, nothing is earned for later. Up to one permit stays that was earned by
    /// those who waited: else a level whose waiters leave after a moment, as those with short
    /// deadlines do, would never have earned a turn.
    #[inline]
    pub(super) fn forget_if_empty(&mut self, level: usize) {
        if self.len == 0 {
            self.credit = 0.0;
        }
        if self.lines[level].len == 0 {
            self.earned[level] = self.earned[level].min(1.0);
        }
    }
}
