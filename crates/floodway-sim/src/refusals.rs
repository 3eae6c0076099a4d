//! What refused callers are told, and when they come back.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::{random::stream, scenario::Returns};

/// After how long the impatient come back, in nanoseconds.
const IMPATIENT: f64 = 1e8;

/// Nobody is told to come back later than this, in nanoseconds.
const LATEST: f64 = 6e10;

/// The weight of one more interval in the mean time between two ends.
const WEIGHT: f64 = 1.0 / 64.0;

#[derive(Debug)]
pub(crate) struct Refusals {
    random: ChaCha8Rng,
    /// Mean nanoseconds between two operations that ended well.
    interval: f64,
    last_end: u64,
    /// Refusals, each fading with an age of a second, as of the last.
    recent: f64,
    last_refusal: u64,
    /// Until when every moment is promised to somebody, in nanoseconds.
    promised: f64,
}

impl Refusals {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            random: stream(seed, 3),
            interval: 0.0,
            last_end: 0,
            recent: 0.0,
            last_refusal: 0,
            promised: 0.0,
        }
    }

    pub(crate) fn note_end(&mut self, now: u64) {
        let interval = (now - self.last_end) as f64;
        self.interval += (interval - self.interval) * WEIGHT;
        self.last_end = now;
    }

    pub(crate) fn note_refusal(&mut self, now: u64) {
        self.recent = self.per_second(now) + 1.0;
        self.last_refusal = now;
    }

    /// Refusals per second, lately.
    pub(crate) fn per_second(&self, now: u64) -> f64 {
        self.recent * (-((now - self.last_refusal) as f64) * 1e-9).exp()
    }

    /// When a caller comes back that is refused now, with so many in the queue.
    pub(crate) fn back(&mut self, now: u64, queued: usize, returns: Returns) -> u64 {
        let drained = (queued as f64 + 1.0) * self.interval;
        let after = match returns {
            Returns::Impatient => IMPATIENT,
            Returns::Depth => drained,
            Returns::Paced => {
                // Each gets the next moment that nobody else was promised.
                self.promised = self.promised.max(now as f64 + drained) + self.interval;
                self.promised - now as f64
            }
        };
        let jitter: f64 = self.random.random_range(0.5..1.5);
        now + (after.min(LATEST) * jitter) as u64
    }
}
