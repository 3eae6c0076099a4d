//! Replicas that share a budget by leases: the protocol that runs in production, on virtual time.
//!
//! A [`Plan`] says how many replicas there are and what happens to them; [`run`] plays it and gives
//! a [`Ran`]: what was in use when, how often more was in use than the budget allows, how many
//! requests the engine answered.

mod engine;
mod plan;
mod ran;
mod replica;
mod world;

pub use plan::{CROWDED, Happening, Plan};
pub use ran::{Moment, Ran, jain};
pub use world::run;

/// How often a replica renews, how long a burst lasts, and how long one that lost its lease may take
/// to close what it has open, in milliseconds: the defaults.
pub const REFRESH: u64 = 1_000;
/// See [`REFRESH`].
pub const TTL: u64 = 4_000;
/// See [`REFRESH`].
pub const LINGER: u64 = 1_000;
const FLOOR_TTL: u64 = 600_000;

/// When it happens, after the beginning, in milliseconds.
pub const HAPPENS: u64 = 20_000;
