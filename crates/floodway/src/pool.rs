//! What a limiter needs to know of a connection pool.

mod builder;
mod connection;
mod detached;
mod gate;
mod limiter;

pub use self::{
    builder::PoolLimiterBuilder,
    connection::{ConnectionError, Pooled},
    limiter::PoolLimiter,
};

/// A connection pool, as a [`PoolLimiter`] sees it. `floodway-pool` implements it for the pools
/// that people use.
///
/// Cloning must give the same pool.
pub trait Pool: Clone + Send + Sync + 'static {
    /// A connection that belongs to the pool.
    type Connection: Send + 'static;
    /// Why the pool gave none.
    type Error: std::error::Error + Send + Sync + 'static;

    /// The numbers of the pool now, without waiting for anything.
    fn snapshot(&self) -> PoolSnapshot;

    /// Obtains a connection, opening one if the pool does so.
    ///
    /// A [`PoolLimiter`] never drops the future halfway: many pools close a connection whose
    /// acquisition was cancelled.
    fn acquire(
        &self,
    ) -> impl Future<Output = Result<Self::Connection, Self::Error>> + Send + 'static;

    /// Gives a connection back; resolves when somebody else can have it.
    fn release(&self, connection: Self::Connection) -> impl Future<Output = ()> + Send + 'static;

    /// Whether `error` says that the pool gave up waiting, as opposed to having failed.
    fn is_timeout(error: &Self::Error) -> bool;
}

/// The numbers of a pool at one moment, in connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolSnapshot {
    /// Most connections that the pool may open.
    pub max: u32,
    /// Connections that exist, those being opened included where the pool counts them.
    pub open: u32,
    /// Connections that nobody uses. More than `open` counts as `open`.
    pub idle: u32,
    /// Whether the pool was closed for good.
    pub closed: bool,
}
