//! The best fixed limit, found by search: what an algorithm is measured against.

use crate::{algorithms::Algorithm, scenario::Scenario, trace::Trace, world::run};

/// The limits that are tried: every one up to 10, then steps of a tenth.
fn ladder() -> Vec<u32> {
    let mut limits = vec![1];
    while let Some(&last) = limits.last()
        && last < 1_000
    {
        limits.push((last + (last / 10).max(1)).min(1_000));
    }
    limits
}

/// The best fixed limit for a scenario and a seed, and its run.
pub(crate) struct Best {
    pub(crate) limit: u32,
    pub(crate) trace: Trace,
}

/// Climbs the ladder of limits from `start` to where goodput is highest.
pub(crate) fn search(scenario: &Scenario, seed: u64, start: u32) -> Best {
    let ladder = ladder();
    let attempt = |position: usize| {
        let limit = ladder[position];
        let algorithm = Algorithm::Fixed(limit);
        Best { limit, trace: run(scenario, seed, &|| algorithm.build()) }
    };
    let mut position = ladder.partition_point(|&limit| limit < start).min(ladder.len() - 1);
    let mut best = attempt(position);
    for up in [true, false] {
        loop {
            let next = if up { position + 1 } else { position.wrapping_sub(1) };
            if next >= ladder.len() {
                break;
            }
            let tried = attempt(next);
            if tried.trace.good() <= best.trace.good() {
                break;
            }
            (position, best) = (next, tried);
        }
    }
    best
}
