//! What a limiter protects: workers that serve first come, first served, and suffer from a crowd.

use std::collections::VecDeque;

/// Operations that wait and operations that are worked on.
#[derive(Debug, Default)]
pub(crate) struct Downstream {
    /// Each operation more than there are workers makes all work this much slower.
    crowding: f64,
    workers: usize,
    busy: usize,
    waiting: VecDeque<u32>,
}

impl Downstream {
    pub(crate) fn new(crowding: f64) -> Self {
        Self { crowding, ..Self::default() }
    }

    pub(crate) fn set_workers(&mut self, workers: usize) {
        self.workers = workers;
    }

    pub(crate) fn arrive(&mut self, operation: u32) {
        self.waiting.push_back(operation);
    }

    pub(crate) fn finish(&mut self) {
        self.busy -= 1;
    }

    /// The next operation that a free worker takes, and how much the crowd slows it.
    ///
    /// Nobody tells the downstream that a caller has given up: abandoned work is done all the
    /// same, as it is by most servers.
    pub(crate) fn start(&mut self) -> Option<(u32, f64)> {
        if self.busy >= self.workers {
            return None;
        }
        let present = self.busy + self.waiting.len();
        let operation = self.waiting.pop_front()?;
        self.busy += 1;
        let excess = present.saturating_sub(self.workers);
        Some((operation, 1.0 + self.crowding * excess as f64))
    }
}
