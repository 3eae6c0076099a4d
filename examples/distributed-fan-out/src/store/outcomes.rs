//! What became of items, recorded with the end of their entries in one step.

use std::sync::LazyLock;

use anyhow::Result;
use redis::Script;

use super::{Entry, Lane, Store, left};

static SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("record.lua")));

/// Outcomes, and the entries that have nothing else left.
#[derive(Debug, Default)]
pub(crate) struct Outcomes {
    pub(crate) succeeded: Vec<u64>,
    pub(crate) failed: Vec<Failed>,
    pub(crate) finished: Vec<Entry>,
}

/// An item that failed, the how many-th time it was delivered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failed {
    pub(crate) item: u64,
    pub(crate) delivery: u32,
}

impl Store {
    /// Records them; may be done again, for instance because the answer was lost. Gives how many items
    /// have no outcome yet.
    pub(crate) async fn record(&self, worker: &str, outcomes: &Outcomes) -> Result<u64> {
        let Outcomes { succeeded, failed, finished } = outcomes;
        let keys = &self.keys;
        let mut invocation = SCRIPT.prepare_invoke();
        invocation.key(&keys.job).key(&keys.stream).key(&keys.again);
        invocation.key(&keys.recorded).key(&keys.failed).key(&keys.workers);
        invocation.arg(&self.job.run).arg(worker).arg(succeeded.len()).arg(&succeeded[..]);
        invocation.arg(failed.len());
        for Failed { item, delivery } in failed {
            invocation.arg(*item).arg(*delivery);
        }
        for lane in [Lane::Stream, Lane::Again] {
            let entries: Vec<_> =
                finished.iter().filter(|entry| entry.lane == lane).map(|entry| &entry.id).collect();
            invocation.arg(entries.len()).arg(&entries[..]);
        }
        left(self.invoke(&invocation).await?)
    }
}
