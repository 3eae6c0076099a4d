//! Batchers: each item answered exactly once.

mod basics;
mod kit;
