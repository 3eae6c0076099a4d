//! Many calls become few: what waits goes together.
//!
//! A [`Batcher`] turns concurrent calls with one item each into calls of a function that takes many:
//! rows of an insert, commands of a pipeline, documents of a bulk request. How many go together
//! follows from what a batch costs, which is measured.
//!
//! ```
//! use floodway::Batcher;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let squares = Batcher::builder("squares")
//!     .build_atomic(|numbers: Vec<u64>| async move {
//!         // One round trip for all of them.
//!         Ok::<_, std::io::Error>(numbers.into_iter().map(|n| n * n).collect())
//!     })?;
//! let (three, four) = tokio::join!(squares.call(3), squares.call(4));
//! assert_eq!((three?, four?), (9, 16));
//! # Ok(())
//! # }
//! ```

mod builder;
mod call;
mod cells;
mod core;
mod description;
mod error;
mod failure;
mod lane;
mod queue;
mod seat;
mod shared;
mod snapshot;
mod watch;

use std::{fmt, sync::Arc};

use tokio::time::{Instant, timeout_at};

use self::core::Engine;
pub use self::{
    builder::{BatcherBuilder, PreparedBatcher, QueueFull},
    call::Call,
    description::Key,
    error::{BatchError, BatchRejected},
    failure::OnBatchError,
    snapshot::BatcherSnapshot,
};

/// Turns many calls with one item each into few with many.
///
/// A batch goes when a slot is free and there is a reason: nothing is in flight, or as much waits as
/// the load calls for, or something has waited long enough. So it adds no wait where there is no
/// load, and under load batches grow until their overhead is small. Where always the same callers come
/// back as soon as they have their answers, it waits a moment for them, and runs as many batches at a
/// time as are quickest.
///
/// `T` is an item, `U` its answer, `E` the error of the batch function. Cloning is cheap and gives
/// the same batcher.
///
/// # Batches
///
/// A batch runs in a task of its own, in the runtime of a caller. It goes on when callers go away,
/// unless all have and [`abort_abandoned`](BatcherBuilder::abort_abandoned) was asked for. An item
/// whose caller has gone before it was sent is not sent. A batch function that panics or gives the
/// wrong number of answers fails its batch, and the next one works.
///
/// # Runtimes
///
/// Callers may be on several runtimes. One that is shut down ends its batches with
/// [`BatchError::Aborted`], and the others go on. One that is merely not run, such as a current-thread
/// runtime outside `block_on`, keeps what it has: its batches stand still, and their slots are taken.
/// Share a batcher between runtimes only if all of them run all the time.
///
/// # Cost
///
/// 0.35 µs an item on an AMD EPYC, with 64 callers; `cargo xtask bench batching` prints it.
pub struct Batcher<T, U, E> {
    engine: Arc<dyn Engine<T, U, E>>,
}

impl<T, U, E> Batcher<T, U, E> {
    /// Starts to describe a batcher called `name`, which is its label on every metric.
    pub fn builder(name: impl Into<String>) -> BatcherBuilder<T, U, E> {
        BatcherBuilder::new(name.into())
    }

    /// Sends `item` with others and waits for its answer.
    ///
    /// # Errors
    ///
    /// [`BatchError`] says whether the item failed, or its batch, or was never sent.
    ///
    /// # Panics
    ///
    /// If it is polled outside a tokio runtime with time enabled.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it was polled for the first time, or while the item waits, the item is not sent.
    /// Dropped later, the item is done and nobody hears of it.
    pub fn call(&self, item: T) -> Call<T, U, E> {
        Call::new(Arc::clone(&self.engine), item)
    }

    /// Accepts nothing from now on; what waits is still sent.
    ///
    /// # Panics
    ///
    /// If something waits, and this is called outside a tokio runtime.
    pub fn close(&self) {
        Arc::clone(&self.engine).close();
    }

    /// [Closes](Self::close) the batcher and waits until everything was answered, but not beyond
    /// `deadline`: what still waits then is refused with [`BatchRejected::Closed`], and what runs goes
    /// on and answers its callers when it is done.
    ///
    /// # Panics
    ///
    /// As [`close`](Self::close).
    ///
    /// # Cancel safety
    ///
    /// The batcher stays closed, and what waits is still sent. Can be called again.
    pub async fn drain(&self, deadline: Instant) -> Drained {
        self.close();
        loop {
            let mut idle = std::pin::pin!(self.engine.idle().notified());
            // Before the look, so that what ends after it is heard of.
            idle.as_mut().enable();
            if self.engine.is_idle() {
                return Drained { refused: 0, in_flight: 0 };
            }
            if timeout_at(deadline, idle).await.is_err() {
                let (refused, in_flight) = self.engine.give_up();
                return Drained { refused, in_flight };
            }
        }
    }

    /// The state at this moment: what is known of costs, the size that follows, what waits and runs.
    #[must_use]
    pub fn snapshot(&self) -> BatcherSnapshot {
        self.engine.snapshot()
    }
}

/// What was left at the deadline of a [drain](Batcher::drain).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// Callers whose items were refused.
    pub refused: usize,
    /// Batches that still run.
    pub in_flight: usize,
}

impl Drained {
    /// Whether everything was answered in time.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.refused == 0 && self.in_flight == 0
    }
}

// Not derived, because that would ask for clones of items.
impl<T, U, E> Clone for Batcher<T, U, E> {
    fn clone(&self) -> Self {
        Self { engine: Arc::clone(&self.engine) }
    }
}

impl<T, U, E> fmt::Debug for Batcher<T, U, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batcher").field("snapshot", &self.snapshot()).finish_non_exhaustive()
    }
}
