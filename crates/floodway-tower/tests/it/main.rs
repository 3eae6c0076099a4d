//! Public behaviour of the tower middleware.

#[cfg(feature = "http")]
mod http;
mod limiter;
