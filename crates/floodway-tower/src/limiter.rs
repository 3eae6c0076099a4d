//! A limiter in front of a service.

pub mod future;
mod layer;
mod service;

pub use layer::LimiterLayer;
pub use service::Limited;
