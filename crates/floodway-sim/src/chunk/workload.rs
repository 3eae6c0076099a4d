//! What the items of a fan-out cost.

use std::{num::NonZeroUsize, ops::Range};

use rand_distr::{Distribution, Exp1, LogNormal, Pareto};

use crate::random::stream;

/// Running times of items, summed up, so that a chunk is a subtraction.
#[derive(Clone, Debug)]
pub struct Items {
    /// Nanoseconds of all items before this one; one more than there are items.
    sums: Vec<u64>,
}

impl Items {
    /// From running times in nanoseconds.
    #[must_use]
    pub fn new(times: impl IntoIterator<Item = f64>) -> Self {
        let mut sums = vec![0];
        let mut sum = 0.0;
        for time in times {
            sum += time;
            sums.push(sum.round() as u64);
        }
        Self { sums }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sums.len() - 1
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Nanoseconds that these take, one after the other.
    #[must_use]
    pub fn time(&self, range: Range<usize>) -> u64 {
        self.sums[range.end] - self.sums[range.start]
    }
}

const MICRO: f64 = 1e3;
const MILLI: f64 = 1e6;

/// A kind of input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Workload {
    /// 100,000 items of 1 µs.
    Even1Micro,
    /// 10,000 items of 100 µs.
    Even100Micros,
    /// 1,000 items of 10 ms.
    Even10Millis,
    /// 50,000 items, exponential with a mean of 10 µs.
    Exponential,
    /// 50,000 items, of which nine in ten take 1 µs and one in ten 1 ms.
    Bimodal,
    /// 50,000 items of 1 µs, the first of which takes 5 ms.
    StragglerFirst,
    /// 50,000 items of 1 µs, the last of which takes 5 ms.
    StragglerLast,
    /// 20,000 items, from 0 to 20 µs.
    Rising,
    /// 20,000 items, from 20 µs to 0.
    Falling,
    /// 50,000 items of 1 µs, then 500 of 1 ms.
    FastThenSlow,
    /// 500 items of 1 ms, then 50,000 of 1 µs.
    SlowThenFast,
    /// Three items for every four workers, at least one, of 10 ms.
    Few,
    /// 100 items of 1 µs.
    Tiny,
    /// 1,000,000 items of 100 ns.
    Many,
    /// 50,000 items, Pareto with index 1.5 and a mean of 10 µs.
    Pareto,
    /// 50,000 items, log-normal with σ = 2 and a mean of 10 µs.
    LogNormal,
}

impl Workload {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::Even1Micro,
        Self::Even100Micros,
        Self::Even10Millis,
        Self::Exponential,
        Self::Bimodal,
        Self::StragglerFirst,
        Self::StragglerLast,
        Self::Rising,
        Self::Falling,
        Self::FastThenSlow,
        Self::SlowThenFast,
        Self::Few,
        Self::Tiny,
        Self::Many,
        Self::Pareto,
        Self::LogNormal,
    ];

    /// For figures and files.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Even1Micro => "even_1us",
            Self::Even100Micros => "even_100us",
            Self::Even10Millis => "even_10ms",
            Self::Exponential => "exponential",
            Self::Bimodal => "bimodal",
            Self::StragglerFirst => "straggler_first",
            Self::StragglerLast => "straggler_last",
            Self::Rising => "rising",
            Self::Falling => "falling",
            Self::FastThenSlow => "fast_then_slow",
            Self::SlowThenFast => "slow_then_fast",
            Self::Few => "few",
            Self::Tiny => "tiny",
            Self::Many => "many",
            Self::Pareto => "pareto",
            Self::LogNormal => "log_normal",
        }
    }

    /// For people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Even1Micro => "100,000 × 1 µs",
            Self::Even100Micros => "10,000 × 100 µs",
            Self::Even10Millis => "1,000 × 10 ms",
            Self::Exponential => "50,000, exponential, mean 10 µs",
            Self::Bimodal => "50,000, nine in ten 1 µs, one in ten 1 ms",
            Self::StragglerFirst => "50,000 × 1 µs, the first 5 ms",
            Self::StragglerLast => "50,000 × 1 µs, the last 5 ms",
            Self::Rising => "20,000, rising from 0 to 20 µs",
            Self::Falling => "20,000, falling from 20 µs to 0",
            Self::FastThenSlow => "50,000 × 1 µs, then 500 × 1 ms",
            Self::SlowThenFast => "500 × 1 ms, then 50,000 × 1 µs",
            Self::Few => "three for every four workers, 10 ms",
            Self::Tiny => "100 × 1 µs",
            Self::Many => "1,000,000 × 100 ns",
            Self::Pareto => "50,000, Pareto 1.5, mean 10 µs",
            Self::LogNormal => "50,000, log-normal, σ = 2, mean 10 µs",
        }
    }

    /// Whether every seed gives other items.
    #[must_use]
    pub const fn is_random(self) -> bool {
        matches!(self, Self::Exponential | Self::Bimodal | Self::Pareto | Self::LogNormal)
    }

    /// The items.
    #[must_use]
    pub fn items(self, workers: NonZeroUsize, seed: u64) -> Items {
        let mut random = stream(seed, 0);
        let straggler = |at: usize| {
            let time = move |item| if item == at { 5.0 * MILLI } else { MICRO };
            Items::new((0..50_000).map(time))
        };
        let fast = || std::iter::repeat_n(MICRO, 50_000);
        let slow = || std::iter::repeat_n(MILLI, 500);
        match self {
            Self::Even1Micro => even(100_000, MICRO),
            Self::Even100Micros => even(10_000, 100.0 * MICRO),
            Self::Even10Millis => even(1_000, 10.0 * MILLI),
            Self::Exponential => drawn(|| {
                let time: f64 = Exp1.sample(&mut random);
                10.0 * MICRO * time
            }),
            Self::Bimodal => {
                drawn(|| if rand::RngExt::random_bool(&mut random, 0.1) { MILLI } else { MICRO })
            }
            Self::StragglerFirst => straggler(0),
            Self::StragglerLast => straggler(49_999),
            Self::Rising => Items::new((0..20_000).map(f64::from)),
            Self::Falling => Items::new((0..20_000).rev().map(f64::from)),
            Self::FastThenSlow => Items::new(fast().chain(slow())),
            Self::SlowThenFast => Items::new(slow().chain(fast())),
            Self::Few => even((workers.get() * 3 / 4).max(1), 10.0 * MILLI),
            Self::Tiny => even(100, MICRO),
            Self::Many => even(1_000_000, 100.0),
            // The mean of such a distribution is three times its scale.
            Self::Pareto => match Pareto::new(10.0 / 3.0 * MICRO, 1.5) {
                Ok(pareto) => drawn(|| pareto.sample(&mut random)),
                Err(_) => unreachable!("both parameters are positive"),
            },
            // The mean of such a distribution is exp(mu + sigma²/2).
            Self::LogNormal => match LogNormal::new((10.0 * MICRO).ln() - 2.0, 2.0) {
                Ok(log_normal) => drawn(|| log_normal.sample(&mut random)),
                Err(_) => unreachable!("the deviation is finite"),
            },
        }
    }
}

fn even(items: usize, time: f64) -> Items {
    Items::new(std::iter::repeat_n(time, items))
}

fn drawn(time: impl FnMut() -> f64) -> Items {
    Items::new(std::iter::repeat_with(time).take(50_000))
}
