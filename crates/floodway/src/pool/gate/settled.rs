//! What the last full look at a pool came to, in a word.

use std::time::Duration;

use floodway_control::PoolUse;

/// What a full look at the pool came to, in a word: as long as nothing has happened since that
/// would change it, the next need not take a lock.
///
/// ```text
/// 63          48 47        24 23        0
/// | time slot   | max        | foreign  |
/// ```
#[derive(Clone, Copy)]
pub(super) struct Settled(pub(super) u64);

impl Settled {
    /// Covers nothing: no pool that a limiter is built for has so many connections.
    pub(super) const NOTHING: u64 = u64::MAX;

    const fn slot(now: Duration) -> u64 {
        // An eighth of a second: half as long as peaks of foreign use are kept apart.
        (now.as_millis() as u64 >> 7) & 0xffff
    }

    pub(super) fn word(now: Duration, pool: PoolUse, foreign: u32) -> u64 {
        let field = |number: u32| u64::from(number.min(0xff_ffff));
        Self::slot(now) << 48 | field(pool.max) << 24 | field(foreign)
    }

    /// Whether it is not much older than `now`.
    pub(super) const fn is_recent(self, now: Duration) -> bool {
        self.0 >> 48 == Self::slot(now)
    }

    /// Whether a look at `now` that finds `pool` would come to the same.
    pub(super) fn covers(self, now: Duration, pool: PoolUse) -> bool {
        self.is_recent(now)
            && (self.0 >> 24) & 0xff_ffff == u64::from(pool.max)
            && u64::from(pool.foreign()) <= self.0 & 0xff_ffff
    }
}
