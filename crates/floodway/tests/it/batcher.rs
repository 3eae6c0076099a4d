//! Batchers: each item answered exactly once.

mod adaptive;
mod basics;
mod bisect;
mod builds;
mod cancel;
mod dedup;
mod drain;
mod elsewhere;
mod failure;
mod kit;
mod limits;
mod linger;
mod metrics;
mod panics;
mod partitions;
mod property;
mod runtime;
mod sizes;
mod spans;
mod storm;
mod time;
mod upkeep;
