//! Two loops timed in turn, so that both see the same machine.

use std::time::{Duration, Instant};

/// How much to measure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// Pairs of ours and the peer's.
    pub(crate) rounds: usize,
    /// Operations in one loop.
    pub(crate) iterations: u32,
}

impl Effort {
    /// Enough for a median that repeats within a few per cent on a busy machine.
    pub(crate) const FULL: Self = Self { rounds: 51, iterations: 200_000 };
    pub(crate) const QUICK: Self = Self { rounds: 7, iterations: 20_000 };
}

/// Medians over all rounds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Compared {
    pub(crate) ours_ns: f64,
    pub(crate) peer_ns: f64,
    pub(crate) ratio: f64,
}

/// Runs both loops in turn, each first in every other round, after one round that is not counted.
pub(crate) fn compare(
    effort: Effort,
    mut ours: impl FnMut(u32),
    mut peer: impl FnMut(u32),
) -> Compared {
    let (mut all_ours, mut all_peers, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=effort.rounds {
        let (mine, theirs) = if round % 2 == 0 {
            let mine = time(effort.iterations, &mut ours);
            (mine, time(effort.iterations, &mut peer))
        } else {
            let theirs = time(effort.iterations, &mut peer);
            (time(effort.iterations, &mut ours), theirs)
        };
        if round > 0 {
            all_ours.push(mine);
            all_peers.push(theirs);
            ratios.push(mine / theirs);
        }
    }
    Compared { ours_ns: median(all_ours), peer_ns: median(all_peers), ratio: median(ratios) }
}

/// Nanoseconds per operation.
fn time(iterations: u32, operations: &mut impl FnMut(u32)) -> f64 {
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
    let started = Instant::now();
    operations(iterations);
    let elapsed: Duration = started.elapsed();
    elapsed.as_secs_f64() * 1e9 / f64::from(iterations)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
