//! A pool limiter in front of a service: a request gets its connections before it begins.

pub mod future;
mod layer;
#[cfg(feature = "http")]
mod refusal;
mod service;

#[cfg(feature = "http")]
pub(crate) use self::refusal::Refusal;
pub use self::{layer::PoolLimitLayer, service::PoolLimited};
