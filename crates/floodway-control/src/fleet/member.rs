//! What the engine knows of one replica.

use super::{Claim, LeaseRequest};

/// What a weight counts for at most.
const MOST_WEIGHT: u32 = 1024;

/// A replica with a lease, or with a floor that outlived its burst.
#[derive(Clone, Debug, PartialEq, Eq, Default, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Member {
    /// Its name.
    pub replica: String,
    /// The process of that name.
    pub incarnation: u64,
    /// Its lease.
    pub epoch: u64,
    /// Its last request.
    pub seq: u64,
    /// When that was sent, by the replica's clock.
    pub sent: u64,
    /// When it came, in the fleet's time.
    pub seen: u64,
    /// How far the fleet's time is ahead of the replica's clock: the least that was seen.
    pub ahead: i64,
    /// What it may use.
    pub grant: u32,
    /// What it may use or holds, whichever is more: what counts against the budget.
    pub bound: u32,
    /// What it may go on using when its burst has lapsed.
    pub keep: u32,
    /// What it said to hold.
    pub held: u32,
    /// What it asked for.
    pub want: u32,
    /// What it wants to have at all times.
    pub floor: u32,
    /// Its share beside others.
    pub weight: u32,
    /// The budget that it declares.
    pub budget: u32,
    /// The margin that it declares.
    pub margin: u32,
    /// How long it lingers.
    pub linger: u64,
    /// Whether what it leaves behind counts until somebody confirms that it is closed.
    pub fenced: bool,
    /// Whether its burst has lapsed and only the floor is left.
    pub lapsed: bool,
    /// Whether it has less than its share.
    pub hungry: bool,
    /// Whether it has one permit beyond its share.
    pub extra: bool,
    /// Since when, or when it gave that back.
    pub since: u64,
    /// When the burst lapses, in the fleet's time.
    pub due: u64,
    /// When the floor ends.
    pub floor_due: u64,
    /// What it was told to do next, for replies to repetitions.
    pub refresh: u64,
}

impl Member {
    /// What it asks for, among those that ask for the same. Bounded, so that absurd wishes do not
    /// make sums overflow, nor leave the whole numbers that a double holds, with which scripts count.
    #[must_use]
    pub fn claim(&self) -> Claim {
        let (weight, want) = (self.weight.min(MOST_WEIGHT), self.want.min(self.budget));
        Claim { weight, floor: self.floor, want }
    }

    /// What it declares, in the order in which the lowest is in force.
    #[must_use]
    pub const fn declares(&self) -> (u32, u32, u32) {
        (self.budget.saturating_sub(self.margin), self.budget, self.margin)
    }

    /// The fleet's time, as the replica's clock has it at `sent`.
    pub(super) fn proves(&self, sent: u64) -> u64 {
        sent.saturating_add_signed(self.ahead)
    }

    pub(super) fn take(&mut self, request: &LeaseRequest, now: u64, anew: bool) {
        let ahead = now.cast_signed() - request.sent.cast_signed();
        self.ahead = if anew { ahead } else { self.ahead.min(ahead) };
        self.seq = request.seq;
        self.sent = request.sent;
        self.seen = now;
        self.held = request.held;
        self.want = if request.leaving { 0 } else { request.want };
        self.floor = request.floor;
        self.weight = request.weight;
        self.budget = request.budget;
        self.margin = request.margin;
        self.linger = request.linger;
        self.fenced = request.fenced;
        self.lapsed = false;
    }
}
