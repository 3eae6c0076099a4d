//! Leases of a fleet, whatever happens to replicas, messages, clocks and the engine.

mod engine;
