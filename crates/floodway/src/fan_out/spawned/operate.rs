//! How a worker runs an item, and where workers run.

use std::{
    future::{Ready, ready},
    panic::resume_unwind,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::{runtime::Handle, task::JoinHandle};

use super::super::latch::{Held, Latch};

/// How a worker runs an item.
#[doc(hidden)]
pub trait Operate<I>: Send + Sync + 'static {
    type Value: Send + 'static;
    type Error: Send + 'static;
    type Future: Future<Output = Result<Self::Value, Self::Error>> + Send + 'static;

    /// The first chunk may run in the task that waits for the fan-out.
    const INLINE: bool;

    /// Begins an item; `latch` is held while anything of it is left.
    fn operate(&self, item: I, latch: &Arc<Latch>) -> Self::Future;

    /// Runs a worker.
    fn launch(runtime: &Handle, worker: impl Future<Output = ()> + Send + 'static);
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

    #[inline]
    fn operate(&self, item: I, _: &Arc<Latch>) -> Fut {
        (self.0)(item)
    }

    fn launch(runtime: &Handle, worker: impl Future<Output = ()> + Send + 'static) {
        drop(runtime.spawn(worker));
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

    fn operate(&self, item: I, latch: &Arc<Latch>) -> Self::Future {
        let held = latch.hold();
        let operation = (self.0)(item);
        let span = tracing::Span::current();
        Child(tokio::spawn(tracing::Instrument::instrument(hold(operation, held), span)))
    }

    fn launch(runtime: &Handle, worker: impl Future<Output = ()> + Send + 'static) {
        drop(runtime.spawn(worker));
    }
}

/// Drops the operation before what it held.
async fn hold<Fut: Future>(operation: Fut, held: Held) -> Fut::Output {
    // Parameters are dropped in reverse order: the operation, pinned here, goes first.
    let output = operation.await;
    drop(held);
    output
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

    #[inline]
    fn operate(&self, item: I, _: &Arc<Latch>) -> Self::Future {
        ready((self.0)(item))
    }

    fn launch(runtime: &Handle, worker: impl Future<Output = ()> + Send + 'static) {
        let handle = runtime.clone();
        drop(runtime.spawn_blocking(move || handle.block_on(worker)));
    }
}
