//! What a replica and the engine say to each other.

/// A replica asks for its part, or gives it back.
///
/// Durations and times are in milliseconds, amounts in permits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct LeaseRequest {
    /// Who asks.
    pub replica: String,
    /// Which process of that name asks: random, chosen at its start.
    pub incarnation: u64,
    /// The lease that the replica has; 0 if none.
    pub epoch: u64,
    /// Grows by one with every request of a process, repetitions included.
    pub seq: u64,
    /// When it was sent, by the replica's own clock, which runs through suspend.
    pub sent: u64,
    /// What the replica could use now.
    pub want: u32,
    /// What it really has in use or open.
    pub held: u32,
    /// What it lets itself use at the moment of sending.
    pub applied: u32,
    /// What it would let itself use if this request were lost and its burst lapsed.
    pub floor_applied: u32,
    /// Its share beside others that want more than there is.
    pub weight: u32,
    /// What it wants to have at all times.
    pub floor: u32,
    /// How long a burst lasts.
    pub ttl: u64,
    /// How long a burst may be used beyond its end while the engine cannot be reached.
    pub reuse: u64,
    /// How long a floor lasts.
    pub floor_ttl: u64,
    /// How long a replica that lost its lease may take until it uses nothing more.
    pub linger: u64,
    /// How often the replica renews.
    pub refresh: u64,
    /// What the replica believes the budget to be.
    pub budget: u32,
    /// What the replica believes the margin to be.
    pub margin: u32,
    /// Whether what this replica leaves behind counts until somebody confirms that it is closed.
    pub fenced: bool,
    /// Whether this replica can close what others left behind.
    pub fencer: bool,
    /// How many replicas the last reply spoke of.
    pub seen_members: u32,
    /// How many permits of floors the last reply spoke of.
    pub seen_floors: u32,
    /// Which run of the engine is asked; empty if the engine cannot lose what it knows.
    pub engine: String,
    /// Whether the replica gives everything back and goes.
    pub leaving: bool,
}

impl LeaseRequest {
    /// What may be leased, by what this replica declares.
    #[must_use]
    pub const fn usable(&self) -> u32 {
        self.budget.saturating_sub(self.margin)
    }

    /// How long a replica may use a burst after sending the request for it: what is left of its
    /// time to live is for the difference between clocks.
    #[must_use]
    pub const fn usable_for(ttl: u64) -> u64 {
        ttl - ttl / 4
    }
}

/// What the engine grants.
///
/// Durations are in milliseconds, amounts in permits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct LeaseReply {
    /// The request that this answers.
    pub seq: u64,
    /// The lease.
    pub epoch: u64,
    /// What the replica may use until the burst ends.
    pub grant: u32,
    /// What of it stays when the burst has ended.
    pub floor: u32,
    /// How long the burst lasts for the engine.
    pub ttl: u64,
    /// How long the floor lasts for the engine.
    pub floor_ttl: u64,
    /// When to renew.
    pub refresh: u64,
    /// The budget in force.
    pub budget: u32,
    /// The margin in force.
    pub margin: u32,
    /// What all replicas may use or hold.
    pub outstanding: u32,
    /// What of it belongs to replicas that are gone.
    pub unfenced: u32,
    /// Replicas with a lease that runs.
    pub members: u32,
    /// Permits that replicas keep when their bursts have ended: for an engine that loses what it knew.
    pub floors: u32,
    /// Replicas that have less than their share.
    pub hungry: u32,
    /// Whether the engine has lost what it knew and listens before it grants anything new.
    pub learning: bool,
    /// Whether replicas declare different budgets; the lowest is in force.
    pub disagree: bool,
    /// Whether the floors of all replicas together exceed what may be leased.
    pub floors_exceed: bool,
    /// Whether another process has taken this replica's name.
    pub superseded: bool,
    /// Whether this replica shall close what others left behind.
    pub sweep: bool,
}
