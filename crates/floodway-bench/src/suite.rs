//! One module per suite.

pub(crate) mod limiter;
