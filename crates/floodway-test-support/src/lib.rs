//! Real servers, tools and a browser for tests, skipped where they are missing unless they are
//! required, and a network between them and their clients that fails on demand.
//!
//! `cargo xtask test --install-services` installs what is missing and sets
//! `FLOODWAY_REQUIRE_SERVICES=1`, which turns every skip into a failure.

mod alertmanager;
mod binary;
mod browser;
mod eventually;
mod port;
mod postgres;
mod process;
mod prometheus;
mod proxy;
mod redis;
mod requirement;

pub use alertmanager::amtool;
pub use browser::{Browser, Message};
pub use eventually::eventually;
pub use port::free_port;
pub use postgres::Postgres;
pub use prometheus::{Alert, Prometheus, Series, promtool, promtool_check_metrics};
pub use proxy::{Connections, Direction, Proxy, Toxic};
pub use redis::Redis;
pub use requirement::required;
