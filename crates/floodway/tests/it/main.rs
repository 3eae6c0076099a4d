//! Public behaviour of limiters, pool limiters, fan-outs and batchers.

mod accounting;
mod adaptive;
mod batcher;
mod build;
mod concurrency;
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
mod storm;
mod support;
mod traps;
mod watch;
mod weight;
