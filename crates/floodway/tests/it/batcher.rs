//! Batchers: each item answered exactly once.

mod basics;
mod bisect;
mod cancel;
mod dedup;
mod failure;
mod kit;
mod panics;
mod sizes;
