//! What a limiter protects: workers that serve first come, first served, and suffer from a crowd.

use std::collections::VecDeque;

/// Operations that wait and operations that are worked on.
#[derive(Debug, Default)]
pub struct Downstream {
    /// Each operation more than there are workers makes all work this much slower.
    crowding: f64,
    workers: usize,
    busy: usize,
    waiting: VecDeque<u32>,
}

impl Downstream {
    /// Without workers. Each operation more than those makes all work `crowding` slower.
    #[must_use]
    pub fn new(crowding: f64) -> Self {
        Self { crowding, ..Self::default() }
    }

    /// Changes how many work; who is at work stays.
    pub fn set_workers(&mut self, workers: usize) {
        self.workers = workers;
    }

    /// Puts an operation into the line.
    pub fn arrive(&mut self, operation: u32) {
        self.waiting.push_back(operation);
    }

    /// A worker is done.
    pub fn finish(&mut self) {
        self.busy -= 1;
    }

    /// The next operation that a free worker takes, and how much the crowd slows it.
    ///
    /// Nobody tells the downstream that a caller has given up: abandoned work is done all the
    /// same, as it is by most servers.
    pub fn start(&mut self) -> Option<(u32, f64)> {
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
