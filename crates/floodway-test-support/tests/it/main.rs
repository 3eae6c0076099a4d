//! The servers, the tools and the proxy, for real.

mod client;
mod postgres;
mod prometheus;
mod proxy;
mod redis;
