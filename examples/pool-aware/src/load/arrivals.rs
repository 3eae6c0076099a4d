//! When requests arrive: a Poisson process from a seed.

use std::time::Duration;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Exp};

/// The instants at which independent users send requests, `rate` a second on average: gaps are
/// exponential, so bursts occur as they do in life. ChaCha makes them the same everywhere.
#[derive(Debug)]
pub(super) struct Arrivals {
    random: ChaCha8Rng,
    gap: Exp<f64>,
    at: f64,
}

impl Arrivals {
    /// Arrivals from instant 0 on. `rate` is requests per second, more than 0.
    pub(super) fn new(rate: f64, seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        // Stream 0 draws the paths.
        random.set_stream(1);
        Self { random, gap: Exp::new(rate).expect("a positive rate"), at: 0.0 }
    }
}

impl Iterator for Arrivals {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.at += self.gap.sample(&mut self.random);
        Duration::try_from_secs_f64(self.at).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_arrivals_at_the_rate() {
        let arrivals = |seed| Arrivals::new(500.0, seed).take(50_000).collect::<Vec<_>>();
        assert_eq!(arrivals(1), arrivals(1));
        assert_ne!(arrivals(1), arrivals(2));
        // 3 % is more than six standard errors of the mean of so many gaps.
        let took = arrivals(1).last().expect("there are some").as_secs_f64();
        assert!((took / 100.0 - 1.0).abs() < 0.03, "{took}");
    }
}
