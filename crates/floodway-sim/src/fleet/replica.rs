//! One replica: its lease, and what it has open.

use floodway_control::fleet::{Demand, Fallback, LeaseHolder, Outage, Terms};

use super::{FLOOR_TTL, LINGER, Plan, REFRESH, TTL};

#[derive(Debug)]
pub(super) struct Replica {
    pub(super) holder: LeaseHolder,
    /// How far its clock is ahead, in milliseconds.
    ahead: u64,
    pub(super) want: u32,
    pub(super) open: u32,
    /// What of it counts: what it may use or has open.
    pub(super) bound: u32,
    /// When what it has too much is closed, in microseconds.
    pub(super) closes: Option<u64>,
    /// The request that is under way.
    pub(super) asking: Option<u64>,
    /// When it looks next whether to renew.
    pub(super) looks: Option<u64>,
    pub(super) leaving: bool,
}

impl Replica {
    pub(super) fn new(plan: &Plan, slot: usize, incarnation: u64, now: u64, want: u32) -> Self {
        let terms = Terms {
            replica: format!("replica-{slot}-{incarnation}"),
            incarnation,
            budget: plan.budget(),
            margin: plan.margin(),
            weight: 1,
            floor: plan.floor(),
            refresh: REFRESH,
            ttl: TTL,
            floor_ttl: FLOOR_TTL,
            linger: LINGER,
            outage: Outage::Floor,
            fallback: Fallback::Nothing,
            fenced: plan.happening == super::Happening::KilledAndFenced,
            fencer: true,
        };
        let ahead = incarnation * 7_919 % 1_000_000_007;
        Self {
            holder: LeaseHolder::new(terms, now / 1_000 + ahead),
            ahead,
            want,
            open: 0,
            bound: 0,
            closes: None,
            asking: None,
            looks: None,
            leaving: false,
        }
    }

    /// The time by its own clock, in milliseconds.
    pub(super) const fn clock(&self, now: u64) -> u64 {
        now / 1_000 + self.ahead
    }

    /// A time of its own clock, in microseconds of the true one.
    pub(super) const fn true_time(&self, clock: u64) -> u64 {
        (clock - self.ahead) * 1_000
    }

    pub(super) const fn demand(&self) -> Demand {
        Demand { want: self.want, held: self.open }
    }

    pub(super) fn cap(&self, now: u64) -> u32 {
        self.holder.cap(self.clock(now)).permits
    }
}
