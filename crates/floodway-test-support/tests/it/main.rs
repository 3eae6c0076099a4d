//! The servers, the tools and the proxy, for real.

mod browser;
mod client;
mod postgres;
mod prometheus;
mod proxy;
mod redis;
