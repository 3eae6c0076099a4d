//! Public behaviour of catalogue, cells and registry.

mod catalogue;
mod cell;
mod registry;
