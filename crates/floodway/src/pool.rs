//! What a limiter needs to know of a connection pool.

mod builder;
mod cause;
mod cells;
mod claim;
mod connection;
mod connects;
mod detached;
mod gate;
mod holds;
mod limiter;
mod spare;
mod survey;
mod weight;

use std::future::{pending, ready};

pub use self::{
    builder::PoolLimiterBuilder,
    cause::{NestedAcquire, PoolCause, PoolRejected},
    claim::Claim,
    connection::{ConnectionError, Pooled},
    connects::Connects,
    limiter::PoolLimiter,
    survey::PoolSurvey,
    weight::Weight,
};

/// A connection pool, as a [`PoolLimiter`] sees it. `floodway-pool` implements it for the pools
/// that people use.
///
/// Cloning must give the same pool. Four methods are what every pool can do; the others have
/// defaults for pools that cannot.
pub trait Pool: Clone + Send + Sync + 'static {
    /// A connection that belongs to the pool.
    type Connection: Send + 'static;
    /// Why the pool gave none.
    type Error: std::error::Error + Send + Sync + 'static;

    /// The numbers of the pool now, without waiting for anything: called at every move of a permit,
    /// four times a second besides, and at each scrape.
    fn snapshot(&self) -> PoolSnapshot;

    /// Obtains a connection, opening one if the pool does so.
    ///
    /// A [`PoolLimiter`] never drops the future halfway: many pools close a connection whose
    /// acquisition was cancelled.
    fn acquire(
        &self,
    ) -> impl Future<Output = Result<Self::Connection, Self::Error>> + Send + 'static;

    /// Gives a connection back. `None` if somebody else can have it from then on; else a future
    /// that resolves when that is so, which is run in the background. Called wherever a connection is
    /// dropped, also outside of a runtime, and must not panic there.
    fn release(
        &self,
        connection: Self::Connection,
    ) -> Option<impl Future<Output = ()> + Send + 'static>;

    /// What `error` says about the pool.
    fn failure(error: &Self::Error) -> PoolFailure;

    /// Closes idle connections while more than `open` are open, and says how many it closed. A
    /// connection that is in use must not be touched, and at most one may be neither idle nor closed at a
    /// time: a second one would pass for foreign use. One call runs at a time; it is dropped after ten
    /// seconds. By default none is closed: the pool cannot.
    fn trim(&self, open: u32) -> impl Future<Output = u32> + Send + 'static {
        let _ = open;
        ready(0)
    }

    /// Resolves once the pool has changed by itself: it was closed, for example. By default never;
    /// then such a change is noticed at the next move of a permit, or a quarter of a second later.
    fn changed(&self) -> impl Future<Output = ()> + Send + 'static {
        pending()
    }

    /// What is known of the opening of connections, where somebody counts it.
    fn connects(&self) -> Option<&Connects> {
        None
    }
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

/// What an error of a pool says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PoolFailure {
    /// The pool gave up waiting: for a connection to come back, to open or to be checked.
    TimedOut,
    /// The pool was closed.
    Closed,
    /// A connection could not be opened, or not be made ready for use.
    Failed,
}
