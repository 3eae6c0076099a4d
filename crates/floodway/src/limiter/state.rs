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
//! releases to the queue's lock. A limiter that enforces nothing has [`UNLIMITED`] for a limit, so
//! that the fast path need not ask.

use super::RejectReason;

/// Most permits a limiter can have: 2²⁰.
pub const MAX_PERMITS: u32 = 1 << 20;

const FIELD_BITS: u32 = 24;
const FIELD: u64 = (1 << FIELD_BITS) - 1;

/// The limit in the word while nothing is enforced: as many as the integral over time can count.
pub(super) const UNLIMITED: u32 = (1 << 21) - 1;
const _: () = assert!(UNLIMITED > MAX_PERMITS && UNLIMITED as u64 <= FIELD);

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

    /// What is enforced.
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

    /// Whether `weight` more permits are free.
    pub(super) const fn has_room(self, weight: u32) -> bool {
        // Neither term has more than 24 bits, or 32 for a weight: no overflow in 64.
        self.in_flight() as u64 + weight as u64 <= self.limit() as u64
    }

    /// Whether a newcomer gets `weight` permits without asking the queue.
    pub(super) const fn admits(self, weight: u32) -> bool {
        self.0 < QUEUED && self.has_room(weight)
    }

    /// Why a newcomer who does not wait gets nothing.
    pub(super) const fn refusal(self, weight: u32) -> RejectReason {
        if self.is_closed() {
            RejectReason::Closed
        } else if weight == 0 || !self.fits_limit(weight) {
            RejectReason::Weight
        } else {
            RejectReason::NoPermit
        }
    }

    /// Whether `weight` can be admitted once enough permits are back. A limit of 0 is pressed there
    /// by a ceiling and counts as 1: who needs one permit waits for it to rise.
    pub(super) const fn fits_limit(self, weight: u32) -> bool {
        weight <= if self.limit() == 0 { 1 } else { self.limit() }
    }

    pub(super) const fn with_limit(self, limit: u32) -> Self {
        Self((self.0 & !(FIELD << FIELD_BITS)) | ((limit as u64) << FIELD_BITS))
    }

    /// With `weight` permits more out.
    pub(super) const fn plus(self, weight: u32) -> Self {
        Self(self.0 + weight as u64)
    }
}
