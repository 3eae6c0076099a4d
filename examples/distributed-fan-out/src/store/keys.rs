//! The names of a job's keys.

/// All begin alike, and with the same hash tag, so that a cluster keeps them in one place, where one
/// script may touch them all.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    /// A hash: the description, the cursor of what was scattered, and the counts.
    pub(crate) job: String,
    /// The stream: an entry for each chunk of items, and one for each item that failed and is tried
    /// again.
    pub(crate) stream: String,
    /// The second stream: an entry for each item that was left by a dead worker.
    pub(crate) again: String,
    /// A bit for each item, set when its outcome was recorded.
    pub(crate) recorded: String,
    /// A bit for each item, set if that outcome was a failure.
    pub(crate) failed: String,
    /// A sorted set: consumers, by the moment until which they are alive.
    pub(crate) alive: String,
    /// A hash: what each worker did.
    pub(crate) workers: String,
}

impl Keys {
    pub(crate) fn new(job: &str) -> Self {
        let key = |name| format!("floodway-distributed-fan-out:{{{job}}}:{name}");
        Self {
            job: key("job"),
            stream: key("stream"),
            again: key("again"),
            recorded: key("recorded"),
            failed: key("failed"),
            alive: key("alive"),
            workers: key("workers"),
        }
    }

    pub(crate) fn all(&self) -> [&str; 7] {
        let Self { job, stream, again, recorded, failed, alive, workers } = self;
        [job, stream, again, recorded, failed, alive, workers]
    }
}
