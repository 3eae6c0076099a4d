//! Public behaviour of the pure decisions.

mod controller;
mod limit;
mod pool;
mod queue;
mod window;
