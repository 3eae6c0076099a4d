//! What the evidence says of a pool's size.

use std::time::Duration;

use super::{PoolVerdict, size::shrunk};
use crate::pool::{HoldBand, POOL_BANDS, PoolEvidence};

/// Holds that it takes to say anything: five above the 99th percentile.
pub(super) const ENOUGH: u64 = 500;

/// One caller in so many may be refused without anybody calling the pool too small: where more are,
/// the dashboard is not green any more.
const BEARABLE: u64 = 1_000;

/// Waits below this are of no account, whatever the holds: a check of an idle connection takes as
/// long.
const SHORT: Duration = Duration::from_millis(1);

/// Holds of a band that it takes to compare it: fewer may all be of one bad moment.
const SEVERAL: u64 = 100;

/// A pool is full with this share of its connections in use: bursts average out within a band.
const FULL: f64 = 0.75;

/// Bands are compared if one has at most this share of the other's connections in use. Holds begin
/// in one band and go on in another, so closer ones are a blend of the same holds.
const APART: f64 = 0.9;

/// And at least this one, about half: what the first few connections gave says nothing of the last.
const NEAR: f64 = 0.4;

/// Between 0, where more connections at once gave nothing, and 1, where they gave as much more: the
/// middle, from which an error has the same way to either side.
const WORTH: f64 = 0.5;

/// The standard error of that number which a comparison may have: one that lies at 0 or at 1 is then
/// taken for the other once in 160 times.
const ERROR: f64 = 0.2;

/// The 99th percentile of durations that scatter as exponential ones do, as a multiple of the mean:
/// ln 100.
const EXPONENTIAL_P99: f64 = 4.605;

pub(super) fn verdict(evidence: &PoolEvidence) -> PoolVerdict {
    if evidence.holds < ENOUGH {
        return PoolVerdict::Unknown;
    }
    if !callers_wait(evidence) {
        // The bands of a pool of less than eight are too coarse, and there is little to be saved.
        let spare = evidence.usable as usize >= POOL_BANDS
            && evidence.in_use_p99() <= evidence.usable / 2
            && shrunk(evidence) < evidence.own();
        return if spare { PoolVerdict::TooLarge } else { PoolVerdict::Fits };
    }
    let Some(fullest) = fullest(evidence) else {
        return PoolVerdict::Unknown;
    };
    if fullest.in_use() < f64::from(evidence.own()) * FULL {
        // Whoever waited did not wait for a connection to come back.
        return PoolVerdict::Fits;
    }
    match worth(evidence, fullest) {
        Some(WORTH..) => PoolVerdict::TooSmall,
        Some(_) => PoolVerdict::Saturated,
        None => PoolVerdict::Unknown,
    }
}

pub(super) fn callers_wait(evidence: &PoolEvidence) -> bool {
    let asked = evidence.holds.saturating_add(evidence.refused);
    evidence.refused.saturating_mul(BEARABLE) >= asked
        || evidence.wait_p99 >= evidence.hold_mean.max(SHORT)
}

/// The fullest band that was reached as often as may be called too often to be refused.
fn fullest(evidence: &PoolEvidence) -> Option<&HoldBand> {
    let mut reached = 0_u64;
    evidence.bands.iter().rev().find(|band| {
        reached = reached.saturating_add(band.holds);
        band.holds > 0 && reached.saturating_mul(BEARABLE) >= evidence.holds
    })
}

/// Of the throughput that more connections at once would have given in proportion, the part that was
/// there: in the fullest band, against the best of those less full. The best and not the next, so
/// that a database that gets slower the more is asked of it does not look well beside its worst.
fn worth(evidence: &PoolEvidence, fullest: &HoldBand) -> Option<f64> {
    let compared = |band: &&HoldBand| {
        let share = band.in_use() / fullest.in_use();
        let noise = error(evidence, fullest).hypot(error(evidence, band));
        (NEAR..=APART).contains(&share)
            && fullest.holds.min(band.holds) >= SEVERAL
            && band.throughput() > 0.0
            && noise <= (1.0 / share - 1.0) * ERROR
    };
    let bands = evidence.bands.iter().filter(compared);
    let best = bands.max_by(|a, b| a.throughput().total_cmp(&b.throughput()))?;
    let connections = fullest.in_use() / best.in_use();
    let throughput = fullest.throughput() / best.throughput();
    Some((throughput - 1.0) / (connections - 1.0))
}

/// The relative standard error of a band's mean hold. Its scatter is not known, so that of all holds
/// stands in, told from their tail; of exponential ones at least.
pub(super) fn error(evidence: &PoolEvidence, band: &HoldBand) -> f64 {
    let mean = evidence.hold_mean.max(Duration::from_nanos(1));
    let tail = evidence.hold_p99.as_secs_f64() / mean.as_secs_f64();
    (tail / EXPONENTIAL_P99).max(1.0) / (band.holds as f64).sqrt()
}
