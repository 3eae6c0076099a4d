//! What a window did to a limit, and why.

/// What a window did to a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Where the limit, in whole permits, went.
    pub direction: Direction,
    /// Why it went there, or stayed.
    pub reason: Reason,
}

/// Where a limit went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// It is larger.
    Up,
    /// It is the same.
    Hold,
    /// It is smaller.
    Down,
}

/// Why a limit moved, or did not. The set is closed and small, so that it can label a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// Nothing called for a change.
    Steady,
    /// The limit is not in use, so nothing can be learnt about a larger one.
    Unused,
    /// The limit is in use and there is room.
    Growth,
    /// Operations queue downstream.
    Queue,
    /// Operations ended in overload.
    Overload,
    /// The limit is low for a moment, to measure what latency is without a queue.
    Probe,
    /// A probe has ended.
    Restored,
    /// The algorithm wanted to leave the bounds.
    Bounds,
    /// The algorithm answered with something that is not a number; the old limit was kept.
    Invalid,
}

impl Reason {
    /// Every reason, in the order of [`Reason::index`].
    pub const ALL: [Self; 9] = [
        Self::Steady,
        Self::Unused,
        Self::Growth,
        Self::Queue,
        Self::Overload,
        Self::Probe,
        Self::Restored,
        Self::Bounds,
        Self::Invalid,
    ];

    /// The position of this reason in [`Reason::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The value of a metric's label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Steady => "steady",
            Self::Unused => "unused",
            Self::Growth => "growth",
            Self::Queue => "queue",
            Self::Overload => "overload",
            Self::Probe => "probe",
            Self::Restored => "restored",
            Self::Bounds => "bounds",
            Self::Invalid => "invalid",
        }
    }
}
