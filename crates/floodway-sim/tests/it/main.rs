//! What the simulations have to show.

mod chunk;
