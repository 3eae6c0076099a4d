//! What is on the pages, and how they are served.

mod control;
mod facade;
mod open_metrics;
#[cfg(feature = "otel")]
mod otel;
mod page;
mod server;
mod status;
mod support;
