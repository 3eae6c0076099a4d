//! Latencies in buckets of a fixed relative width, for quantiles.

use std::time::Duration;

/// Each doubling of latency is cut into so many buckets: a quantile is right to 1.6 %.
const PER_DOUBLING: u64 = 1 << BITS;
const BITS: u32 = 5;

/// From 1 µs to 2³¹ µs, 36 minutes; what is outside counts at the nearer end.
const BUCKETS: usize = 27 << BITS;

/// Takes no memory before the first record: most limiters have a constant limit.
#[derive(Clone, Debug, Default)]
pub(super) struct Histogram {
    counts: Vec<u32>,
}

impl Histogram {
    pub(super) fn record(&mut self, latency: Duration) {
        if self.counts.is_empty() {
            self.counts.resize(BUCKETS, 0);
        }
        self.counts[bucket(latency)] += 1;
    }

    pub(super) fn clear(&mut self) {
        self.counts.fill(0);
    }

    /// The latencies below which a tenth, two tenths, … nine tenths of `total` records are.
    pub(super) fn deciles(&self, total: u32) -> [Duration; 9] {
        let mut deciles = [Duration::ZERO; 9];
        let mut next = 0;
        let mut below = 0.0;
        for (bucket, &count) in self.counts.iter().enumerate() {
            if count == 0 {
                continue;
            }
            let count = f64::from(count);
            while next < deciles.len() {
                let rank = f64::from(total) * (next + 1) as f64 / 10.0;
                if rank > below + count {
                    break;
                }
                let (low, high) = edges(bucket);
                deciles[next] =
                    Duration::from_secs_f64((low + (high - low) * (rank - below) / count) * 1e-6);
                next += 1;
            }
            below += count;
        }
        deciles
    }
}

fn bucket(latency: Duration) -> usize {
    let micros = (latency.as_micros() as u64).max(1);
    // Below 2^BITS µs, every microsecond has a bucket of its own.
    let doublings = (63 - micros.leading_zeros()).saturating_sub(BITS);
    let bucket = u64::from(doublings) * PER_DOUBLING + (micros >> doublings);
    (bucket as usize).min(BUCKETS - 1)
}

/// The least latency of a bucket and that of the next, in microseconds.
fn edges(bucket: usize) -> (f64, f64) {
    let bucket = bucket as u64;
    let doublings = (bucket / PER_DOUBLING).saturating_sub(1);
    let low = (bucket - doublings * PER_DOUBLING) << doublings;
    (low as f64, (low + (1 << doublings)) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_latency_lies_between_the_edges_of_its_bucket() {
        for micros in (1..5_000).chain([1 << 20, (1 << 31) - 1]) {
            let (low, high) = edges(bucket(Duration::from_micros(micros)));
            assert!((low..high).contains(&(micros as f64)), "{micros}: {low}..{high}");
            assert!(high - low <= 1.0 || (high - low) / low <= 0.032, "{micros}: {low}..{high}");
        }
    }
}
