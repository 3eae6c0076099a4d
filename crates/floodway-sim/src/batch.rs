//! Items that are sent in batches, in virtual time.

mod cost;
mod engine;
mod ran;
mod rule;

pub use cost::{Cost, Shape};
pub use engine::{Plan, run, watch};
pub use ran::{Ran, Sent};
pub use rule::{Answer, Batcher, Rule};

use std::time::Duration;

/// Most items of a batch, of whatever rule.
pub const MAX_SIZE: usize = 1_024;

/// How items come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pattern {
    /// Independently of each other.
    Poisson,
    /// The same on average, but four times as many for a quarter of the time.
    Bursts,
    /// So many callers who come back as soon as they have their answer.
    Callers(usize),
}

/// The side that the rules do not choose.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Setting {
    /// How many batches run at once.
    pub slots: usize,
    /// What a batch costs.
    pub cost: Cost,
    /// How items come.
    pub pattern: Pattern,
    /// Arrivals, as a multiple of what the slots can do one item at a time; callers ignore it.
    pub load: f64,
    /// For the rules that can have one, and what late answers are counted by.
    pub objective: Option<Duration>,
}

impl Setting {
    /// How many times what is done one item at a time the largest batches can do.
    #[must_use]
    pub fn gain(&self) -> f64 {
        let [one, most] = [1, MAX_SIZE].map(|items| self.cost.mean(items) / items as f64);
        one / most
    }

    /// Arrivals per second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.load * self.slots as f64 / self.cost.mean(1)
    }

    /// Places of the queue, enough to fill all slots with the largest batches. Who finds none is
    /// rejected, which happens in overload alone.
    #[must_use]
    pub const fn places(&self) -> usize {
        MAX_SIZE * self.slots
    }

    /// Whether more comes than the largest batches can do.
    #[must_use]
    pub fn is_overloaded(&self) -> bool {
        !matches!(self.pattern, Pattern::Callers(_)) && self.load > self.gain()
    }

    /// Seconds until nobody comes any more, so that what is under way at the start or at the end
    /// does not matter: at least 500 batches of one on end, 100 ms and 20,000 items, and in overload
    /// 480 batches of the largest size in all slots together.
    #[must_use]
    pub fn length(&self) -> f64 {
        let one = self.cost.mean(1);
        match self.pattern {
            Pattern::Callers(_) => (1_000.0 * one).max(0.1),
            // Some forty bursts.
            Pattern::Bursts => (3_000.0 * one).max(0.1).max(20_000.0 / self.rate()),
            Pattern::Poisson if self.is_overloaded() => {
                (500.0 * one).max(480.0 / self.slots as f64 * self.cost.mean(MAX_SIZE))
            }
            Pattern::Poisson => (500.0 * one).max(0.1).max(20_000.0 / self.rate()),
        }
    }
}

fn nanos(seconds: f64) -> u64 {
    (seconds * 1e9) as u64
}
