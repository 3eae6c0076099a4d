//! What a lease leaves behind when its replica is gone.

/// Permits of a lease that ended while its replica may still use them.
///
/// They count against the budget until nothing can use them any more: until somebody has closed what
/// stood behind them, or, where nobody can, until the replica has had time to notice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Remnant {
    /// Whose they were.
    pub replica: String,
    /// By which lease.
    pub epoch: u64,
    /// How many.
    pub permits: u32,
    /// How many the replica may go on using: its floor.
    pub keep: u32,
    /// When they count no more, in the fleet's time; `None`: when somebody confirms it.
    pub due: Option<u64>,
}

/// Something that ends at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Due {
    /// The burst or the floor of a replica.
    Member(super::Member),
    /// What a replica has left behind.
    Remnant(Remnant),
}
