//! The word that says how many permits are out and whether one may be had.
//!
//! ```text
//! 63       62       48 47        24 23          0
//! | closed | queued |..|   limit   | in flight  |
//! ```
//!
//! Limit and count share a word so that every admission compares the two as they are at that
//! instant: a shrink holds from the next admission on, and who saturates a limiter or frees it is
//! known exactly. `queued` is set while the wait queue is not empty; it diverts newcomers and
//! releases to the queue's lock.

/// Most permits a limiter can have: 2²⁰.
pub const MAX_PERMITS: u32 = 1 << 20;

const FIELD_BITS: u32 = 24;
const FIELD: u64 = (1 << FIELD_BITS) - 1;

pub(super) const ONE_IN_FLIGHT: u64 = 1;
pub(super) const QUEUED: u64 = 1 << 62;
pub(super) const CLOSED: u64 = 1 << 63;

/// One value of the word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State(pub(super) u64);

impl State {
    pub(super) const fn new(limit: u32) -> Self {
        Self((limit as u64) << FIELD_BITS)
    }

    pub(super) const fn in_flight(self) -> u32 {
        (self.0 & FIELD) as u32
    }

    pub(super) const fn limit(self) -> u32 {
        ((self.0 >> FIELD_BITS) & FIELD) as u32
    }

    pub(super) const fn is_queued(self) -> bool {
        self.0 & QUEUED != 0
    }

    pub(super) const fn is_closed(self) -> bool {
        self.0 & CLOSED != 0
    }

    pub(super) const fn is_saturated(self) -> bool {
        self.in_flight() >= self.limit()
    }

    /// Whether a newcomer gets a permit without asking the queue.
    pub(super) const fn admits(self) -> bool {
        self.0 < QUEUED && !self.is_saturated()
    }

    pub(super) const fn with_limit(self, limit: u32) -> Self {
        Self((self.0 & !(FIELD << FIELD_BITS)) | ((limit as u64) << FIELD_BITS))
    }
}
