//! The servers and tools, for real.

mod postgres;
mod prometheus;
mod redis;
