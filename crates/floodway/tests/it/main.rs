//! Public behaviour of limiters and pool limiters.

mod accounting;
mod adaptive;
mod build;
mod contract;
mod limiter;
mod map;
mod pool;
mod support;
