//! Public behaviour of the pure decisions.

mod anchored_gradient;
mod batch;
mod chunk;
mod controller;
mod fleet;
mod limit;
mod pool;
mod queue;
mod sizing;
mod window;
