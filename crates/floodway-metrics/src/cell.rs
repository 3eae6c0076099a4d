//! The atomic cells in which components keep their numbers.
//!
//! Cells that are written on every operation are sharded: each thread writes to a shard that few
//! others use, on its own cache lines, and a reader adds the shards up. All accesses are
//! `Relaxed`: a cell publishes nothing but itself, and a reader that sees one update and not yet
//! another is off by operations that end while it reads, as any scrape is.

mod counter;
mod gauge;
mod histogram;
mod integral;
mod shard;

pub use counter::Counter;
pub use gauge::Gauge;
pub use histogram::Histogram;
pub use integral::Integral;
