//! The engine in the task beside futures-buffered and `buffer_unordered`, 64 items in flight.

use std::convert::Infallible;

use floodway::{
    Instrumentation, Limiter,
    fan_out::{FanOut, FanOutExt, Source},
};
use floodway_metrics::Registry;
use futures::{StreamExt, stream};
use futures_buffered::BufferedStreamExt;
use tokio::runtime::Runtime;

use super::{WIDTH, drain, ready, runtime, yielding};
use crate::{
    measure::{Contender, Effort, race},
    report::Report,
};

pub(super) fn measure(effort: Effort, report: &mut Report) -> anyhow::Result<()> {
    let runtime = runtime(1)?;
    let builder = Limiter::builder("ample").limit(1_000).registry(&Registry::new());
    let limiter = builder.instrumentation(Instrumentation::Counts).build()?;

    let all = race(
        effort,
        vec![
            loops(&runtime, |items| drain(bare(items, ready).in_task().stream_lazy())),
            loops(&runtime, |items| {
                drain(bare(items, ready).limiter(&limiter).in_task().stream_lazy())
            }),
            loops(&runtime, |items| {
                let timed = (0..u64::from(items)).fan_out(ready).concurrency(WIDTH);
                drain(timed.limiter(&limiter).in_task().stream_lazy())
            }),
            loops(&runtime, |items| drain(futures_buffered(items, ready))),
            loops(&runtime, |items| drain(buffer_unordered(items, ready))),
        ],
    );
    let [bare_one, full, timed, buffered, unordered] = [0, 1, 2, 3, 4];
    report.lower("fan_out.in_task.ready.ns", all.ns(bare_one), "ns", None);
    let id = "fan_out.in_task.ready.vs_futures_buffered";
    report.lower(id, all.ratio(bare_one, buffered), "ratio", Some(1.2));
    let id = "fan_out.in_task.ready.vs_buffer_unordered";
    report.lower(id, all.ratio(bare_one, unordered), "ratio", Some(0.6));
    report.lower("fan_out.in_task.full.ns", all.ns(full), "ns", None);
    let id = "fan_out.in_task.full.vs_buffer_unordered";
    report.lower(id, all.ratio(full, unordered), "ratio", Some(1.5));
    report.lower("fan_out.in_task.full_timed.ns", all.ns(timed), "ns", None);
    let id = "fan_out.in_task.full_timed.vs_buffer_unordered";
    report.lower(id, all.ratio(timed, unordered), "ratio", Some(2.2));

    let all = race(
        effort,
        vec![
            loops(&runtime, |items| drain(bare(items, yielding).in_task().stream_lazy())),
            loops(&runtime, |items| drain(futures_buffered(items, yielding))),
            loops(&runtime, |items| drain(buffer_unordered(items, yielding))),
        ],
    );
    report.lower("fan_out.in_task.yield.ns", all.ns(0), "ns", None);
    report.lower("fan_out.in_task.yield.vs_futures_buffered", all.ratio(0, 1), "ratio", None);
    report.lower("fan_out.in_task.yield.vs_buffer_unordered", all.ratio(0, 2), "ratio", None);

    let allocations = allocation_counter::measure(|| {
        let full = bare(ITEMS, ready).limiter(&limiter).in_task().stream_lazy();
        runtime.block_on(drain(full));
    });
    let per_item = allocations.count_total as f64 / f64::from(ITEMS);
    report.lower("fan_out.in_task.alloc_per_item", per_item, "allocs", Some(0.001));
    Ok(())
}

/// Items of the run whose allocations are counted, those of the set-up among them.
const ITEMS: u32 = 200_000;

fn loops<'a, F: Future>(runtime: &'a Runtime, run: impl Fn(u32) -> F + 'a) -> Contender<'a> {
    Box::new(move |items| drop(runtime.block_on(run(items))))
}

/// Nothing that can be left out. The stream that is only polled with its consumer is the leanest
/// end, and what the peers have.
fn bare<F, Fut>(items: u32, item: F) -> FanOut<impl Source<Item = u64>, F>
where
    F: Fn(u64) -> Fut,
{
    (0..u64::from(items)).fan_out(item).concurrency(WIDTH).untimed()
}

fn futures_buffered<Fut>(items: u32, item: fn(u64) -> Fut) -> impl stream::Stream
where
    Fut: Future<Output = Result<u64, Infallible>>,
{
    stream::iter(0..u64::from(items)).map(item).buffered_unordered(WIDTH.get())
}

fn buffer_unordered<Fut>(items: u32, item: fn(u64) -> Fut) -> impl stream::Stream
where
    Fut: Future<Output = Result<u64, Infallible>>,
{
    stream::iter(0..u64::from(items)).map(item).buffer_unordered(WIDTH.get())
}
