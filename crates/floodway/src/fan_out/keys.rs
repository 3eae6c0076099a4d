//! Items that share a limit by key: which may run, and which are parked until one of theirs ends.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
};

/// Per key, how many items run and which wait, in the order in which they came.
///
/// Only keys with an item that runs are here, so memory follows what is going on, not how many
/// keys there are.
pub(super) struct Keys<K, P> {
    per_key: usize,
    busy: HashMap<K, Busy<P>>,
    /// Keys with an item that is parked and may run. At most once each.
    runnable: VecDeque<K>,
    parked: usize,
}

struct Busy<P> {
    running: usize,
    parked: VecDeque<P>,
    is_runnable: bool,
}

impl<K: Hash + Eq + Clone, P> Keys<K, P> {
    pub(super) fn new(per_key: usize) -> Self {
        Self { per_key, busy: HashMap::new(), runnable: VecDeque::new(), parked: 0 }
    }

    /// Items that wait for others of their key.
    pub(super) const fn parked(&self) -> usize {
        self.parked
    }

    /// Whether an item that was parked may run.
    pub(super) fn runnable(&self) -> bool {
        !self.runnable.is_empty()
    }

    /// Gives the item back if it may run, and parks it otherwise.
    pub(super) fn admit_or_park(&mut self, key: Option<K>, item: P) -> Option<P> {
        let Some(key) = key else {
            return Some(item);
        };
        let busy = self.busy.entry(key).or_insert_with(|| Busy {
            running: 0,
            parked: VecDeque::new(),
            is_runnable: false,
        });
        if busy.running < self.per_key && busy.parked.is_empty() {
            busy.running += 1;
            return Some(item);
        }
        busy.parked.push_back(item);
        self.parked += 1;
        None
    }

    /// An item that was parked and may run now.
    pub(super) fn next(&mut self) -> Option<P> {
        let key = self.runnable.pop_front()?;
        let busy = self.busy.get_mut(&key)?;
        busy.is_runnable = false;
        let item = busy.parked.pop_front()?;
        busy.running += 1;
        self.parked -= 1;
        if busy.running < self.per_key && !busy.parked.is_empty() {
            busy.is_runnable = true;
            self.runnable.push_back(key);
        }
        Some(item)
    }

    /// An item of this key ended. Whether another of it may run now.
    ///
    /// That one is first in line, so that whoever ended this item goes on with its key.
    pub(super) fn release(&mut self, key: &K) -> bool {
        let Some(busy) = self.busy.get_mut(key) else {
            return false;
        };
        busy.running -= 1;
        if busy.parked.is_empty() {
            if busy.running == 0 {
                self.busy.remove(key);
            }
            return false;
        }
        if !busy.is_runnable {
            busy.is_runnable = true;
            self.runnable.push_front(key.clone());
        }
        true
    }

    /// All that is parked.
    pub(super) fn drain(&mut self) -> Vec<P> {
        self.runnable.clear();
        self.parked = 0;
        self.busy.drain().flat_map(|(_, busy)| busy.parked).collect()
    }
}
