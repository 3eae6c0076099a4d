//! SETs in Redis: commands of a pipeline.

use anyhow::Context;
use floodway_test_support::Redis;
use redis::{AsyncCommands, Client, aio::MultiplexedConnection};
use tokio::runtime::Runtime;

use super::{
    Plan,
    downstream::{Downstream, failed},
    peers::{self, FIXED, OURS, UNBATCHED},
    runtime,
};
use crate::report::Report;

pub(super) fn measure(plan: Plan, report: &mut Report) -> anyhow::Result<()> {
    let runtime = runtime(2)?;
    let Some(cache) = Cache::start(&runtime)? else { return Ok(()) };
    let downstreams = (&cache.alone(), &cache.batches(), Vec::new());
    let trials = peers::race((plan, &runtime), report, "batch.redis", downstreams, || {});
    let ratio = trials.ratio(OURS, UNBATCHED, |lap| lap.rate);
    report.higher("batch.redis.vs_unbatched", ratio, "ratio", None);
    let ratio = trials.ratio(OURS, FIXED, |lap| lap.rate);
    report.higher("batch.redis.vs_best_fixed", ratio, "ratio", Some(0.95));
    let ratio = trials.ratio(OURS, FIXED, |lap| lap.p99);
    report.lower("batch.redis.p99.vs_best_fixed", ratio, "ratio", Some(1.2));
    peers::report_peers(report, "redis", &trials);
    Ok(())
}

/// A server of this part's own and a connection to it, which all share: each command of its own, or
/// each pipeline.
pub(super) struct Cache {
    connection: MultiplexedConnection,
    _server: Redis,
}

impl Cache {
    /// `None`, after saying so, if Redis is not installed.
    pub(super) fn start(runtime: &Runtime) -> anyhow::Result<Option<Self>> {
        let Some(server) = Redis::start() else { return Ok(None) };
        let client = Client::open(server.url())?;
        let connection = runtime.block_on(client.get_multiplexed_async_connection());
        let connection = connection.context("cannot use Redis")?;
        Ok(Some(Self { connection, _server: server }))
    }

    fn alone(&self) -> Downstream {
        let connection = self.connection.clone();
        Downstream::new(move |items| {
            let mut connection = connection.clone();
            async move { connection.set(key(items[0]), items[0]).await.map_err(failed) }
        })
    }

    pub(super) fn batches(&self) -> Downstream {
        let connection = self.connection.clone();
        Downstream::new(move |items| {
            let mut connection = connection.clone();
            async move {
                let mut pipeline = redis::pipe();
                for item in items {
                    pipeline.set(key(item), item).ignore();
                }
                pipeline.query_async(&mut connection).await.map_err(failed)
            }
        })
    }
}

/// 1,024 for each caller.
fn key(item: u64) -> String {
    format!("order:{}:{}", item >> 32, item & 0x3ff)
}
