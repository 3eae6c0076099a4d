//! Public behaviour of leases.

mod build;
#[cfg(feature = "cli")]
mod cli;
mod conformance;
#[cfg(feature = "postgres")]
mod fence;
mod lease;
mod outage;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "redis")]
mod redis;
mod support;
