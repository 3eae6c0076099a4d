//! What came of a run.

use super::Plan;

/// A tenth of a second of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moment {
    /// When it ended, in seconds.
    pub at: f64,
    /// What is in use by replicas that could use it.
    pub in_use: u64,
    /// What of it counts towards the fair shares: no replica counts beyond its own.
    pub useful: u64,
    /// The fairness among those that could use more than their share.
    pub fairness: f64,
    /// Requests that the engine has answered in it.
    pub renewals: u64,
    /// What those that could use it can have: what may be leased less the floors of all others.
    pub reachable: u64,
    /// What is reserved for the floors of replicas whose bursts have lapsed.
    pub reserved: u64,
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Ran {
    /// What was run.
    pub plan: Plan,
    /// All of it.
    pub moments: Vec<Moment>,
    /// How often more was usable or open, in all, than may be leased.
    pub exceeded: u64,
    /// The most that was usable or open, beyond what may be leased.
    pub excess: u64,
    /// The longest that a burst lasted, in milliseconds: in large fleets more than is declared.
    pub ttl: u64,
    /// What each replica has had over the whole run, in permit-seconds.
    pub had: Vec<f64>,
}

impl Ran {
    /// How long after `from`, in milliseconds, until `share` of what those that could use it can have was
    /// in use usefully, and for half a second from then on. Infinite if never.
    #[must_use]
    pub fn until(&self, from: u64, share: f64) -> f64 {
        let from = from as f64 / 1e3;
        let enough = |one: &Moment| share * one.reachable as f64;
        let after: Vec<_> = self.moments.iter().filter(|one| one.at > from).collect();
        let settled =
            after.windows(5).find(|five| five.iter().all(|one| one.useful as f64 >= enough(one)));
        settled.map_or(f64::INFINITY, |five| five[0].at - from)
    }

    /// The least that was in use between these times, in milliseconds, as a part of what may be leased.
    #[must_use]
    pub fn least(&self, from: u64, to: u64) -> f64 {
        let least = self.between(from, to).map(|one| one.in_use).min().unwrap_or(0);
        least as f64 / f64::from(self.plan.usable())
    }

    /// What was in use between these times on average, as a part of what may be leased.
    #[must_use]
    pub fn mean(&self, from: u64, to: u64) -> f64 {
        let (sum, count) =
            self.between(from, to).fold((0, 0), |(sum, count), one| (sum + one.in_use, count + 1));
        sum as f64 / f64::from(count.max(1)) / f64::from(self.plan.usable())
    }

    /// The most that was reserved for floors of the dead, as a part of what may be leased.
    #[must_use]
    pub fn reserved(&self) -> f64 {
        let most = self.moments.iter().map(|one| one.reserved).max().unwrap_or(0);
        most as f64 / f64::from(self.plan.usable())
    }

    /// The fairness so long after the beginning.
    #[must_use]
    pub fn fairness_at(&self, at: u64) -> f64 {
        self.between(at, at + 200).next().map_or(0.0, |one| one.fairness)
    }

    /// Requests per second, over the run.
    #[must_use]
    pub fn renewals(&self) -> f64 {
        let sum: u64 = self.moments.iter().map(|one| one.renewals).sum();
        sum as f64 / self.moments.last().map_or(1.0, |one| one.at)
    }

    /// The most requests in a second.
    #[must_use]
    pub fn peak(&self) -> u64 {
        let second = |ten: &[Moment]| ten.iter().map(|one| one.renewals).sum();
        self.moments.windows(10).map(second).max().unwrap_or(0)
    }

    fn between(&self, from: u64, to: u64) -> impl Iterator<Item = &Moment> {
        let (from, to) = (from as f64 / 1e3, to as f64 / 1e3);
        self.moments.iter().filter(move |one| from < one.at && one.at <= to)
    }
}

/// [Jain's index](https://arxiv.org/abs/cs/9809099) of fairness: 1 if all have the same, 1/n if one has
/// everything.
pub fn jain(parts: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut squares, mut count) = (0.0, 0.0, 0.0);
    for part in parts {
        sum += part;
        squares += part * part;
        count += 1.0;
    }
    if squares == 0.0 { 1.0 } else { sum * sum / (count * squares) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fairness_is_one_among_equals_and_falls_to_a_part() {
        assert!((jain([3.0, 3.0, 3.0].into_iter()) - 1.0).abs() < 1e-9);
        assert!((jain([3.0, 0.0, 0.0].into_iter()) - 1.0 / 3.0).abs() < 1e-9);
    }
}
