//! Leases of a fleet, whatever happens to replicas, messages, clocks and the engine.

mod books;
mod chance;
mod engine;
mod fair;
mod model;
mod property;
mod replica;
mod step;
mod world;
