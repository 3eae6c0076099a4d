//! What a connection pool can really give, and whether its size is right.

mod ceiling;
mod evidence;
mod health;
mod report;

pub use self::{
    ceiling::{PoolCeiling, PoolUse},
    evidence::{HoldBand, POOL_BANDS, PoolEvidence},
    health::ConnectHealth,
    report::{PoolReport, PoolVerdict},
};
