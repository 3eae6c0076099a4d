//! Fan-outs beside `buffer_unordered`, futures-buffered, `JoinSet`, rayon and chunks made by hand.

mod cancel;
mod hashing;
mod identity;
mod in_task;
mod metrics;
mod slow_consumer;
mod small;
mod spawned;
mod utilisation;

use std::{
    convert::Infallible, future::poll_fn, hint::black_box, num::NonZeroUsize, pin::pin, task::Poll,
};

use futures::{Stream, StreamExt};
use tokio::runtime::{Builder, Runtime};

use crate::{measure::Effort, report::Report};

type Part = fn(Effort, &mut Report) -> anyhow::Result<()>;

const PARTS: [(&str, Part); 9] = [
    ("in-task", in_task::measure),
    ("spawned", spawned::measure),
    ("identity", identity::measure),
    ("hashing", hashing::measure),
    ("small", small::measure),
    ("cancel", cancel::measure),
    ("slow-consumer", slow_consumer::measure),
    ("utilisation", utilisation::measure),
    ("metrics", metrics::measure),
];

/// How many items are in flight where nothing else is said.
const WIDTH: NonZeroUsize = NonZeroUsize::new(64).expect("not zero");

pub(crate) fn run(effort: Effort, only: Option<&str>) -> anyhow::Result<Report> {
    let parts = PARTS.iter().filter(|(name, _)| only.is_none_or(|only| only == *name));
    let mut report = Report::new("fan-out");
    let mut measured = false;
    for (_, measure) in parts {
        measure(effort, &mut report)?;
        measured = true;
    }
    let names = PARTS.map(|(name, _)| name).join(", ");
    anyhow::ensure!(measured, "--only: the parts of the fan-out suite are {names}");
    Ok(report)
}

/// One thread is the current one.
fn runtime(threads: usize) -> anyhow::Result<Runtime> {
    let mut builder = match threads {
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    Ok(builder.worker_threads(threads).enable_time().build()?)
}

/// Runs it in a task, as in a service: the thread that waits does not take part.
fn in_a_task<F>(runtime: &Runtime, operations: F) -> F::Output
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    runtime.block_on(runtime.spawn(operations)).expect("benchmarks do not panic")
}

/// The least an item can be.
async fn ready(item: u64) -> Result<u64, Infallible> {
    Ok(black_box(item))
}

/// An item that is polled twice.
async fn yielding(item: u64) -> Result<u64, Infallible> {
    let mut woken = false;
    poll_fn(|context| {
        if std::mem::replace(&mut woken, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
    Ok(black_box(item))
}

async fn drain(stream: impl Stream) {
    let mut stream = pin!(stream);
    while let Some(outcome) = stream.next().await {
        black_box(outcome);
    }
}
