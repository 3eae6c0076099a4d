//! Public behaviour of limiters and pool limiters.

mod accounting;
mod adaptive;
mod build;
mod contract;
mod fan_out;
mod handle;
mod limiter;
mod map;
mod mode;
mod nested;
mod partition;
mod pool;
mod priority;
mod queue;
mod support;
mod traps;
mod watch;
mod weight;
