//! Limit algorithms in front of simulated downstreams: what the runs are made of.
//!
//! The program beside this library plays every [`Scenario`] in virtual time and writes the report.
//! The library is for whoever plays them with a real limiter. Fan-outs are in [`chunk`],
//! batches in [`batch`], and fleets in [`fleet`].

mod algorithms;
mod arrivals;
pub mod batch;
pub mod chunk;
mod downstream;
pub mod fleet;
mod random;
mod refusals;
mod replica;
mod scenario;
mod trace;
mod world;

pub use algorithms::Algorithm;
pub use arrivals::{Arrival, Arrivals};
pub use downstream::Downstream;
pub use random::Service;
pub use scenario::{Asks, Clients, Phase, Returns, Scenario, Stretch};
pub use trace::{Second, TICK, Trace};
pub use world::run;
