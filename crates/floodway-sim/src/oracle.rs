//! The best fixed limit, found by search: what an algorithm is measured against.

use floodway_sim::{Algorithm, Scenario, Trace, run};

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

/// A limit that is best among its neighbours is worth a climb if it reaches this part of the best.
const WORTH_A_CLIMB: f64 = 0.9;

/// After three limits in a row below this part of the best, no larger one is tried.
const HOPELESS: f64 = 0.6;

/// From where to climb: all limits that are better than their neighbours. Where conditions change,
/// a low limit may be best for one time, a high one for another, and none in between.
pub(crate) fn starts(scenario: &Scenario, seed: u64) -> Vec<u32> {
    // Far more than the workers and what the added delay keeps busy is never best.
    let most = 8 * scenario.workers as u32 + 50;
    let limits: Vec<_> = ladder().into_iter().step_by(2).filter(|&limit| limit <= most).collect();
    let mut good = Vec::new();
    let mut best = 0;
    let mut hopeless = 0;
    for &limit in &limits {
        let tried = attempt(scenario, seed, limit).good();
        best = best.max(tried);
        hopeless = if (tried as f64) < HOPELESS * best as f64 { hopeless + 1 } else { 0 };
        good.push(tried);
        if hopeless == 3 {
            break;
        }
    }
    (0..good.len())
        .filter(|&at| {
            let before = at.checked_sub(1).map_or(0, |before| good[before]);
            let after = good.get(at + 1).copied().unwrap_or(0);
            good[at] >= before
                && good[at] >= after
                && good[at] as f64 >= WORTH_A_CLIMB * best as f64
        })
        .map(|at| limits[at])
        .collect()
}

/// The best limit that a climb from any of `starts` reaches.
pub(crate) fn search(scenario: &Scenario, seed: u64, starts: &[u32]) -> Best {
    let mut best = climb(scenario, seed, starts.first().copied().unwrap_or(1));
    for &start in starts.iter().skip(1) {
        let other = climb(scenario, seed, start);
        if other.trace.good() > best.trace.good() {
            best = other;
        }
    }
    best
}

fn attempt(scenario: &Scenario, seed: u64, limit: u32) -> Trace {
    run(scenario, seed, &|| Algorithm::Fixed(limit).build())
}

/// Climbs the ladder of limits from `start` to where goodput is highest.
fn climb(scenario: &Scenario, seed: u64, start: u32) -> Best {
    let ladder = ladder();
    let mut position = ladder.partition_point(|&limit| limit < start).min(ladder.len() - 1);
    let mut best = attempt(scenario, seed, ladder[position]);
    for up in [true, false] {
        loop {
            let next = if up { position + 1 } else { position.wrapping_sub(1) };
            if next >= ladder.len() {
                break;
            }
            let tried = attempt(scenario, seed, ladder[next]);
            if tried.good() <= best.good() {
                break;
            }
            (position, best) = (next, tried);
        }
    }
    Best { limit: ladder[position], trace: best }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_summits_the_higher_is_found() {
        // Half of the time every answer takes longer, and a high limit is as good as a low one.
        let all = Scenario::all(16, 0.020).into_iter();
        let scenario = all.into_iter().find(|scenario| scenario.id == "A").expect("scenario A");
        let starts = starts(&scenario, 1);
        assert!(starts.len() > 1, "{starts:?}");
        let best = search(&scenario, 1, &starts);
        let most = ladder().into_iter().filter(|&limit| limit < 200);
        let most = most.map(|limit| attempt(&scenario, 1, limit).good()).max();
        assert_eq!(Some(best.trace.good()), most);
    }
}
