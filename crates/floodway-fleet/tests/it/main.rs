//! Public behaviour of leases.

mod build;
mod conformance;
mod lease;
mod outage;
#[cfg(feature = "redis")]
mod redis;
mod support;
