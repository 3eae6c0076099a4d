//! The two services that are compared.

use std::fmt;

use serde::Serialize;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Arm {
    /// Requests take connections from the bare pool.
    Plain,
    /// Requests take connections from a limiter that knows the pool.
    Limited,
}

impl Arm {
    pub(crate) const BOTH: [Self; 2] = [Self::Plain, Self::Limited];
}

impl fmt::Display for Arm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Plain => "plain pool",
            Self::Limited => "PoolLimiter",
        })
    }
}
