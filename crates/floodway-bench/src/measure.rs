//! Loops timed in turn, so that all see the same machine.

use std::time::{Duration, Instant};

/// How much to measure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// How often each loop runs.
    pub(crate) rounds: usize,
    /// Operations in one loop.
    pub(crate) iterations: u32,
}

impl Effort {
    /// Enough for a median that repeats within a few per cent on a busy machine.
    pub(crate) const FULL: Self = Self { rounds: 51, iterations: 200_000 };
    pub(crate) const QUICK: Self = Self { rounds: 7, iterations: 20_000 };

    /// Loops of so much fewer operations, for those that take longer; of one at least.
    pub(crate) const fn shorter(self, by: u32) -> Self {
        let iterations = if by > self.iterations { 1 } else { self.iterations / by };
        Self { iterations, ..self }
    }
}

/// Medians over all rounds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Compared {
    pub(crate) ours_ns: f64,
    pub(crate) peer_ns: f64,
    pub(crate) ratio: f64,
}

/// Runs both loops in turn, each first in every other round, after one round that is not counted.
pub(crate) fn compare(effort: Effort, ours: impl FnMut(u32), peer: impl FnMut(u32)) -> Compared {
    let race = race(effort, vec![Box::new(ours), Box::new(peer)]);
    Compared { ours_ns: race.ns(0), peer_ns: race.ns(1), ratio: race.ratio(0, 1) }
}

/// Runs so many operations.
pub(crate) type Contender<'a> = Box<dyn FnMut(u32) + 'a>;

/// What several loops took.
#[derive(Debug)]
pub(crate) struct Race {
    /// Nanoseconds per operation, by contender and round.
    times: Vec<Vec<f64>>,
}

/// Runs all loops in turn, after one round that is not counted. Another one begins every round, and
/// every other round goes backwards, so that nobody always follows the same one.
pub(crate) fn race(effort: Effort, mut contenders: Vec<Contender<'_>>) -> Race {
    let count = contenders.len();
    let mut times = vec![Vec::with_capacity(effort.rounds); count];
    for round in 0..=effort.rounds {
        for step in 0..count {
            let step = if round % 2 == 0 { step } else { count - step };
            let place = (round + step) % count;
            let nanoseconds = time(effort.iterations, &mut contenders[place]);
            if round > 0 {
                times[place].push(nanoseconds);
            }
        }
    }
    Race { times }
}

impl Race {
    /// Median nanoseconds per operation.
    pub(crate) fn ns(&self, contender: usize) -> f64 {
        median(self.times[contender].clone())
    }

    /// Median of the ratios of each round.
    pub(crate) fn ratio(&self, one: usize, other: usize) -> f64 {
        median(self.pairs(one, other).map(|(one, other)| one / other).collect())
    }

    /// Median of the differences of each round, in nanoseconds per operation.
    pub(crate) fn difference(&self, one: usize, other: usize) -> f64 {
        median(self.pairs(one, other).map(|(one, other)| one - other).collect())
    }

    /// Who has the lowest median.
    pub(crate) fn best(&self, contenders: impl Iterator<Item = usize>) -> usize {
        let best = contenders.min_by(|one, other| self.ns(*one).total_cmp(&self.ns(*other)));
        best.unwrap_or_default()
    }

    fn pairs(&self, one: usize, other: usize) -> impl Iterator<Item = (f64, f64)> {
        self.times[one].iter().copied().zip(self.times[other].iter().copied())
    }
}

/// Nanoseconds per operation.
fn time(iterations: u32, operations: &mut Contender<'_>) -> f64 {
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
    let started = Instant::now();
    operations(iterations);
    let elapsed: Duration = started.elapsed();
    elapsed.as_secs_f64() * 1e9 / f64::from(iterations)
}

/// Of no values, not a number.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
