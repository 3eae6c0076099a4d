//! Public behaviour of the pure decisions.

mod anchored_gradient;
mod controller;
mod limit;
mod pool;
mod queue;
mod window;
