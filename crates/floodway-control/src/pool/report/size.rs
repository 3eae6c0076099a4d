//! How many connections a pool should have.

use super::judging::error;
use crate::pool::{HoldBand, PoolEvidence};

/// A tenth of throughput is what a smaller pool may cost: within it, people do not see a difference.
const SAME: f64 = 1.1;

/// The relative standard error of a band's mean hold that is small beside that tenth.
const ERROR: f64 = 0.05;

/// For the load that was offered, refused callers included, with so much to spare that few wait; a
/// quarter more than now at least, and at most twice as many.
pub(super) fn grown(evidence: &PoolEvidence) -> u32 {
    let offered = evidence.per_second(evidence.holds.saturating_add(evidence.refused));
    let load = offered * evidence.hold_mean.as_secs_f64();
    let own = f64::from(evidence.own().max(1));
    (load + 2.0 * load.sqrt()).clamp((own * 1.25).max(own + 1.0), own * 2.0).ceil() as u32
}

/// Half as many again as sufficed, for what was not seen; half of now at least.
pub(super) fn shrunk(evidence: &PoolEvidence) -> u32 {
    let sufficed = evidence.in_use_p99();
    sufficed.saturating_add(sufficed.div_ceil(2)).max(evidence.own().div_ceil(2))
}

/// As many as gave nearly the most throughput that was seen, but half of now at least: the times with
/// few connections in use may have been those of lighter work.
pub(super) fn sufficient(evidence: &PoolEvidence) -> u32 {
    let known = || evidence.bands.iter().filter(|band| error(evidence, band) <= ERROR);
    let most = known().map(HoldBand::throughput).fold(0.0, f64::max);
    let enough = known().find(|band| band.throughput() * SAME >= most);
    let own = evidence.own();
    let connections = enough.map_or(own, |band| band.in_use().ceil() as u32);
    connections.clamp(own.div_ceil(2), own)
}
