//! Public behaviour of leases.

mod build;
#[cfg(feature = "postgres")]
mod fence;
mod lease;
mod outage;
mod support;
