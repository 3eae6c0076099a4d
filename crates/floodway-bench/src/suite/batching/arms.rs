//! The ways to make a call: alone, through our batcher, through each peer.

use std::{
    task::{Context, Poll},
    time::Duration,
};

use batch_aint_one::{BatchingPolicy, Limits, OnFull, Processor};
use floodway::{BatchSizing, Batcher, Instrumentation};
use floodway_metrics::Registry;
use futures::future::BoxFuture;
use tokio::{runtime::Runtime, sync::oneshot};
use tower::{Service, ServiceExt};
use tower_batch_control::{Batch, BatchControl, RequestWeight};

use super::{
    CALLERS,
    downstream::{Downstream, Failed, failed},
    lap::{Arm, Pause},
};

/// More than all callers together have.
const QUEUE: usize = 4_096;

/// What a batcher is set to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting {
    pub(super) sizing: BatchSizing,
    /// The batcher's own if there is none.
    pub(super) linger: Option<Duration>,
    pub(super) in_flight: usize,
}

impl Setting {
    /// As it comes.
    pub(super) fn adaptive(in_flight: usize) -> Self {
        Self { sizing: BatchSizing::default(), linger: None, in_flight }
    }

    pub(super) fn fixed(size: usize, linger: Duration, in_flight: usize) -> Self {
        Self { sizing: BatchSizing::Fixed(size), linger: Some(linger), in_flight }
    }
}

/// Every caller with a call of its own.
pub(super) fn unbatched<'a>(runtime: &'a Runtime, downstream: &Downstream) -> Arm<'a> {
    unbatched_from(runtime, downstream, (CALLERS, None))
}

pub(super) fn unbatched_from<'a>(
    runtime: &'a Runtime,
    downstream: &Downstream,
    callers: (usize, Option<Pause>),
) -> Arm<'a> {
    let downstream = downstream.fresh();
    let calls = downstream.clone();
    Arm::with_pauses(runtime, &downstream, callers, "unbatched", move |item| {
        let downstream = calls.clone();
        async move { downstream.send(vec![item]).await.expect("the downstream works") }
    })
}

/// A batcher without limiters.
pub(super) fn batcher(
    downstream: &Downstream,
    setting: Setting,
    instrumentation: Instrumentation,
) -> Batcher<u64, u64, Failed> {
    let builder = Batcher::builder("bench")
        .sizing(setting.sizing)
        .max_in_flight(setting.in_flight)
        .instrumentation(instrumentation)
        .registry(&Registry::new());
    let builder = match setting.linger {
        Some(linger) => builder.max_linger(linger),
        None => builder,
    };
    let downstream = downstream.clone();
    let batcher = builder.build_atomic(move |items: Vec<u64>| {
        let downstream = downstream.clone();
        async move {
            let answers = items.clone();
            downstream.send(items).await?;
            Ok(answers)
        }
    });
    batcher.expect("the settings are valid")
}

pub(super) fn ours<'a>(runtime: &'a Runtime, downstream: &Downstream, setting: Setting) -> Arm<'a> {
    ours_from(runtime, downstream, setting, (CALLERS, None))
}

pub(super) fn ours_from<'a>(
    runtime: &'a Runtime,
    downstream: &Downstream,
    setting: Setting,
    callers: (usize, Option<Pause>),
) -> Arm<'a> {
    let downstream = downstream.fresh();
    let batcher = batcher(&downstream, setting, Instrumentation::Full);
    let Setting { sizing, linger, in_flight } = setting;
    let name = match sizing {
        BatchSizing::Fixed(size) => {
            format!("fixed: {size} items, {} of linger, {in_flight} slots", ms(linger))
        }
        _ => format!("adaptive, {in_flight} slots"),
    };
    Arm::with_pauses(runtime, &downstream, callers, name, move |item| {
        let batcher = batcher.clone();
        async move {
            let answer = batcher.call(item).await;
            assert_eq!(answer.expect("the downstream works"), item);
        }
    })
}

fn ms(linger: Option<Duration>) -> String {
    format!("{} ms", linger.unwrap_or_default().as_millis())
}

/// How batch-aint-one may be set.
pub(super) fn aint_one_settings(
    sizes: &[usize],
    lingers: &[Duration],
    slots: &[usize],
) -> Vec<(BatchingPolicy, usize, usize)> {
    let mut settings = Vec::new();
    for &size in sizes {
        for &slots in slots {
            settings.push((BatchingPolicy::Immediate, size, slots));
            for share in [4, 2, 1] {
                let policy = BatchingPolicy::Balanced { min_size_hint: size.div_ceil(share) };
                settings.push((policy, size, slots));
            }
            for linger in lingers.iter().filter(|linger| !linger.is_zero()) {
                let policy = BatchingPolicy::Duration(*linger, OnFull::Process);
                settings.push((policy, size, slots));
            }
        }
    }
    settings
}

pub(super) fn aint_one<'a>(
    runtime: &'a Runtime,
    downstream: &Downstream,
    (policy, size, slots): (BatchingPolicy, usize, usize),
) -> Arm<'a> {
    let downstream = downstream.fresh();
    let name = format!("batch-aint-one: {size} items, {policy}, {slots} slots");
    let batcher = aint_one_batcher(runtime, &downstream, (policy, size, slots));
    Arm::new(runtime, &downstream, CALLERS, name, move |item| {
        let batcher = batcher.clone();
        async move {
            let answer = batcher.add((), item).await;
            assert_eq!(answer.expect("the downstream works"), item);
        }
    })
}

pub(super) fn aint_one_batcher(
    runtime: &Runtime,
    downstream: &Downstream,
    (policy, size, slots): (BatchingPolicy, usize, usize),
) -> batch_aint_one::Batcher<Inserts> {
    let _runtime = runtime.enter();
    let limits = Limits::builder()
        .max_batch_size(size)
        .max_key_concurrency(slots)
        .max_key_queued_items(QUEUE)
        .max_items_awaiting_worker(QUEUE)
        .build();
    batch_aint_one::Batcher::builder()
        .name("bench")
        .processor(Inserts(downstream.clone()))
        .limits(limits)
        .batching_policy(policy)
        .build()
}

/// The downstream for batch-aint-one.
#[derive(Clone)]
pub(super) struct Inserts(Downstream);

impl Processor for Inserts {
    type Key = ();
    type Input = u64;
    type Output = u64;
    type Error = Failed;
    type Resources = ();

    async fn acquire_resources(&self, (): ()) -> Result<(), Failed> {
        Ok(())
    }

    async fn process(
        &self,
        (): (),
        inputs: impl Iterator<Item = u64> + Send,
        (): (),
    ) -> Result<Vec<u64>, Failed> {
        let items: Vec<u64> = inputs.collect();
        let answers = items.clone();
        self.0.send(items).await?;
        Ok(answers)
    }
}

pub(super) fn tower_batch<'a>(
    runtime: &'a Runtime,
    downstream: &Downstream,
    (size, linger, slots): (usize, Duration, usize),
) -> Arm<'a> {
    let downstream = downstream.fresh();
    let linger_ms = ms(Some(linger));
    let name = format!("tower-batch-control: {size} items, {linger_ms}, {slots} slots");
    let batch = tower_batch_service(runtime, &downstream, (size, linger, slots));
    Arm::new(runtime, &downstream, CALLERS, name, move |item| {
        let batch = batch.clone();
        async move {
            let answer = batch.oneshot(Row(item)).await;
            assert_eq!(answer.expect("the downstream works"), item);
        }
    })
}

pub(super) fn tower_batch_service(
    runtime: &Runtime,
    downstream: &Downstream,
    (size, linger, slots): (usize, Duration, usize),
) -> Batch<Collected, Row> {
    let _runtime = runtime.enter();
    let collected = Collected { downstream: downstream.clone(), waiting: Vec::new() };
    Batch::new(collected, size, slots, linger)
}

/// An item for tower-batch-control.
#[derive(Debug)]
pub(super) struct Row(pub(super) u64);

impl RequestWeight for Row {}

/// The downstream for tower-batch-control, which tells of each item and then of the end of a batch.
pub(super) struct Collected {
    downstream: Downstream,
    waiting: Vec<(u64, oneshot::Sender<()>)>,
}

impl Service<BatchControl<Row>> for Collected {
    type Response = u64;
    type Error = Failed;
    type Future = BoxFuture<'static, Result<u64, Failed>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: BatchControl<Row>) -> Self::Future {
        match request {
            BatchControl::Item(Row(item)) => {
                let (done, ended) = oneshot::channel();
                self.waiting.push((item, done));
                Box::pin(async move { ended.await.map(|()| item).map_err(failed) })
            }
            BatchControl::Flush => {
                let waiting = std::mem::take(&mut self.waiting);
                let downstream = self.downstream.clone();
                Box::pin(async move {
                    let items: Vec<u64> = waiting.iter().map(|(item, _)| *item).collect();
                    downstream.send(items).await?;
                    for (_, done) in waiting {
                        // A caller who has gone is none of a bench.
                        let _ = done.send(());
                    }
                    Ok(0)
                })
            }
        }
    }
}
