//! The wait queue: bounded by length and deadline, ordered by class and discipline.

use std::{cmp::Ordering, num::NonZeroUsize, time::Duration};

use slab::Slab;

use super::{Discipline, Priority, deadlines::Deadlines, drain::Drain, group::Group};

/// What bounds and orders a [`WaitQueue`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QueueConfig {
    /// How many may wait at once.
    pub capacity: usize,
    /// How long anybody waits at most.
    pub max_wait: Duration,
    /// The order within a class.
    pub discipline: Discipline,
    /// The part of the grants and of the queue that each priority can count on while it has
    /// waiters, 0 to 1, by [`Priority::index`]; less than 1 in sum.
    pub guarantees: [f64; Priority::COUNT],
}

/// Where a waiter stands in line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Class {
    /// The position of its partition among those of the queue; 0 where there are none.
    pub partition: u16,
    /// How much it matters.
    pub priority: Priority,
}

/// Somebody who wants to wait.
#[derive(Clone, Copy, Debug)]
pub struct WaitRequest {
    /// Where.
    pub class: Class,
    /// For how many permits.
    pub weight: u32,
    /// Until when; the queue's `max_wait` applies too.
    pub deadline: Option<Duration>,
}

/// Why somebody may not wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// As many wait as may, and nobody has to make room.
    Full,
    /// The deadline will have passed before the turn comes, going by how fast the queue drains.
    Unmeetable,
}

/// A place in the queue; valid until [`WaitQueue::free`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(NonZeroUsize);

impl Ticket {
    // One more than the slot, so that an optional ticket is as small as a ticket.
    const fn at(slot: usize) -> Self {
        Self(NonZeroUsize::MIN.saturating_add(slot))
    }

    const fn slot(self) -> usize {
        self.0.get() - 1
    }
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug)]
pub struct Next {
    /// Its place.
    pub ticket: Ticket,
    /// How many permits it waits for.
    pub weight: u32,
    /// Where it stands.
    pub class: Class,
}

/// What to do with a waiter whose turn has come and for whom there is room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may run.
    Admit,
    /// Its deadline has passed.
    Late,
    /// The discipline sheds it.
    Shed,
}

/// Waiters with a payload each, pure: time is an argument, and who is told what is the caller's
/// business.
///
/// Rules of precedence, in this order:
///
/// 1. A partition below its guaranteed part of the limit goes first, the one that is farthest
///    below before others. If there is none, one whose next waiter is heavier than what is left of
///    its part (which may be less than one permit), once it has earned as much by its share of the
///    grants. Else the partition with the waiter of the highest priority, and among equals the one
///    that uses least of its part.
/// 2. Within a partition, the higher priority, except that a lower one which has not had its
///    guaranteed share of the grants goes first.
/// 3. Within a priority, the [`Discipline`].
///
/// The waiter that these rules name blocks all others until there is room for its whole weight:
/// lighter ones do not overtake, so that a heavy one cannot starve.
///
/// A full queue makes room for a newcomer that has a better right to a place: see
/// [`displaced_by`](Self::displaced_by).
#[derive(Debug)]
pub struct WaitQueue<T> {
    config: QueueConfig,
    slots: Slab<Slot<T>>,
    groups: Vec<Group>,
    len: usize,
    /// Since when somebody has been waiting without a pause.
    filled_since: Option<Duration>,
    deadlines: Deadlines,
    drain: Drain,
    stamps: u64,
}

#[derive(Debug)]
pub(super) struct Slot<T> {
    payload: T,
    class: Class,
    weight: u32,
    since: Duration,
    deadline: Duration,
    /// 0 once it has left its line.
    stamp: u64,
    pub(super) older: Option<usize>,
    pub(super) newer: Option<usize>,
}

impl<T> WaitQueue<T> {
    /// An empty queue with a partition for each of `partitions`, the part of the limit and of the
    /// queue that it can count on; one that owns everything if there is none.
    #[must_use]
    pub fn new(config: QueueConfig, partitions: &[f64]) -> Self {
        let partitions = if partitions.is_empty() { &[1.0] } else { partitions };
        Self {
            config,
            slots: Slab::new(),
            groups: partitions.iter().map(|guarantee| Group::new(*guarantee)).collect(),
            len: 0,
            filled_since: None,
            deadlines: Deadlines::default(),
            drain: Drain::default(),
            stamps: 0,
        }
    }

    /// What bounds and orders this queue.
    #[must_use]
    pub const fn config(&self) -> &QueueConfig {
        &self.config
    }

    /// Changes the rules. Those who wait stay, even if they are now too many, and keep the
    /// deadline they came with.
    pub fn configure(&mut self, config: QueueConfig) {
        self.config = config;
    }

    /// How many wait.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether nobody waits.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The mean interval between grants of one permit while somebody waits, if it is known.
    #[must_use]
    pub fn interval(&self) -> Option<Duration> {
        self.drain.interval()
    }

    /// Until when who joins now may wait.
    #[must_use]
    pub fn deadline(&self, now: Duration, wish: Option<Duration>) -> Duration {
        let longest = match self.config.discipline {
            Discipline::AdaptiveLifo { max_wait, .. } if self.is_newest_first(now) => {
                max_wait.min(self.config.max_wait)
            }
            _ => self.config.max_wait,
        };
        let latest = now.saturating_add(longest);
        wish.map_or(latest, |wish| wish.min(latest))
    }

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
    fn last_served(&self, now: Duration, line: &super::line::Line) -> Option<Ticket> {
        if self.is_newest_first(now) { line.oldest } else { line.newest }.map(Ticket::at)
    }

    /// Joins, whether or not there is room: ask [`refusal`](Self::refusal) before.
    pub fn join(&mut self, now: Duration, request: &WaitRequest, payload: T) -> Ticket {
        let deadline = self.deadline(now, request.deadline);
        self.stamps += 1;
        let stamp = self.stamps;
        let index = self.slots.insert(Slot {
            payload,
            class: request.class,
            weight: request.weight,
            since: now,
            deadline,
            stamp,
            older: None,
            newer: None,
        });
        let group = &mut self.groups[usize::from(request.class.partition)];
        group.lines[request.class.priority.index()].append(&mut self.slots, index);
        group.len += 1;
        if self.len == 0 {
            self.drain.resume(now);
        }
        self.len += 1;
        self.filled_since.get_or_insert(now);
        let slots = &self.slots;
        let current = |ticket, stamp| is_current(slots, ticket, stamp);
        self.deadlines.push(deadline, Ticket::at(index), stamp, self.len, current);
        Ticket::at(index)
    }

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

    /// Leaves the line with a permit, and says how long it waited.
    pub fn grant(&mut self, now: Duration, ticket: Ticket) -> Duration {
        let Slot { class, weight, since, .. } = self.slots[ticket.slot()];
        let group = &mut self.groups[usize::from(class.partition)];
        group.charge(class.priority.index(), weight, &self.config.guarantees);
        if self.groups.len() > 1 {
            for group in self.groups.iter_mut().filter(|group| group.len > 0) {
                group.credit += group.guarantee * f64::from(weight);
            }
            let served = &mut self.groups[usize::from(class.partition)];
            served.credit = (served.credit - f64::from(weight)).max(0.0);
        }
        self.drain.note_grant(now, weight);
        self.leave(ticket);
        now.saturating_sub(since)
    }

    /// Leaves the line without a permit. Leaving twice is once.
    pub fn leave(&mut self, ticket: Ticket) {
        let slot = &mut self.slots[ticket.slot()];
        if slot.stamp == 0 {
            return;
        }
        slot.stamp = 0;
        let class = slot.class;
        let group = &mut self.groups[usize::from(class.partition)];
        let level = class.priority.index();
        group.lines[level].unlink(&mut self.slots, ticket.slot());
        group.len -= 1;
        group.forget_if_empty(level);
        self.len -= 1;
        if self.len == 0 {
            self.filled_since = None;
            self.drain.pause();
        }
    }

    /// Anybody who waits, the longest first within a class; for closing a queue.
    #[must_use]
    pub fn any(&self) -> Option<Ticket> {
        let lines = self.groups.iter().flat_map(|group| &group.lines);
        lines.filter_map(|line| line.oldest).map(Ticket::at).next()
    }

    /// Visits everybody who waits, in no order.
    pub fn for_each_waiting(&self, visit: impl FnMut(&T)) {
        let waiting = self.slots.iter().filter(|(_, slot)| slot.stamp != 0);
        waiting.map(|(_, slot)| &slot.payload).for_each(visit);
    }

    /// The earliest deadline and whose it is.
    pub fn first_deadline(&mut self) -> Option<(Duration, Ticket)> {
        let slots = &self.slots;
        self.deadlines.first(|ticket, stamp| is_current(slots, ticket, stamp))
    }

    /// What was given with a ticket.
    #[must_use]
    pub fn payload(&self, ticket: Ticket) -> &T {
        &self.slots[ticket.slot()].payload
    }

    /// What was given with a ticket.
    pub fn payload_mut(&mut self, ticket: Ticket) -> &mut T {
        &mut self.slots[ticket.slot()].payload
    }

    /// Leaves the line, if still in it, and gives up the ticket.
    pub fn free(&mut self, ticket: Ticket) -> T {
        self.leave(ticket);
        self.slots.remove(ticket.slot()).payload
    }

    /// Whether the newest of a class is served first now.
    fn is_newest_first(&self, now: Duration) -> bool {
        match self.config.discipline {
            Discipline::Fifo | Discipline::CoDel { .. } => false,
            Discipline::Lifo => true,
            Discipline::AdaptiveLifo { interval, .. } => {
                self.filled_since.is_some_and(|since| now.saturating_sub(since) >= interval)
            }
        }
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

fn is_current<T>(slots: &Slab<Slot<T>>, ticket: Ticket, stamp: u64) -> bool {
    slots.get(ticket.slot()).is_some_and(|slot| slot.stamp == stamp)
}
