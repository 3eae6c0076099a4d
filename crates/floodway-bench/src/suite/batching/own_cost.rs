//! What a batcher costs by itself: a batch function that returns at once.

use std::{hint::black_box, time::Duration};

use batch_aint_one::BatchingPolicy;
use floodway::{BatchSizing, Batcher, Instrumentation};
use floodway_metrics::Registry;
use tokio::{
    runtime::Runtime,
    sync::{mpsc, oneshot},
    task::{JoinSet, yield_now},
};
use tower::ServiceExt;

use super::{
    CALLERS, Plan, SLOTS,
    arms::{Row, aint_one_batcher, tower_batch_service},
    downstream::{Downstream, Failed},
    runtime,
};
use crate::{
    measure::{Contender, Effort, race},
    report::Report,
};

type Ours = Batcher<u64, u64, Failed>;

pub(super) fn measure(plan: Plan, report: &mut Report) -> anyhow::Result<()> {
    let goal = Some(1_000.0);
    for threads in [1, 2] {
        let runtime = runtime(threads)?;
        for callers in [1, CALLERS, 1_024] {
            let prefix = format!("batch.own_cost.{threads}_threads.{callers}_callers");
            let goal = goal.filter(|_| callers > 1);
            one((plan.effort, &runtime), report, &prefix, callers, goal);
        }
    }
    let runtime = runtime(1)?;
    for callers in [1, CALLERS, 1_024] {
        let id = format!("batch.own_cost.allocations.{callers}_callers");
        let allocations = allocations(&runtime, callers as u32);
        report.lower(id, allocations, "allocs", None);
    }
    Ok(())
}

/// Nanoseconds an item of everything that runs, for a number of callers.
fn one(
    (effort, runtime): (Effort, &Runtime),
    report: &mut Report,
    prefix: &str,
    callers: usize,
    goal: Option<f64>,
) {
    let (full, counts) = (ours(Instrumentation::Full), ours(Instrumentation::Counts));
    let nothing = Downstream::new(|items| {
        black_box(items);
        async { Ok(()) }
    });
    let policy = BatchingPolicy::Immediate;
    let aint_one = aint_one_batcher(runtime, &nothing, (policy, callers, SLOTS));
    let millisecond = Duration::from_millis(1);
    let tower_batch = tower_batch_service(runtime, &nothing, (callers, millisecond, SLOTS));
    let by_hand = by_hand(runtime);
    let callers = callers as u32;
    let contenders: Vec<Contender<'_>> = vec![
        calls(runtime, callers, move |item| {
            let full = full.clone();
            async move { full.call(item).await.ok() }
        }),
        calls(runtime, callers, move |item| {
            let counts = counts.clone();
            async move { counts.call(item).await.ok() }
        }),
        calls(runtime, callers, move |item| {
            let by_hand = by_hand.clone();
            async move {
                let (answer, answered) = oneshot::channel();
                by_hand.send((item, answer)).await.ok()?;
                answered.await.ok()
            }
        }),
        calls(runtime, callers, move |item| async move {
            yield_now().await;
            Some(item)
        }),
        calls(runtime, callers, move |item| {
            let aint_one = aint_one.clone();
            async move { aint_one.add((), item).await.ok() }
        }),
        calls(runtime, callers, move |item| {
            let tower_batch = tower_batch.clone();
            async move { tower_batch.oneshot(Row(item)).await.ok() }
        }),
    ];
    // A round with the peers takes about a second.
    let race = race(effort.shorter(4), contenders);
    let names = ["full", "counts", "by_hand", "yield", "batch_aint_one", "tower_batch"];
    if callers as usize == CALLERS && prefix.contains(".1_") {
        report.lower("batch.own_cost_ns", race.ns(0), "ns", goal);
    }
    for (place, name) in names.into_iter().enumerate() {
        let goal = goal.filter(|_| place < 2);
        report.lower(format!("{prefix}.{name}"), race.ns(place), "ns", goal);
    }
    report.lower(format!("{prefix}.vs_by_hand"), race.ratio(0, 2), "ratio", None);
}

fn ours(instrumentation: Instrumentation) -> Ours {
    let builder = Batcher::builder("nothing")
        .sizing(BatchSizing::default())
        .max_in_flight(SLOTS)
        .instrumentation(instrumentation)
        .registry(&Registry::new());
    builder.build_atomic(|items| async move { Ok(black_box(items)) }).expect("valid")
}

type Item = (u64, oneshot::Sender<u64>);

/// The least that one would write instead: a task that takes what is there.
fn by_hand(runtime: &Runtime) -> mpsc::Sender<Item> {
    let (items, mut waiting) = mpsc::channel::<Item>(2_048);
    runtime.spawn(async move {
        let mut batch = Vec::with_capacity(1_024);
        while waiting.recv_many(&mut batch, 1_024).await > 0 {
            let items: Vec<u64> = batch.iter().map(|(item, _)| *item).collect();
            for ((_, answer), item) in batch.drain(..).zip(black_box(items)) {
                let _ = answer.send(item);
            }
        }
    });
    items
}

/// So many calls, by `callers` tasks.
fn calls<'a, F>(
    runtime: &'a Runtime,
    callers: u32,
    call: impl Fn(u64) -> F + Clone + Send + 'static,
) -> Contender<'a>
where
    F: Future<Output = Option<u64>> + Send,
{
    Box::new(move |iterations| {
        runtime.block_on(async {
            let mut running = JoinSet::new();
            for _ in 0..callers {
                let call = call.clone();
                let each = u64::from(iterations.div_ceil(callers));
                running.spawn(async move {
                    for item in 0..each {
                        assert_eq!(call(item).await, Some(item));
                    }
                });
            }
            while let Some(ended) = running.join_next().await {
                ended.expect("callers do not panic");
            }
        });
    })
}

/// Of an item, the batch's share included.
fn allocations(runtime: &Runtime, callers: u32) -> f64 {
    const EACH: u32 = 100;
    let ours = ours(Instrumentation::Full);
    let mut calls = calls(runtime, callers, move |item| {
        let ours = ours.clone();
        async move { ours.call(item).await.ok() }
    });
    calls(callers * EACH);
    // Those of the callers' tasks are left out by taking the difference.
    let measured = |calls: &mut Contender<'_>, each: u32| {
        allocation_counter::measure(|| calls(callers * each)).count_total as f64
    };
    let (one, all) = (measured(&mut calls, 1), measured(&mut calls, EACH + 1));
    (all - one) / f64::from(callers * EACH)
}
