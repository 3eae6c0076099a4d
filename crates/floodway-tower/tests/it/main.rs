//! Public behaviour of the tower middleware.

mod backpressure;
mod batch;
#[cfg(feature = "http")]
mod body;
#[cfg(feature = "http")]
mod grpc;
#[cfg(feature = "http")]
mod http;
mod keyed;
mod limiter;
mod pool;
#[cfg(feature = "http")]
mod reqwest;
mod scenarios;
mod support;
#[cfg(feature = "http")]
mod tonic;
mod traps;
