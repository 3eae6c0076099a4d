//! Public behaviour of the tower middleware.

mod backpressure;
#[cfg(feature = "http")]
mod http;
mod limiter;
mod support;
mod traps;
