//! Spawned workers beside a window of 64 tasks in a `JoinSet`.

use std::{convert::Infallible, hint::black_box};

use floodway::fan_out::FanOutExt;
use tokio::task::JoinSet;

use super::{WIDTH, drain, in_a_task, ready, runtime, yielding};
use crate::{
    measure::{Effort, race},
    report::Report,
};

pub(super) fn measure(effort: Effort, report: &mut Report) -> anyhow::Result<()> {
    let effort = effort.shorter(20);
    beside_join_set(effort, report, "ready", ready, 0.25)?;
    beside_join_set(effort, report, "yield", yielding, 0.7)?;

    // What is counted is what this thread allocates, so this runtime has no other.
    let runtime = runtime(1)?;
    let allocations = allocation_counter::measure(|| {
        runtime.block_on(drain(
            (0..u64::from(ITEMS)).fan_out(ready).concurrency(WIDTH).untimed().stream(),
        ));
    });
    let per_item = allocations.count_total as f64 / f64::from(ITEMS);
    report.lower("fan_out.spawned.alloc_per_item", per_item, "allocs", Some(0.02));
    Ok(())
}

/// Items of the run whose allocations are counted, those of the set-up among them.
const ITEMS: u32 = 200_000;

/// The stream and the collection of all, on one thread and on two; the worse has the goal.
fn beside_join_set<Fut>(
    effort: Effort,
    report: &mut Report,
    name: &str,
    item: fn(u64) -> Fut,
    goal: f64,
) -> anyhow::Result<()>
where
    Fut: Future<Output = Result<u64, Infallible>> + Send + 'static,
{
    let (mut worst_stream, mut worst_collect) = (0_f64, 0_f64);
    for threads in [1, 2] {
        let runtime = runtime(threads)?;
        let described =
            move |items: u32| (0..u64::from(items)).fan_out(item).concurrency(WIDTH).untimed();
        let race = race(
            effort,
            vec![
                Box::new(|items| in_a_task(&runtime, drain(described(items).stream()))),
                Box::new(|items| {
                    let values = in_a_task(&runtime, described(items).try_collect());
                    assert!(black_box(values).is_ok());
                }),
                Box::new(|items| in_a_task(&runtime, window(items, item, |_| {}))),
                Box::new(|items| {
                    in_a_task(&runtime, async move {
                        let mut values = Vec::new();
                        window(items, item, |value| values.push(value)).await;
                        black_box(values);
                    });
                }),
            ],
        );
        let prefix = format!("fan_out.spawned.{name}");
        report.lower(format!("{prefix}.stream.threads_{threads}.ns"), race.ns(0), "ns", None);
        report.lower(format!("{prefix}.collect.threads_{threads}.ns"), race.ns(1), "ns", None);
        report.lower(format!("{prefix}.joinset.threads_{threads}.ns"), race.ns(2), "ns", None);
        let (stream, collect) = (race.ratio(0, 2), race.ratio(1, 3));
        report.lower(format!("{prefix}.vs_joinset.threads_{threads}"), stream, "ratio", None);
        let id = format!("{prefix}.collect.vs_joinset.threads_{threads}");
        report.lower(id, collect, "ratio", None);
        worst_stream = worst_stream.max(stream);
        worst_collect = worst_collect.max(collect);
    }
    let id = format!("fan_out.spawned.{name}.vs_joinset");
    report.lower(id, worst_stream, "ratio", Some(goal));
    let id = format!("fan_out.spawned.{name}.collect.vs_joinset");
    report.lower(id, worst_collect, "ratio", Some(goal));
    Ok(())
}

/// Spawns, joins one, spawns the next.
async fn window<Fut>(items: u32, item: fn(u64) -> Fut, mut take: impl FnMut(u64))
where
    Fut: Future<Output = Result<u64, Infallible>> + Send + 'static,
{
    let mut source = (0..u64::from(items)).map(item);
    let mut running = JoinSet::new();
    for first in source.by_ref().take(WIDTH.get()) {
        running.spawn(first);
    }
    while let Some(result) = running.join_next().await {
        if let Ok(Ok(value)) = black_box(result) {
            take(value);
        }
        if let Some(next) = source.next() {
            running.spawn(next);
        }
    }
}
