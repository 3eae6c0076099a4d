//! Items into the stream, never more than a few entries ahead of the workers.

use std::sync::LazyLock;

use anyhow::Result;
use redis::Script;

use super::{Gone, Store};

/// Entries in one step of the script, which nobody else's command interrupts.
const ENTRIES_AT_A_TIME: u64 = 128;

static SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scatter.lua")));

/// What a step did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scattered {
    /// How many entries were added; 0 while the streams are full.
    pub(crate) entries: u64,
    /// The first item that is not in the stream.
    pub(crate) next: u64,
}

impl Store {
    /// Puts the next items into the stream, unless `room` entries lie there.
    pub(crate) async fn scatter(&self, room: u64) -> Result<Scattered> {
        let mut invocation = SCRIPT.prepare_invoke();
        invocation.key(&self.keys.job).key(&self.keys.stream).key(&self.keys.again);
        invocation.arg(&self.job.run).arg(room).arg(ENTRIES_AT_A_TIME);
        let (entries, next): (i64, u64) = self.invoke(&invocation).await?;
        let entries = u64::try_from(entries).map_err(|_| Gone)?;
        Ok(Scattered { entries, next })
    }
}
