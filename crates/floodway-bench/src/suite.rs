//! One module per suite.

pub(crate) mod batching;
pub(crate) mod fan_out;
pub(crate) mod fleet;
pub(crate) mod limiter;
pub(crate) mod observability;
pub(crate) mod pools;
