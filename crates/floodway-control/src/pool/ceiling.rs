//! The limit that a connection pool can really give.

use std::time::Duration;

/// A foreign peak counts for this long after it was seen.
///
/// Other users of a pool come and go within milliseconds; following each of them would make the
/// limit flap. One second is the horizon over which `limit` must be trustworthy for a queue whose
/// deadline is a fraction of a second.
const FOREIGN_MEMORY: Duration = Duration::from_secs(1);

/// The memory is cut into this many slots, so a peak is forgotten after three quarters to one whole
/// [`FOREIGN_MEMORY`].
const SLOTS: usize = 4;

/// The numbers of a pool at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolUse {
    /// Most connections the pool may open.
    pub max: u32,
    /// Connections that exist, those being opened included.
    pub open: u32,
    /// Connections that nobody uses. More than `open` counts as `open`: some pools' counters
    /// overshoot or wrap.
    pub idle: u32,
    /// Permits that are out, less those known to have no connection: at least as many connections as
    /// the limiter itself uses.
    pub held: u32,
}

impl PoolUse {
    /// Connections in use, by anybody.
    #[must_use]
    pub const fn used(&self) -> u32 {
        self.open.saturating_sub(self.idle)
    }

    /// Whether whoever asks now gets none before somebody gives one back.
    #[must_use]
    pub const fn is_exhausted(&self) -> bool {
        self.used() >= self.max
    }

    /// Connections in use by somebody who did not come through the limiter.
    #[must_use]
    pub const fn foreign(&self) -> u32 {
        self.used().saturating_sub(self.held)
    }
}

/// `max − reserved − foreign`: how many connections a limiter may hand out.
///
/// `foreign` is the peak over the last second of what others use. The limit is 0 while others use
/// everything; whoever waits then waits for them. Once they no longer do it is 1 at least.
#[derive(Clone, Debug)]
pub struct PoolCeiling {
    reserved: u32,
    /// Peaks of the last slots of time, the current one first.
    peaks: [u32; SLOTS],
    /// Which slot of time `peaks[0]` covers.
    slot: u64,
}

impl PoolCeiling {
    /// Leaves `reserved` connections to others at all times.
    #[must_use]
    pub const fn new(reserved: u32) -> Self {
        Self { reserved, peaks: [0; SLOTS], slot: 0 }
    }

    /// Takes note of the pool's numbers at `now` (since any fixed origin) and returns the limit.
    pub fn observe(&mut self, now: Duration, pool: PoolUse) -> u32 {
        self.advance(now);
        self.peaks[0] = self.peaks[0].max(pool.foreign());
        let usable = pool.max.saturating_sub(self.reserved);
        // What is only remembered leaves one, or a moment in which others used everything would keep
        // callers away from a pool that is idle.
        let remembered = self.foreign().min(usable.saturating_sub(1));
        usable.saturating_sub(remembered.max(pool.foreign()))
    }

    /// The peak of foreign use that the last [`observe`](Self::observe) counted with.
    #[must_use]
    pub fn foreign(&self) -> u32 {
        self.peaks.into_iter().max().unwrap_or(0)
    }

    fn advance(&mut self, now: Duration) {
        let width = FOREIGN_MEMORY.as_millis() as u64 / SLOTS as u64;
        let slot = now.as_millis() as u64 / width;
        let passed = usize::try_from(slot.saturating_sub(self.slot)).unwrap_or(SLOTS).min(SLOTS);
        self.peaks.rotate_right(passed);
        self.peaks[..passed].fill(0);
        self.slot = self.slot.max(slot);
    }
}
