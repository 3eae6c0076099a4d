//! A limiter in front of a service.

mod backpressure;
pub mod future;
mod layer;
mod service;

pub use backpressure::{BackpressureLayer, Reserved};
pub use layer::{KeyedLimiterLayer, LimiterLayer};
pub use service::Limited;
