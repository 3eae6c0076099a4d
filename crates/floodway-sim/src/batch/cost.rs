//! What a batch costs its downstream.

use std::time::Duration;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::MAX_SIZE;
use crate::random::{Service, stream};

/// One batch in so many takes so many times as long. Which one is left to chance, but every so many
/// have one: else chance decides which of two rules that are equally good does more.
const OUTLIER_IN: u32 = 50;
const OUTLIER: f64 = 10.0;

/// Of the logarithm of a batch's time.
const NOISE: Service = Service::LogNormal { sigma: 0.3 };

/// Of the logarithm of slowness, and what is left of it after the time of one item alone.
const SLOWNESS: f64 = 0.3;
const LASTING: f64 = 0.95;

/// One item in ten is ten times as dear as the others.
const DEAR: f64 = 0.1;
const CHEAP: f64 = 1.0 / 1.9;

/// Items past this cost twice as much.
const KNEE: usize = 512;

/// A batch takes the number of those that run to this power times as long.
const SHARED: f64 = 0.7;

/// How much dearer an item is for each other batch that runs.
const CONTENTION: f64 = 0.05;

/// What stays the same and what an item adds, and how both behave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// The overhead α of a batch.
    pub overhead: Duration,
    /// The cost β of an item.
    pub item: Duration,
    /// Whether one batch in fifty takes ten times as long.
    pub outliers: bool,
    /// What else there is.
    pub shape: Shape,
}

/// What there is beside overhead, items and noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// Nothing.
    Plain,
    /// All batches are slow together at times, an autoregressive process.
    Slowness,
    /// The overhead becomes so many times itself, halfway.
    Step(f64),
    /// The overhead grows to so many times itself, from the start to the end.
    Ramp(f64),
    /// One item in ten is ten times as dear as the others.
    Bimodal,
    /// Items past the 512th cost twice as much.
    Knee,
    /// Items are 5 % dearer for each other batch that runs.
    Contention,
    /// Batches share what they run on: two take 1.6 times as long each, four 2.6 times.
    Shared,
}

impl Cost {
    /// The mean time of a batch at the start, alone, in seconds.
    #[must_use]
    pub fn mean(&self, items: usize) -> f64 {
        let outliers =
            if self.outliers { 1.0 + (OUTLIER - 1.0) / f64::from(OUTLIER_IN) } else { 1.0 };
        (self.overhead.as_secs_f64() + self.items(items, items as f64)) * outliers
    }

    fn items(&self, items: usize, work: f64) -> f64 {
        let beyond = if self.shape == Shape::Knee { items.saturating_sub(KNEE) } else { 0 };
        self.item.as_secs_f64() * (work + beyond as f64)
    }

    /// The true overhead after this share of the run, in seconds.
    #[must_use]
    pub fn overhead_at(&self, share: f64) -> f64 {
        let factor = match self.shape {
            Shape::Step(factor) if share >= 0.5 => factor,
            Shape::Ramp(factor) => 1.0 + (factor - 1.0) * share.min(1.0),
            _ => 1.0,
        };
        self.overhead.as_secs_f64() * factor
    }

    /// The true cost of an item while so many batches run, in seconds.
    #[must_use]
    pub fn item_at(&self, running: usize) -> f64 {
        let others = running.saturating_sub(1) as f64;
        let factor = if self.shape == Shape::Contention { 1.0 + CONTENTION * others } else { 1.0 };
        self.item.as_secs_f64() * factor
    }

    /// The smallest size that keeps the overhead at 5 %, after this share of the run with all slots
    /// taken; at the knee if that is smaller.
    #[must_use]
    pub fn ideal(&self, share: f64, slots: usize) -> usize {
        let ratio = self.overhead_at(share) / self.item_at(slots);
        // Nineteen times a ratio of 5 is to be 95.
        let size = (19.0 * ratio - 1e-9).ceil().max(1.0) as usize;
        size.min(if self.shape == Shape::Knee { KNEE } else { MAX_SIZE })
    }
}

/// A downstream of one seed.
#[derive(Debug)]
pub(super) struct Downstream {
    cost: Cost,
    /// Nanoseconds.
    length: u64,
    noise: ChaCha8Rng,
    works: ChaCha8Rng,
    outliers: Outliers,
    slowness: Slowness,
}

impl Downstream {
    pub(super) fn new(cost: Cost, length: u64, seed: u64) -> Self {
        let step = cost.overhead + cost.item;
        Self {
            cost,
            length,
            noise: stream(seed, 11),
            works: stream(seed, 12),
            outliers: Outliers { left: 0, until: 0, random: stream(seed, 14) },
            slowness: Slowness {
                step: step.as_nanos() as u64,
                values: vec![0.0],
                random: stream(seed, 13),
            },
        }
    }

    /// The work of the next item to arrive, relative to the mean.
    pub(super) fn work(&mut self) -> f64 {
        if self.cost.shape != Shape::Bimodal {
            return 1.0;
        }
        CHEAP * if self.works.random_bool(DEAR) { 10.0 } else { 1.0 }
    }

    /// The share of the run that is over.
    pub(super) fn share(&self, now: u64) -> f64 {
        now as f64 / self.length as f64
    }

    /// Nanoseconds that a batch takes, of which `running` run, it included.
    pub(super) fn time(&mut self, now: u64, items: usize, work: f64, running: usize) -> u64 {
        let contention = self.cost.item_at(running) / self.cost.item.as_secs_f64();
        let mut time =
            self.cost.overhead_at(self.share(now)) + self.cost.items(items, work) * contention;
        time *= NOISE.draw(&mut self.noise);
        if self.cost.outliers && self.outliers.is_next() {
            time *= OUTLIER;
        }
        if self.cost.shape == Shape::Shared {
            time *= (running as f64).powf(SHARED);
        }
        if self.cost.shape == Shape::Slowness {
            time *= self.slowness.at(now);
        }
        super::nanos(time).max(1)
    }
}

/// Which batches are outliers.
#[derive(Debug)]
struct Outliers {
    /// Batches until the next has to be found, and until it comes.
    left: u32,
    until: u32,
    random: ChaCha8Rng,
}

impl Outliers {
    fn is_next(&mut self) -> bool {
        if self.left == 0 {
            self.left = OUTLIER_IN;
            self.until = self.random.random_range(1..=OUTLIER_IN);
        }
        self.left -= 1;
        // Counts down once; what is below zero does not matter before the next is found.
        self.until = self.until.wrapping_sub(1);
        self.until == 0
    }
}

/// Slowness by the time at which a batch begins, the same for whatever batches.
#[derive(Debug)]
struct Slowness {
    /// Nanoseconds.
    step: u64,
    /// Logarithms.
    values: Vec<f64>,
    random: ChaCha8Rng,
}

impl Slowness {
    fn at(&mut self, now: u64) -> f64 {
        let index = (now / self.step) as usize;
        while self.values.len() <= index {
            let last = self.values[self.values.len() - 1];
            let normal: f64 = StandardNormal.sample(&mut self.random);
            self.values.push(LASTING * last + SLOWNESS * (1.0 - LASTING * LASTING).sqrt() * normal);
        }
        (self.values[index] - SLOWNESS * SLOWNESS / 2.0).exp()
    }
}
