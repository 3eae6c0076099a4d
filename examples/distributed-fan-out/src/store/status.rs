//! How far a job is, who did what, and the proof that nothing is missing.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use anyhow::Result;
use redis::Cmd;

use super::{Gone, Store, failed};

/// How far a job is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Status {
    pub(crate) succeeded: u64,
    pub(crate) failed: u64,
    /// Outcomes of items that had one.
    pub(crate) suppressed: u64,
    /// Items that were delivered again because their worker died.
    pub(crate) lost: u64,
    /// Items that were delivered again because they failed.
    pub(crate) retried: u64,
    /// The most permits that were leased at a time, as far as workers were told.
    pub(crate) outstanding: u64,
    /// From the first entry to the last outcome, once that was recorded.
    pub(crate) took: Option<Duration>,
    /// Consumers that were alive at their last beat, dead ones included for a moment.
    pub(crate) consumers: u64,
}

impl Status {
    pub(crate) const fn recorded(&self) -> u64 {
        self.succeeded + self.failed
    }
}

/// What one worker did, all its processes together.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct WorkerStatus {
    pub(crate) starts: u64,
    pub(crate) items: u64,
    pub(crate) alive: Duration,
    /// How many it might use, added up over the milliseconds that it was alive.
    pub(crate) permit_milliseconds: u64,
}

/// What the bitmaps say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Proof {
    pub(crate) recorded: u64,
    pub(crate) failed: u64,
}

impl Store {
    pub(crate) async fn status(&self) -> Result<Status> {
        let mut pipeline = redis::pipe();
        pipeline.hgetall(&self.keys.job).zcard(&self.keys.alive);
        let (fields, consumers): (HashMap<String, String>, u64) =
            pipeline.query_async(&mut self.connection.clone()).await.map_err(failed)?;
        if fields.get("run") != Some(&self.job.run) {
            return Err(Gone.into());
        }
        let number = |name: &str| fields.get(name).and_then(|value| value.parse::<u64>().ok());
        let count = |name: &str| number(name).unwrap_or_default();
        let took = number("began")
            .zip(number("ended"))
            .map(|(began, ended)| Duration::from_millis(ended.saturating_sub(began)));
        Ok(Status {
            succeeded: count("succeeded"),
            failed: count("failed"),
            suppressed: count("suppressed"),
            lost: count("lost"),
            retried: count("retried"),
            outstanding: count("outstanding"),
            took,
            consumers,
        })
    }

    /// By name.
    pub(crate) async fn workers(&self) -> Result<BTreeMap<String, WorkerStatus>> {
        let mut connection = self.connection.clone();
        let fields: HashMap<String, u64> =
            Cmd::hgetall(&self.keys.workers).query_async(&mut connection).await.map_err(failed)?;
        let mut workers = BTreeMap::<_, WorkerStatus>::new();
        for (field, value) in fields {
            let Some((name, field)) = field.rsplit_once(':') else { continue };
            let worker = workers.entry(name.to_owned()).or_default();
            match field {
                "starts" => worker.starts = value,
                "items" => worker.items = value,
                "milliseconds" => worker.alive = Duration::from_millis(value),
                "permit_milliseconds" => worker.permit_milliseconds = value,
                _ => {}
            }
        }
        Ok(workers)
    }

    /// Counts the bits of all items, which nobody keeps as a number.
    pub(crate) async fn prove(&self) -> Result<Proof> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("BITCOUNT").arg(&self.keys.recorded);
        pipeline.cmd("BITCOUNT").arg(&self.keys.failed);
        let (recorded, failed_items) =
            pipeline.query_async(&mut self.connection.clone()).await.map_err(failed)?;
        Ok(Proof { recorded, failed: failed_items })
    }
}
