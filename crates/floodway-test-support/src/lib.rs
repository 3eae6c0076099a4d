//! Real servers and tools for tests, skipped where they are missing unless they are required, and
//! a network between them and their clients that fails on demand.
//!
//! `cargo xtask test --install-services` installs what is missing and sets
//! `FLOODWAY_REQUIRE_SERVICES=1`, which turns every skip into a failure.

mod alertmanager;
mod binary;
mod port;
mod postgres;
mod process;
mod prometheus;
mod proxy;
mod redis;
mod requirement;

pub use alertmanager::amtool;
pub use port::free_port;
pub use postgres::Postgres;
pub use prometheus::{promtool, promtool_check_metrics};
pub use proxy::{Connections, Direction, Proxy, Toxic};
pub use redis::Redis;
pub use requirement::required;
