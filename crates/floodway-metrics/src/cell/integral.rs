//! The integral of a count over time, exact while the count changes on many threads.
//!
//! With permits held from `start` to `end`, the integral at `now` is
//! `Σ end − Σ start + n·now`, where the sums run over what has begun and ended so far and `n` is
//! how many are still held. Each change adds to one of the terms, so no lock is needed. But a
//! reader that sees a change in one term and not in the other is off by `now`, which is hours.
//!
//! So both terms share one word, and a change to both is one atomic addition:
//!
//! ```text
//! 63                      22 21            0
//! |  Σ end − Σ start (ticks) |  n (signed)  |      one such word per shard
//! ```
//!
//! The words of all shards add up modulo 2⁶⁴ to one such word for the whole. A reader that sees
//! some shards before a change and some after is off by the time it took to read them. Borrows
//! from the low field into the high one cancel when the sum is taken apart.
//!
//! A tick is 2¹⁶ ns (65.5 µs). A begin and an end are both rounded down, so single durations are
//! off by up to a tick in either direction and the mean is not. 42 bits of ticks wrap after 9.1
//! years of accumulated time; a reader that comes by at least once in half of that sees every
//! wrap: 4.5 years with one permit held throughout, 1.6 days with a thousand.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use super::shard::Sharded;

const TICK_BITS: u32 = 16;
const COUNT_BITS: u32 = 22;
const TICKS_BITS: u32 = 64 - COUNT_BITS;

/// How long something was so, added up over everything it was so for.
///
/// Its rate is the mean count between two reads, whatever happened in between: what a gauge that
/// is sampled at scrape time misses. At most 2,097,151 may be going on at once.
#[derive(Debug)]
pub struct Integral {
    words: Sharded<AtomicU64>,
    unwrapped: Mutex<Unwrapped>,
}

#[derive(Debug, Default)]
struct Unwrapped {
    /// The value that the last reader saw, modulo 2⁴² ticks.
    last: u64,
    /// The value without wrapping, in ticks.
    total: u64,
}

impl Integral {
    /// Zero.
    #[must_use]
    pub fn new() -> Self {
        Self { words: Sharded::new(), unwrapped: Mutex::default() }
    }

    /// `count` more from `now` on, in nanoseconds since a fixed origin.
    #[inline]
    pub fn begin(&self, now: u64, count: u32) {
        let ticks = (now >> TICK_BITS) << COUNT_BITS;
        let change = 1u64.wrapping_sub(ticks).wrapping_mul(u64::from(count));
        self.add(change);
    }

    /// `count` less from `now` on. The thread need not be the one that began.
    #[inline]
    pub fn end(&self, now: u64, count: u32) {
        let ticks = (now >> TICK_BITS) << COUNT_BITS;
        let change = ticks.wrapping_sub(1).wrapping_mul(u64::from(count));
        self.add(change);
    }

    #[inline]
    fn add(&self, change: u64) {
        let shard = self.words.here();
        shard.add(shard.cells, change);
    }

    /// The integral up to `now`, in seconds; never less than an earlier read.
    #[must_use]
    pub fn seconds(&self, now: u64) -> f64 {
        let word = self
            .words
            .iter()
            .fold(0u64, |sum, word| sum.wrapping_add(word.load(Ordering::Relaxed)));
        // The count is the sign-extended low field; what it borrowed goes back before the shift.
        let count = ((word << TICKS_BITS) as i64 >> TICKS_BITS) as u64;
        let ended_minus_begun = word.wrapping_sub(count) >> COUNT_BITS;
        let value = ended_minus_begun.wrapping_add(count.wrapping_mul(now >> TICK_BITS));

        let mut unwrapped = self.unwrapped.lock().unwrap_or_else(PoisonError::into_inner);
        // Sign-extended difference of two values modulo 2⁴²: negative if changes were seen in an
        // order that makes the integral run backwards for an instant.
        let step = (value.wrapping_sub(unwrapped.last) << COUNT_BITS) as i64 >> COUNT_BITS;
        if let Ok(step @ 1..) = u64::try_from(step) {
            unwrapped.total += step;
            unwrapped.last = value;
        }
        (unwrapped.total as f64) * f64::from(1u32 << TICK_BITS) / 1e9
    }
}

impl Default for Integral {
    fn default() -> Self {
        Self::new()
    }
}
