//! How a worker runs an item, and where workers run.

use std::{
    future::{Ready, poll_fn, ready},
    num::NonZeroUsize,
    panic::resume_unwind,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

use tokio::{runtime::Handle, task::JoinHandle};
use tracing::Instrument;

use super::super::latch::{Held, Latch};
use crate::{Outcome as Load, admission::Permits};

/// How a worker runs an item.
#[doc(hidden)]
pub trait Operate<I>: Send + Sync + 'static {
    type Value: Send + 'static;
    type Error: Send + 'static;
    type Future: Future<Output = Result<Self::Value, Self::Error>> + Send + 'static;

    /// The first chunk may run in the task that waits for the fan-out.
    const INLINE: bool;

    /// An item may go on for a moment after its future was dropped: then its permits go with it.
    const DETACHED: bool;

    /// Begins an item; `latch` is held while anything of it is left. Has permits if it is
    /// [detached](Self::DETACHED).
    fn operate(&self, item: I, latch: &Arc<Latch>, charge: Charge) -> Self::Future;

    /// A worker may wait for a thread for long: the end does not wait for one that never began.
    const QUEUES: bool = false;

    /// How many workers can compute at the same time.
    #[must_use]
    fn threads(runtime: &Handle) -> usize {
        runtime.metrics().num_workers()
    }

    /// Runs a worker: in a task, unless it may block.
    fn launch(runtime: &Handle, worker: impl Future<Output = ()> + Send + 'static) {
        drop(runtime.spawn(worker));
    }
}

/// The permits of an item, and how its failure counts for them.
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct Charge {
    pub(super) permits: Permits,
    pub(super) load_of_failures: Load,
}

/// In the worker's own task.
#[derive(Debug)]
pub struct Direct<F>(pub(super) F);

impl<I, F, Fut, T, E> Operate<I> for Direct<F>
where
    F: Fn(I) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    type Value = T;
    type Error = E;
    type Future = Fut;

    const INLINE: bool = true;
    const DETACHED: bool = false;

    #[inline]
    fn operate(&self, item: I, _: &Arc<Latch>, _: Charge) -> Fut {
        (self.0)(item)
    }
}

/// In a task for each item.
#[derive(Debug)]
pub struct Each<F>(pub(super) F);

impl<I, F, Fut, T, E> Operate<I> for Each<F>
where
    F: Fn(I) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    type Value = T;
    type Error = E;
    type Future = Child<Result<T, E>>;

    const INLINE: bool = false;
    const DETACHED: bool = true;

    fn operate(&self, item: I, latch: &Arc<Latch>, mut charge: Charge) -> Self::Future {
        let held = latch.hold();
        let operation = charge.permits.within(|| (self.0)(item));
        let span = tracing::Span::current();
        Child(tokio::spawn(run(operation, charge, held).instrument(span)))
    }
}

/// Runs an operation inside its permits. Whenever it is dropped, the operation goes first, then the
/// permits, and the latch is let go last.
async fn run<T, E>(
    operation: impl Future<Output = Result<T, E>>,
    charge: Charge,
    held: Held,
) -> Result<T, E> {
    let _held = held;
    let Charge { mut permits, load_of_failures } = charge;
    let result = {
        let mut operation = pin!(operation);
        poll_fn(|context| permits.within(|| operation.as_mut().poll(context))).await
    };
    permits.complete(if result.is_ok() { Load::Success } else { load_of_failures });
    result
}

/// A task that is aborted with the future that waits for it.
#[derive(Debug)]
pub struct Child<T>(JoinHandle<T>);

impl<T> Future for Child<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        match Pin::new(&mut self.0).poll(context) {
            Poll::Ready(Ok(output)) => Poll::Ready(output),
            Poll::Ready(Err(error)) if error.is_panic() => resume_unwind(error.into_panic()),
            // The runtime is going away, and takes the worker along.
            Poll::Ready(Err(_)) | Poll::Pending => Poll::Pending,
        }
    }
}

/// Nobody would take what it results in.
impl<T> Drop for Child<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Drives a worker on a thread of the blocking pool.
///
/// Not by `Handle::block_on`: there tokio forbids to block, and blocking is what these operations
/// are for.
fn wait_for(worker: impl Future<Output = ()>) {
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut worker = pin!(worker);
    while worker.as_mut().poll(&mut context).is_pending() {
        // A wake that came before is not lost: the thread does not park then.
        thread::park();
    }
}

/// On a thread that may block.
#[derive(Debug)]
pub struct Block<F>(pub(super) F);

impl<I, F, T, E> Operate<I> for Block<F>
where
    F: Fn(I) -> Result<T, E> + Send + Sync + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    type Value = T;
    type Error = E;
    type Future = Ready<Result<T, E>>;

    const INLINE: bool = false;
    const DETACHED: bool = false;

    #[inline]
    fn operate(&self, item: I, _: &Arc<Latch>, _: Charge) -> Self::Future {
        ready((self.0)(item))
    }

    const QUEUES: bool = true;

    fn threads(_: &Handle) -> usize {
        thread::available_parallelism().map_or(1, NonZeroUsize::get)
    }

    fn launch(runtime: &Handle, worker: impl Future<Output = ()> + Send + 'static) {
        drop(runtime.spawn_blocking(move || wait_for(worker)));
    }
}
