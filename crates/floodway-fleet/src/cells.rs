//! What a lease counts.

use floodway_control::fleet::HolderState;
use floodway_metrics::{Buckets, Collector, Counter, Histogram, catalogue::fleet as catalogue};

use crate::LeaseSnapshot;

/// Positions of the values of the label `outcome`.
pub(crate) const GRANTED: usize = 0;
pub(crate) const REFUSED: usize = 1;
pub(crate) const TIMED_OUT: usize = 2;
pub(crate) const FAILED: usize = 3;
pub(crate) const IGNORED: usize = 4;

/// Positions of the values of the label `direction`.
pub(crate) const UP: usize = 0;
pub(crate) const DOWN: usize = 1;

pub(crate) struct Cells {
    pub(crate) renewals: Counter<{ catalogue::OUTCOME.values.len() }>,
    pub(crate) changes: Counter<{ catalogue::DIRECTION.values.len() }>,
    pub(crate) lapses: Counter,
    pub(crate) fenced: Counter,
    pub(crate) fence_failures: Counter,
    pub(crate) duration: Histogram,
}

impl Cells {
    pub(crate) fn new() -> Self {
        Self {
            renewals: Counter::new(),
            changes: Counter::new(),
            lapses: Counter::new(),
            fenced: Counter::new(),
            fence_failures: Counter::new(),
            duration: Histogram::new(Buckets::DURATIONS),
        }
    }

    /// Reports everything.
    pub(crate) fn collect(&self, lease: &LeaseSnapshot, disagree: bool, out: &mut Collector) {
        let floats = |counts: &[u64]| counts.iter().map(|n| *n as f64).collect::<Vec<_>>();
        let seconds = |time: Option<std::time::Duration>| time.unwrap_or_default().as_secs_f64();

        out.number(&catalogue::BUDGET, lease.budget.into());
        out.number(&catalogue::MARGIN, lease.margin.into());
        out.number(&catalogue::GRANTED, lease.grant.into());
        out.number(&catalogue::FLOOR, lease.floor.into());
        out.number(&catalogue::HELD, lease.held.into());
        out.number(&catalogue::WANTED, lease.want.into());
        out.number(&catalogue::OUTSTANDING, lease.outstanding.into());
        out.number(&catalogue::UNFENCED, lease.unfenced.into());
        out.number(&catalogue::REPLICAS, lease.replicas.into());
        out.number(&catalogue::HUNGRY_REPLICAS, lease.hungry.into());
        let states = HolderState::ALL.map(|state| f64::from(u8::from(state == lease.state)));
        out.numbers(&catalogue::LEASE_INFO, states);
        out.number(&catalogue::LEASE_AGE, lease.age.as_secs_f64());
        out.number(&catalogue::LEASE_REMAINING, seconds(lease.remaining));
        out.number(&catalogue::BUDGET_DISAGREEMENT, f64::from(u8::from(disagree)));
        out.numbers(&catalogue::RENEWALS, floats(&self.renewals.values()));
        out.numbers(&catalogue::GRANT_CHANGES, floats(&self.changes.values()));
        out.number(&catalogue::LAPSES, self.lapses.total() as f64);
        out.number(&catalogue::FENCED_CONNECTIONS, self.fenced.total() as f64);
        out.number(&catalogue::FENCE_FAILURES, self.fence_failures.total() as f64);
        out.histogram(&catalogue::RENEWAL_DURATION, self.duration.value());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_those_of_the_catalogue() {
        assert_eq!(HolderState::ALL.map(HolderState::as_str), catalogue::STATE.values);
    }
}
