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
    /// Arrivals from instant 0 on; each `stream` of one seed is another sequence. `rate` is
    /// requests per second, more than 0.
    pub(super) fn new(rate: f64, seed: u64, stream: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(stream);
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
    fn a_seed_and_a_stream_give_one_sequence() {
        let arrivals =
            |seed, stream| Arrivals::new(100.0, seed, stream).take(50).collect::<Vec<_>>();
        assert_eq!(arrivals(1, 0), arrivals(1, 0));
        assert_ne!(arrivals(1, 0), arrivals(2, 0));
        assert_ne!(arrivals(1, 0), arrivals(1, 1));
    }

    #[test]
    fn the_gaps_are_exponential() {
        let rate = 500.0;
        let at: Vec<_> =
            Arrivals::new(rate, 1, 0).take(100_000).map(|at| at.as_secs_f64()).collect();
        let gaps: Vec<_> = at.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let count = gaps.len() as f64;
        let mean = gaps.iter().sum::<f64>() / count;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / count;
        // Both are 1 / rate; with this many gaps, 2 % is six standard errors of the mean.
        assert!((mean * rate - 1.0).abs() < 0.02, "mean {mean}");
        assert!((variance.sqrt() * rate - 1.0).abs() < 0.03, "deviation {}", variance.sqrt());
    }
}
