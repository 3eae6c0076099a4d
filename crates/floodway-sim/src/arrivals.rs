//! Who comes when and with how much work: the same for whoever plays a scenario.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::{
    random::{exponential, stream},
    scenario::{Phase, Scenario},
};

/// The arrivals of one seed.
#[derive(Clone, Debug)]
pub struct Arrivals {
    times: ChaCha8Rng,
    works: ChaCha8Rng,
}

/// Somebody who asks for a permit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Arrival {
    /// Relative to the mean.
    pub work: f64,
    /// The limiter that is asked.
    pub replica: usize,
}

impl Arrivals {
    /// The arrivals of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { times: stream(seed, 0), works: stream(seed, 1) }
    }

    /// Nanoseconds until the next one, at `phase` of `scenario`.
    pub fn gap(&mut self, scenario: &Scenario, phase: &Phase) -> u64 {
        let per_nanosecond = phase.load * scenario.capacity() / 1e9;
        (exponential(&mut self.times) / per_nanosecond) as u64 + 1
    }

    /// Who that is. To be drawn whether or not there will be a permit, so that all limiters meet
    /// the same.
    pub fn draw(&mut self, scenario: &Scenario, phase: &Phase) -> Arrival {
        let work = scenario.service.draw(&mut self.works);
        let choice: f64 = self.times.random();
        Arrival { work, replica: (choice * phase.replicas as f64) as usize }
    }
}
