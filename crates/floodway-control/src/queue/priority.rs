//! How much an operation matters compared with others at the same limiter.

/// How much an operation matters, from what must not fail down to what can wait.
///
/// While there is room, priorities make no difference. Under overload a waiter of a higher priority
/// goes first, and takes the place of a lower one where the queue is full; each level keeps a
/// guaranteed part of both, so that the lowest is slow and not dead.
///
/// Four levels, because a caller has to be able to tell them apart: what a user waits for, what a
/// user will notice, what a job does, what nobody misses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// The business stops without it: sign-in, payment, health of the fleet.
    Critical,
    /// A user waits for it.
    High,
    /// The default.
    #[default]
    Normal,
    /// Prefetching, backfill, reports: what may be late.
    Low,
}

impl Priority {
    /// How many levels there are.
    pub const COUNT: usize = 4;

    /// Every level, the highest first.
    pub const ALL: [Self; Self::COUNT] = [Self::Critical, Self::High, Self::Normal, Self::Low];

    /// The position of this level in [`Priority::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}
