//! What a connection pool can really give.

mod ceiling;
mod health;

pub use self::{
    ceiling::{PoolCeiling, PoolUse},
    health::ConnectHealth,
};
