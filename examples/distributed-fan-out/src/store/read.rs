//! Entries out of the streams, each to one consumer of the group.

use std::ops::Range;

use anyhow::{Context, Result};
use redis::{
    Cmd,
    aio::MultiplexedConnection,
    streams::{StreamId, StreamReadReply},
};

use super::{GROUP, Store, failed};

/// How long a read waits for an entry, and a consumer that is to stop for the end of a read.
const BLOCK_MILLISECONDS: usize = 200;

/// One of the streams of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Where items are scattered.
    Stream,
    /// What dead workers have left, item by item.
    Again,
}

/// Consecutive items that were delivered together.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) lane: Lane,
    pub(crate) id: String,
    pub(crate) items: Range<u64>,
    /// 1 if it was never delivered before.
    pub(crate) delivery: u32,
}

/// Reads one stream for one consumer.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    /// Of its own, because a read blocks all commands behind it.
    connection: MultiplexedConnection,
    command: Cmd,
    lane: Lane,
}

impl Reader {
    pub(crate) fn new(
        connection: MultiplexedConnection,
        store: &Store,
        lane: Lane,
        consumer: &str,
    ) -> Self {
        let stream = match lane {
            Lane::Stream => &store.keys.stream,
            Lane::Again => &store.keys.again,
        };
        let mut command = redis::cmd("XREADGROUP");
        command.arg("GROUP").arg(GROUP).arg(consumer).arg("COUNT").arg(1);
        command.arg("BLOCK").arg(BLOCK_MILLISECONDS).arg("STREAMS").arg(stream).arg(">");
        Self { connection, command, lane }
    }

    /// The next entry; `None` if there is none for a moment.
    ///
    /// # Cancel safety
    ///
    /// An entry that was on its way is delivered again once this consumer is taken for dead.
    pub(crate) async fn next(&mut self) -> Result<Option<Entry>> {
        let reply: Option<StreamReadReply> =
            self.command.query_async(&mut self.connection).await.map_err(failed)?;
        let ids = reply.into_iter().flat_map(|reply| reply.keys).flat_map(|key| key.ids).next();
        ids.map(|id| entry(self.lane, &id)).transpose()
    }
}

fn entry(lane: Lane, id: &StreamId) -> Result<Entry> {
    let field = |name: &str| -> Result<u64> {
        let field = id.get(name);
        field.with_context(|| format!("entry {} has no number {name}", id.id))
    };
    let first = field("first")?;
    Ok(Entry {
        lane,
        id: id.id.clone(),
        items: first..first.saturating_add(field("count")?),
        delivery: u32::try_from(field("delivery")?)?,
    })
}
