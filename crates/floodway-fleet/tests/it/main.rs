//! Public behaviour of leases.

#[cfg(any(feature = "postgres", feature = "redis"))]
mod agreement;
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
