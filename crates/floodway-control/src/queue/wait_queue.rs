//! The wait queue: bounded by length and deadline, ordered by class and discipline.

mod arrival;
mod turn;

use std::time::Duration;

use slab::Slab;

use super::{
    Class, Discipline, QueueConfig, Ticket, WaitRequest, deadlines::Deadlines, drain::Drain,
    group::Group,
};

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
    pub fn for_each_waiting(&mut self, visit: impl FnMut(&mut T)) {
        let waiting = self.slots.iter_mut().filter(|(_, slot)| slot.stamp != 0);
        waiting.map(|(_, slot)| &mut slot.payload).for_each(visit);
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

fn is_current<T>(slots: &Slab<Slot<T>>, ticket: Ticket, stamp: u64) -> bool {
    slots.get(ticket.slot()).is_some_and(|slot| slot.stamp == stamp)
}
