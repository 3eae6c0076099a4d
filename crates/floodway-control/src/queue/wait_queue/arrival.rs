//! Who may join the queue, and who has to make room.

use std::time::Duration;

use super::{
    super::{Class, Priority, Refusal, Ticket, WaitRequest, group::Group, line::Line},
    WaitQueue,
};

impl<T> WaitQueue<T> {
    /// Why `request` may not join, if it may not.
    #[must_use]
    pub fn refusal(&self, now: Duration, request: &WaitRequest) -> Option<Refusal> {
        if self.len >= self.config.capacity && self.displaced_by(now, request.class).is_none() {
            return Some(Refusal::Full);
        }
        let ahead = self.ahead_of(now, request.class);
        // Alone it may wait, whatever was measured earlier: else an estimate from a bad time
        // would keep everybody out and never be corrected. So may the only one of a level with a
        // guaranteed share, which is earned by waiting.
        if ahead > 0
            && !self.is_first_of_share(request.class)
            && let Some(interval) = self.drain.interval()
        {
            let wait = interval.saturating_mul(u32::try_from(ahead + 1).unwrap_or(u32::MAX));
            if now.saturating_add(wait) > self.deadline(now, request.deadline) {
                return Some(Refusal::Unmeetable);
            }
        }
        None
    }

    fn is_first_of_share(&self, class: Class) -> bool {
        let level = class.priority.index();
        self.config.guarantees[level] > 0.0
            && self.groups[usize::from(class.partition)].lines[level].len == 0
    }

    /// How many are served before a newcomer of `class`.
    #[must_use]
    pub fn ahead_of(&self, now: Duration, class: Class) -> usize {
        let newest_first = self.is_newest_first(now);
        let level = class.priority.index();
        let share = self.config.guarantees[level];
        let ahead_in = |group: &Group| -> usize {
            let higher: usize = group.lines[..level].iter().map(|line| line.len).sum();
            let equal = if newest_first { 0 } else { group.lines[level].len };
            if share <= 0.0 {
                return higher + equal;
            }
            // At worst its level has nothing but its guaranteed share of the grants.
            (higher + equal).min(((equal + 1) as f64 / share) as usize)
        };
        let all: usize = self.groups.iter().map(ahead_in).sum();
        let own = &self.groups[usize::from(class.partition)];
        if self.groups.len() == 1 || own.guarantee <= 0.0 {
            return all;
        }
        // At worst its partition has nothing but its guaranteed part of the grants.
        all.min((ahead_in(own) as f64 / own.guarantee) as usize)
    }

    /// Who has to make room for a newcomer of `class` in a full queue.
    ///
    /// In a queue that serves the newest first, the oldest of the same class, who would be served
    /// last. Otherwise the newest of the lowest priority that has more than its guaranteed part of
    /// the queue, if that is below the newcomer's or the newcomer's has less than its own. That part
    /// is one place at least, in a queue with more places than there are priorities. With
    /// partitions, those that have more than their part make room for those that have less, and
    /// nobody takes a place that is part of another's.
    #[must_use]
    pub fn displaced_by(&self, now: Duration, class: Class) -> Option<Ticket> {
        let own = usize::from(class.partition);
        let room = |guarantee: f64| guarantee * self.config.capacity as f64;
        let excess = |group: &Group| group.len as f64 - room(group.guarantee);
        let fullest = (0..self.groups.len())
            .filter(|index| self.groups[*index].len > 0)
            .max_by(|a, b| excess(&self.groups[*a]).total_cmp(&excess(&self.groups[*b])))?;
        if fullest != own
            && excess(&self.groups[fullest]) > 0.0
            && excess(&self.groups[own]) <= -1.0
        {
            let lowest = self.groups[fullest].lines.iter().rfind(|line| line.len > 0)?;
            return self.last_served(now, lowest);
        }
        let open = |index: &usize, level: usize| {
            let group = &self.groups[*index];
            group.lines[level].len > 0 && (*index == own || excess(group) > 0.0)
        };
        let level = class.priority.index();
        let waiting = |level: usize| self.groups.iter().map(|g| g.lines[level].len).sum::<usize>();
        let share = |level: usize| waiting(level) as f64 - self.places(level);
        let victim = (0..Priority::COUNT).rev().find(|level| {
            share(*level) > 0.0 && (0..self.groups.len()).any(|index| open(&index, *level))
        })?;
        if victim > level || (victim != level && share(level) <= -1.0) {
            let group = (0..self.groups.len())
                .filter(|index| open(index, victim))
                .max_by(|a, b| excess(&self.groups[*a]).total_cmp(&excess(&self.groups[*b])))?;
            return self.last_served(now, &self.groups[group].lines[victim]);
        }
        let line = &self.groups[own].lines[level];
        (self.is_newest_first(now)).then(|| line.oldest.map(Ticket::at)).flatten()
    }

    /// How many places of the queue are guaranteed to a priority.
    fn places(&self, level: usize) -> f64 {
        let (share, capacity) = (self.config.guarantees[level], self.config.capacity);
        let places = share * capacity as f64;
        // Less than one place would be none: whoever waits would be displaced before it has earned
        // its turn.
        if share > 0.0 && capacity > Priority::COUNT { places.max(1.0) } else { places }
    }

    /// Who of a line would be served last.
    fn last_served(&self, now: Duration, line: &Line) -> Option<Ticket> {
        if self.is_newest_first(now) { line.oldest } else { line.newest }.map(Ticket::at)
    }
}
