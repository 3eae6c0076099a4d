//! The two services that are compared.

use std::fmt;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arm {
    /// Requests take connections from the bare pool.
    Plain,
    /// Requests pass a limiter whose ceiling is what the pool can give.
    Protected,
}

impl fmt::Display for Arm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Plain => "plain",
            Self::Protected => "protected",
        })
    }
}
