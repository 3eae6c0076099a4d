//! One budget across a fleet: replicas lease their share of a limit.

mod boot_time;
mod store;

pub use self::store::{EngineReport, LeaseStore, MemoryStore, Source, StoreError, StoreFuture};
