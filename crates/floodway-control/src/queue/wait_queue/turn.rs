//! Whose turn it is.

use std::{cmp::Ordering, time::Duration};

use super::{
    super::{Discipline, Next, Ticket, Verdict, group::Group},
    WaitQueue,
};

impl<T> WaitQueue<T> {
    /// Whose turn it is, under a limit of `limit` permits of which partition `i` uses `in_use(i)`.
    #[must_use]
    pub fn next(&self, now: Duration, limit: u32, in_use: impl Fn(usize) -> u32) -> Option<Next> {
        if self.len == 0 {
            return None;
        }
        let newest_first = self.is_newest_first(now);
        let head = |group: &Group, level: usize| {
            let line = &group.lines[level];
            if newest_first { line.newest } else { line.oldest }
        };
        let weight = |group: &Group, level| head(group, level).map_or(0, |i| self.slots[i].weight);
        let group = match self.groups.as_slice() {
            [only] => Some(only),
            _ => self.next_group(limit, in_use, |group: &Group| {
                group.level(|level| weight(group, level)).map_or(0, |level| weight(group, level))
            }),
        }?;
        let level = group.level(|level| weight(group, level))?;
        let index = head(group, level)?;
        let slot = &self.slots[index];
        Some(Next { ticket: Ticket::at(index), weight: slot.weight, class: slot.class })
    }

    fn next_group(
        &self,
        limit: u32,
        in_use: impl Fn(usize) -> u32,
        weight: impl Fn(&Group) -> u32,
    ) -> Option<&Group> {
        let waiting = (0..self.groups.len()).filter(|index| self.groups[*index].len > 0);
        waiting
            .map(|index| {
                let group = &self.groups[index];
                let weight = f64::from(weight(group));
                let in_use = f64::from(in_use(index));
                // Parts are fractions that rarely add up to whole permits exactly.
                let part = group.guarantee * f64::from(limit) + 1e-6;
                let claim = if in_use + weight <= part {
                    Claim::Part
                } else if in_use < part - 2e-6 && group.credit >= weight {
                    Claim::Share
                } else {
                    Claim::None
                };
                (index, claim, (in_use + weight) / part)
            })
            .min_by(|(a, claim_a, used_a), (b, claim_b, used_b)| {
                let (a, b) = (&self.groups[*a], &self.groups[*b]);
                let within = match claim_a {
                    Claim::Part => Ordering::Equal,
                    Claim::Share => b.credit.total_cmp(&a.credit),
                    Claim::None => a.highest().cmp(&b.highest()),
                };
                claim_a.cmp(claim_b).then(within).then(used_a.total_cmp(used_b))
            })
            .map(|(index, ..)| &self.groups[index])
    }

    /// What to do with the waiter whose turn has come, now that there is room for it.
    pub fn judge(&mut self, now: Duration, ticket: Ticket) -> Verdict {
        let slot = &self.slots[ticket.slot()];
        if slot.deadline <= now {
            return Verdict::Late;
        }
        let Discipline::CoDel { target, interval } = self.config.discipline else {
            return Verdict::Admit;
        };
        let waited = now.saturating_sub(slot.since);
        let group = &mut self.groups[usize::from(slot.class.partition)];
        let codel = &mut group.codel[slot.class.priority.index()];
        if codel.sheds(now, waited, target, interval) { Verdict::Shed } else { Verdict::Admit }
    }
}

/// What a partition with waiters can say for itself, the strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Claim {
    /// Its next waiter fits into its part of the limit.
    Part,
    /// It has less than its part and has earned its turn by its share of the grants.
    Share,
    None,
}
