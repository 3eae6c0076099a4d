//! Public behaviour of leases.

mod build;
mod lease;
mod outage;
mod support;
