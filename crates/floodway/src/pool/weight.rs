//! How many connections one operation may hold at a time.

/// How many connections of a pool one operation may hold at a time.
///
/// An operation that holds one connection and waits for another, while others do the same, waits
/// for ever: each holds what the next one needs. Saying beforehand how many it may take keeps that
/// from happening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Weight {
    /// So many, set aside before the operation begins. Best where it uses them all, most of the
    /// time.
    Exact(u32),
    /// One to begin with and up to so many later. Best where few operations need more than one:
    /// more of them run at once than with [`Exact`](Self::Exact), and still none waits for ever.
    ///
    /// Of a limit of `C`, at most `(C − 1) ÷ (k − 1)` operations that may take up to `k` run at
    /// once: nine of a limit of ten for `k` = 2, where `Exact(2)` admits five. That is
    /// [HikariCP's bound](https://github.com/brettwooldridge/HikariCP/wiki/About-Pool-Sizing) for
    /// the size of a pool, solved for the operations. Besides, `k − 1` connections are kept for
    /// those who already hold some, so that one of them can always go on.
    UpTo(u32),
}

impl Weight {
    /// The most connections at a time.
    #[must_use]
    pub const fn most(self) -> u32 {
        match self {
            Self::Exact(most) | Self::UpTo(most) => most,
        }
    }
}

impl Default for Weight {
    fn default() -> Self {
        Self::Exact(1)
    }
}
