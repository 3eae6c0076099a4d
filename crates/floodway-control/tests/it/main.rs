//! Public behaviour of the pure decisions.

mod limit;
mod pool;
mod window;
