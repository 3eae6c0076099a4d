//! Every run of a small fleet, up to a length and a number of faults.
//!
//! The code is the one that runs in production; only replicas, messages and time are small. A quarter of
//! a lease is one tick. In a tick every replica that it is time for asks, in every order; each fault loses
//! a message, lets it come late or twice, or hits a process or the engine. Late messages come at any later
//! time, or never.

mod check;
mod explore;
mod fleet;
