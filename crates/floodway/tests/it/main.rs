//! Public behaviour of limiters and pool limiters.

mod accounting;
mod adaptive;
mod build;
mod contract;
mod limiter;
mod partition;
mod pool;
mod priority;
mod queue;
mod support;
mod weight;
