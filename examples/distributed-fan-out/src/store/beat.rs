//! Signs of life, and what becomes of the work of those who give none.

use std::{sync::LazyLock, time::Duration};

use anyhow::Result;
use redis::Script;

use super::{Store, left};

/// How long a consumer is taken for alive after a beat. One that was only paused finds that its items
/// were delivered to others, and what it records of them is counted as duplicates.
pub(crate) const ALIVE: Duration = Duration::from_secs(2);

/// Entries of one dead consumer that are delivered again in one step.
const ENTRIES_AT_A_TIME: usize = 64;

static BEAT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("beat.lua")));
static RECLAIM: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("reclaim.lua")));

/// A sign of life.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Beat<'a> {
    pub(crate) consumer: &'a str,
    pub(crate) worker: &'a str,
    /// Whether it is the first of this consumer.
    pub(crate) started: bool,
    /// Since the last one.
    pub(crate) elapsed: Duration,
    /// How many permits the worker may use now.
    pub(crate) permits: u32,
    /// How many all workers have leased, as this one was told last.
    pub(crate) outstanding: u32,
}

impl Store {
    /// Gives how many items have no outcome yet.
    pub(crate) async fn beat(&self, beat: Beat<'_>) -> Result<u64> {
        let Beat { consumer, worker, started, elapsed, permits, outstanding } = beat;
        let mut invocation = BEAT.prepare_invoke();
        invocation.key(&self.keys.job).key(&self.keys.alive).key(&self.keys.workers);
        invocation.arg(&self.job.run).arg(consumer).arg(milliseconds(ALIVE)).arg(worker);
        invocation.arg(u8::from(started)).arg(milliseconds(elapsed)).arg(permits);
        invocation.arg(outstanding);
        left(self.invoke(&invocation).await?)
    }

    /// Delivers again what dead consumers had. Gives how many items have no outcome yet.
    ///
    /// `XAUTOCLAIM` can do the like by the time since an entry was delivered, which must then be longer
    /// than the longest that an item takes. A beat is short whatever items take.
    pub(crate) async fn reclaim(&self) -> Result<u64> {
        let keys = &self.keys;
        let mut invocation = RECLAIM.prepare_invoke();
        invocation.key(&keys.job).key(&keys.alive).key(&keys.stream).key(&keys.again);
        invocation.key(&keys.recorded).key(&keys.failed);
        invocation.arg(&self.job.run).arg(ENTRIES_AT_A_TIME);
        left(self.invoke(&invocation).await?)
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
