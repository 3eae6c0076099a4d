//! What waits: lines of items that may share a batch.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
    mem,
    sync::Arc,
    task::Waker,
};

use slab::Slab;
use tracing::Span;

use super::seat::{Riders, Seat};

/// An item that waits, and who waits for it.
pub(super) struct Entry<T, A, D> {
    pub(super) item: T,
    pub(super) weight: u64,
    /// When it arrived, in nanoseconds of the batcher's clock; without timings, not later.
    pub(super) arrived: u64,
    /// What it has in common with items that need not be sent beside it.
    pub(super) key: Option<D>,
    pub(super) callers: Callers<A>,
}

/// Who waits for the answer to an item, and where that was asked for.
pub(super) struct Caller<A> {
    pub(super) seat: Arc<Seat<A>>,
    pub(super) span: Option<Span>,
}

/// Those who wait for the answer to one item: one, and those with an item of the same key.
pub(super) struct Callers<A> {
    pub(super) first: Caller<A>,
    pub(super) twins: Vec<Caller<A>>,
}

impl<A> Callers<A> {
    pub(super) const fn one(first: Caller<A>) -> Self {
        Self { first, twins: Vec::new() }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Caller<A>> {
        [&self.first].into_iter().chain(&self.twins)
    }

    /// Takes those aboard who are still there; false if nobody is.
    fn board(&mut self, riders: Option<&Arc<Riders>>) -> bool {
        self.keep(|seat| seat.board(riders))
    }

    /// Forgets those who have gone; false if nobody is left.
    fn prune(&mut self) -> bool {
        self.keep(Seat::waits)
    }

    fn keep(&mut self, mut stays: impl FnMut(&Seat<A>) -> bool) -> bool {
        let first = stays(&self.first.seat);
        self.twins.retain(|twin| stays(&twin.seat));
        if first {
            return true;
        }
        match self.twins.pop() {
            Some(twin) => {
                self.first = twin;
                true
            }
            None => false,
        }
    }
}

/// How many lines are looked at in turn for one that may go, so that a decision is cheap however
/// many partitions there are. Those in front have waited longest.
const LOOK: usize = 16;

/// Which lines are looked at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Those that have just come to have enough: nothing else may go, or it would have gone.
    ReadyFirst,
    /// Those whose turn it is, because something became free that all want.
    TurnFirst,
}

/// All items that wait. Those of one partition form a line.
pub(super) struct Queue<T, A, K, D> {
    lines: Slab<Line<T, A, K, D>>,
    by_key: HashMap<K, usize>,
    /// Whose turn is next: lines that have items, each with its ticket. One whose ticket is another
    /// by now has had its turn.
    turn: VecDeque<(usize, u64)>,
    /// The next ticket.
    ticket: u64,
    /// Lines that have items.
    waiting: usize,
    /// Lines that came to have enough for another decision, before their turn; with tickets, as in
    /// `turn`.
    ready: VecDeque<(usize, u64)>,
    items: usize,
}

pub(super) struct Line<T, A, K, D> {
    items: VecDeque<(u64, Entry<T, A, D>)>,
    weight: u64,
    key: Option<K>,
    /// By the key of the item: its number.
    twins: HashMap<D, u64>,
    /// The number of the next item.
    next: u64,
    /// What it queued up with.
    ticket: u64,
    /// Whether it is among the ready ones.
    ready: bool,
    /// How many items are worth another decision.
    pub(super) worth_asking: usize,
}

/// What is left out of a batch because nobody waits for it is dropped by the caller, who holds a
/// lock.
pub(super) struct Taken<T, A, D> {
    pub(super) entries: Vec<Entry<T, A, D>>,
    pub(super) skipped: Vec<Entry<T, A, D>>,
    pub(super) weight: u64,
}

impl<T, A, K: Hash + Eq + Clone, D: Hash + Eq + Clone> Queue<T, A, K, D> {
    pub(super) fn new() -> Self {
        Self {
            lines: Slab::new(),
            by_key: HashMap::new(),
            turn: VecDeque::new(),
            ticket: 0,
            waiting: 0,
            ready: VecDeque::new(),
            items: 0,
        }
    }

    /// Lines that have items.
    pub(super) fn partitions(&self) -> usize {
        self.waiting
    }

    /// The line to look at next, after `n` others in turn; `None` if it is not worth it any more.
    pub(super) fn next(&mut self, n: usize, order: Order) -> Option<usize> {
        match order {
            Order::ReadyFirst => self.next_ready().or_else(|| self.next_in_turn(n)),
            Order::TurnFirst => self.next_in_turn(n).or_else(|| self.next_ready()),
        }
    }

    fn next_ready(&mut self) -> Option<usize> {
        while let Some((line, ticket)) = self.ready.pop_front() {
            if self.has_turn(line, ticket) {
                self.lines[line].ready = false;
                return Some(line);
            }
        }
        None
    }

    fn next_in_turn(&mut self, n: usize) -> Option<usize> {
        if n >= LOOK {
            return None;
        }
        while let Some((line, ticket)) = self.turn.get(n).copied() {
            if self.has_turn(line, ticket) {
                return Some(line);
            }
            self.turn.remove(n);
        }
        None
    }

    fn has_turn(&self, line: usize, ticket: u64) -> bool {
        self.lines.get(line).is_some_and(|line| line.ticket == ticket && !line.items.is_empty())
    }

    /// Puts a line that has items behind all others.
    fn queue_up(&mut self, line: usize) {
        self.ticket += 1;
        self.lines[line].ticket = self.ticket;
        self.lines[line].ready = false;
        self.turn.push_back((line, self.ticket));
        // Lines that were served out of turn leave a ticket behind each time.
        if self.turn.len() > 2 * self.waiting + 64 {
            let turn = mem::take(&mut self.turn);
            self.turn =
                turn.into_iter().filter(|(line, ticket)| self.has_turn(*line, *ticket)).collect();
        }
    }

    /// Whether the item that was just pushed calls for a decision on its line; if it does, the line
    /// is looked at before it is its turn.
    pub(super) fn is_worth_asking(&mut self, at: usize, max_weight: u64) -> bool {
        let line = &self.lines[at];
        let last = line.items.back().map_or(0, |(_, last)| last.weight);
        let heavy = line.weight >= max_weight;
        let was_heavy = line.weight.saturating_sub(last) >= max_weight;
        let reached = line.items.len() == line.worth_asking.max(1) || heavy && !was_heavy;
        let worth_asking = line.items.len() >= line.worth_asking || line.items.len() == 1 || heavy;
        if reached {
            self.get_ready(at);
        }
        worth_asking
    }

    fn get_ready(&mut self, at: usize) {
        let line = &mut self.lines[at];
        if !line.ready {
            line.ready = true;
            self.ready.push_back((at, line.ticket));
            self.forget_served();
        }
    }

    /// Lines that were served in turn are forgotten here now and then.
    fn forget_served(&mut self) {
        if self.ready.len() > 2 * self.waiting + 64 {
            let ready = mem::take(&mut self.ready);
            self.ready =
                ready.into_iter().filter(|(line, ticket)| self.has_turn(*line, *ticket)).collect();
        }
    }

    pub(super) fn line(&self, line: usize) -> &Line<T, A, K, D> {
        &self.lines[line]
    }

    pub(super) fn line_mut(&mut self, line: usize) -> &mut Line<T, A, K, D> {
        &mut self.lines[line]
    }

    /// Adds an item to the line of `partition`, or its caller to an item of the same key that
    /// waits there; the item that is not needed comes back. Gives the line.
    pub(super) fn push(
        &mut self,
        partition: Option<K>,
        entry: Entry<T, A, D>,
    ) -> (usize, Option<T>) {
        let line = self.line_of(partition);
        let Line { items, weight, twins, next, .. } = &mut self.lines[line];
        if let Some(key) = &entry.key {
            if let Some(known) = twins.get(key)
                && let Ok(at) = items.binary_search_by_key(known, |(number, _)| *number)
            {
                items[at].1.callers.twins.push(entry.callers.first);
                return (line, Some(entry.item));
            }
            twins.insert(key.clone(), *next);
        }
        let first = items.is_empty();
        *weight = weight.saturating_add(entry.weight);
        items.push_back((*next, entry));
        *next += 1;
        self.items += 1;
        if first {
            self.waiting += 1;
            self.queue_up(line);
        }
        (line, None)
    }

    fn line_of(&mut self, partition: Option<K>) -> usize {
        // Without partitions there is one line and nothing to look up.
        let Some(key) = partition else {
            return match self.lines.get(0) {
                Some(_) => 0,
                None => self.lines.insert(Line::new(None)),
            };
        };
        match self.by_key.get(&key) {
            Some(line) => *line,
            None => {
                let line = self.lines.insert(Line::new(Some(key.clone())));
                self.by_key.insert(key, line);
                line
            }
        }
    }

    /// Takes the oldest items of `line` that fit and whose callers are still there; at least one, if
    /// one is. What remains has its turn after the other lines.
    pub(super) fn take(
        &mut self,
        line: usize,
        items: usize,
        max_weight: u64,
        riders: Option<&Arc<Riders>>,
    ) -> Taken<T, A, D> {
        let mut taken = Taken {
            entries: Vec::with_capacity(items.min(self.lines[line].items.len())),
            skipped: Vec::new(),
            weight: 0,
        };
        while taken.entries.len() < items {
            let Some((_, next)) = self.lines[line].items.front() else { break };
            let weight = taken.weight.saturating_add(next.weight);
            if weight > max_weight && !taken.entries.is_empty() {
                break;
            }
            let Some(mut entry) = self.pop(line) else { break };
            if entry.callers.board(riders) {
                taken.weight = weight;
                taken.entries.push(entry);
            } else {
                taken.skipped.push(entry);
            }
        }
        if self.lines[line].items.is_empty() {
            self.end(line);
        } else {
            self.queue_up(line);
            // It may have enough for another batch, behind many that have not.
            self.get_ready(line);
        }
        taken
    }

    /// The oldest item of `line`.
    fn pop(&mut self, line: usize) -> Option<Entry<T, A, D>> {
        let line = &mut self.lines[line];
        let (number, entry) = line.items.pop_front()?;
        line.weight = line.weight.saturating_sub(entry.weight);
        // A later item may have the key by now, if this one was not found under it.
        if let Some(key) = &entry.key
            && line.twins.get(key) == Some(&number)
        {
            line.twins.remove(key);
        }
        self.items -= 1;
        Some(entry)
    }

    /// Forgets a line that is empty, so that partitions without bound take bounded memory.
    fn end(&mut self, line: usize) {
        self.waiting -= 1;
        if self.lines[line].key.is_some() {
            let ended = self.lines.remove(line);
            if let Some(key) = ended.key {
                self.by_key.remove(&key);
            }
        }
    }

    /// Takes out all items for which `stays` is false.
    pub(super) fn sweep(
        &mut self,
        mut stays: impl FnMut(&mut Entry<T, A, D>) -> bool,
    ) -> Vec<Entry<T, A, D>> {
        let mut out = Vec::new();
        let turn = mem::take(&mut self.turn);
        for (line, ticket) in turn {
            if !self.has_turn(line, ticket) {
                continue;
            }
            let Line { items, weight, twins, .. } = &mut self.lines[line];
            for (number, mut entry) in mem::take(items) {
                if stays(&mut entry) {
                    items.push_back((number, entry));
                    continue;
                }
                *weight = weight.saturating_sub(entry.weight);
                if let Some(key) = &entry.key {
                    twins.remove(key);
                }
                out.push(entry);
            }
            if items.is_empty() {
                self.end(line);
            } else {
                self.turn.push_back((line, ticket));
            }
        }
        self.items -= out.len();
        self.forget_served();
        out
    }

    /// Takes out those that nobody waits for any more.
    pub(super) fn purge(&mut self) -> Vec<Entry<T, A, D>> {
        self.sweep(|entry| entry.callers.prune())
    }
}

impl<T, A, K, D> Queue<T, A, K, D> {
    /// Items that wait, and those whose callers have gone and that nobody has come across yet.
    pub(super) const fn len(&self) -> usize {
        self.items
    }

    /// When the oldest item of all arrived.
    pub(super) fn oldest(&self) -> Option<u64> {
        self.lines.iter().filter_map(|(_, line)| line.oldest()).min()
    }

    /// Everybody who waits, for a wake without an answer.
    pub(super) fn wakers(&self) -> Vec<Waker> {
        let items = self.lines.iter().flat_map(|(_, line)| &line.items);
        items
            .flat_map(|(_, entry)| entry.callers.all())
            .filter_map(|caller| caller.seat.waker())
            .collect()
    }
}

impl<T, A, K, D> Line<T, A, K, D> {
    fn new(key: Option<K>) -> Self {
        Self {
            items: VecDeque::new(),
            weight: 0,
            key,
            twins: HashMap::new(),
            next: 0,
            ticket: 0,
            ready: false,
            worth_asking: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) const fn weight(&self) -> u64 {
        self.weight
    }

    /// When its oldest item arrived.
    pub(super) fn oldest(&self) -> Option<u64> {
        self.items.front().map(|(_, entry)| entry.arrived)
    }
}
