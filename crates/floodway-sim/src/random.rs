//! Seeded randomness: the same seed gives every algorithm the same arrivals and the same work.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Exp1, LogNormal};

/// How long the work of one operation takes, relative to the mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Service {
    /// Exponential.
    Exponential,
    /// `share` of the operations take `slow` times the mean, the others what is left.
    Bimodal {
        /// 0 to 1.
        share: f64,
        /// In means.
        slow: f64,
    },
    /// Log-normal with this deviation of the logarithm.
    LogNormal {
        /// Of the logarithm.
        sigma: f64,
    },
    /// Always the mean.
    Constant,
}

impl Service {
    /// The work of one operation, relative to the mean.
    pub fn draw(self, random: &mut impl Rng) -> f64 {
        match self {
            Self::Exponential => Exp1.sample(random),
            Self::Bimodal { share, slow } => {
                if random.random_bool(share) {
                    slow
                } else {
                    (1.0 - share * slow) / (1.0 - share)
                }
            }
            // The mean of such a distribution is exp(mu + sigma²/2).
            Self::LogNormal { sigma } => LogNormal::new(-sigma * sigma / 2.0, sigma)
                .map_or(1.0, |distribution| distribution.sample(random)),
            Self::Constant => 1.0,
        }
    }
}

/// An exponential of mean 1.
pub(crate) fn exponential(random: &mut impl Rng) -> f64 {
    Exp1.sample(random)
}

/// A stream of its own for each purpose, so that drawing more for one leaves the others alone.
pub(crate) fn stream(seed: u64, purpose: u64) -> ChaCha8Rng {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(purpose);
    random
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_distribution_has_the_mean_1() {
        let all = [
            Service::Exponential,
            Service::Bimodal { share: 0.1, slow: 7.75 },
            Service::LogNormal { sigma: 1.0 },
            Service::Constant,
        ];
        for service in all {
            let mut random = stream(1, 0);
            let sum: f64 = (0..200_000).map(|_| service.draw(&mut random)).sum();
            assert!((sum / 200_000.0 - 1.0).abs() < 0.03, "{service:?}: {}", sum / 200_000.0);
        }
    }
}
