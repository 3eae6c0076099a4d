//! What the simulations have to show.

mod batch;
mod chunk;
mod fleet;
