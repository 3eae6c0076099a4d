//! Closing what replicas that are gone have left behind.

#[cfg(feature = "postgres")]
mod postgres;

use std::{error::Error, pin::Pin};

use floodway_control::fleet::Remnant;

#[cfg(feature = "postgres")]
pub use self::postgres::{FenceError, PostgresFence};

/// What a fence is doing.
pub type FenceFuture<'a> =
    Pin<Box<dyn Future<Output = Result<u32, Box<dyn Error + Send + Sync>>> + Send + 'a>>;

/// What a lease has left behind, and how to find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// The name of its connections.
    pub application_name: String,
    /// How many of them the replica may go on using: its floor, should it be alive.
    pub keep: u32,
}

impl Left {
    pub(crate) fn of(budget: &str, remnant: &Remnant) -> Self {
        let application_name = Self::name(budget, remnant.epoch, &remnant.replica);
        Self { application_name, keep: remnant.keep }
    }

    /// The name of connections of a lease, which no other lease of the budget has:
    /// `fw/<epoch>/<budget>/<replica>`. PostgreSQL cuts it after 63 bytes, and so does this.
    #[must_use]
    pub fn name(budget: &str, epoch: u64, replica: &str) -> String {
        application_name(budget, epoch, replica)
    }
}

/// Something that can close connections of other processes at the backend.
pub trait Fence: Send + Sync + 'static {
    /// Closes all connections of that name but as many as shall be kept, and says how many it closed,
    /// once the backend has none of them any more.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future may leave some open; another call closes them.
    fn close<'a>(&'a self, left: &'a Left) -> FenceFuture<'a>;
}

/// The name of connections of a lease, which no other lease of the budget has. PostgreSQL cuts it after
/// 63 bytes, and so does this.
pub(crate) fn application_name(budget: &str, epoch: u64, replica: &str) -> String {
    let mut name = format!("fw/{epoch}/{budget}/{replica}");
    // All of it is ASCII.
    name.truncate(63);
    name
}
