//! The caller's side of one item.

use std::{
    fmt, mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::{sync::OwnedSemaphorePermit, task::coop::poll_proceed};

use super::{
    BatchError, BatchRejected,
    core::Engine,
    description::Answer,
    seat::{Left, Seat},
};

/// The answer to one item. Made by [`Batcher::call`](super::Batcher::call); the item is handed over
/// when this is first polled.
#[must_use = "futures do nothing unless polled"]
pub struct Call<T, U, E> {
    engine: Arc<dyn Engine<T, U, E>>,
    stage: Stage<T, U, E>,
}

enum Stage<T, U, E> {
    New(T),
    /// The queue is full, and the caller waits for room in it.
    Full(Heavy<T>, Room),
    Seated(Arc<Seat<Answer<U, E>>>),
    Over,
}

/// Resolves to a place in the queue, or to nothing if the batcher was closed.
pub(super) type Room = Pin<Box<dyn Future<Output = Option<OwnedSemaphorePermit>> + Send>>;

impl<T, U, E> Call<T, U, E> {
    pub(super) fn new(engine: Arc<dyn Engine<T, U, E>>, item: T) -> Self {
        Self { engine, stage: Stage::New(item) }
    }
}

// Nothing in it is pinned: items and answers are moved, and what waits is boxed.
impl<T, U, E> Unpin for Call<T, U, E> {}

impl<T, U, E> Future for Call<T, U, E> {
    type Output = Answer<U, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // A loop over calls that are refused at once has to let others run as well.
        let budget = ready!(poll_proceed(context));
        let answer = ready!(self.get_mut().poll_answer(context));
        budget.made_progress();
        Poll::Ready(answer)
    }
}

impl<T, U, E> Call<T, U, E> {
    fn poll_answer(&mut self, context: &mut Context<'_>) -> Poll<Answer<U, E>> {
        loop {
            match mem::replace(&mut self.stage, Stage::Over) {
                Stage::New(item) => match Arc::clone(&self.engine).enter(item) {
                    Ok(Entered::Seated(seat)) => self.stage = Stage::Seated(seat),
                    Ok(Entered::Full(item, room)) => self.stage = Stage::Full(item, room),
                    Err(rejected) => return Poll::Ready(Err(BatchError::Rejected(rejected))),
                },
                Stage::Full(item, mut room) => match room.as_mut().poll(context) {
                    Poll::Pending => {
                        self.stage = Stage::Full(item, room);
                        return Poll::Pending;
                    }
                    Poll::Ready(Some(place)) => match Arc::clone(&self.engine).sit(item, place) {
                        Ok(seat) => self.stage = Stage::Seated(seat),
                        Err(rejected) => {
                            return Poll::Ready(Err(BatchError::Rejected(rejected)));
                        }
                    },
                    Poll::Ready(None) => {
                        let rejected = self.engine.refuse(BatchRejected::Closed);
                        return Poll::Ready(Err(BatchError::Rejected(rejected)));
                    }
                },
                Stage::Seated(seat) => {
                    self.stage = Stage::Seated(seat);
                    let Stage::Seated(seat) = &self.stage else { unreachable!("it was just set") };
                    let answer = seat.poll(context);
                    if answer.is_pending() && self.engine.is_orphaned() {
                        Arc::clone(&self.engine).adopt();
                    }
                    let answer = ready!(answer);
                    self.stage = Stage::Over;
                    return Poll::Ready(answer);
                }
                Stage::Over => panic!("polled after it gave its answer"),
            }
        }
    }
}

/// Where an item has come to.
pub(super) enum Entered<T, U, E> {
    Seated(Arc<Seat<Answer<U, E>>>),
    Full(Heavy<T>, Room),
}

/// An item that was weighed.
pub(super) struct Heavy<T> {
    pub(super) item: T,
    pub(super) weight: u64,
}

// The caller has gone: its item is not sent, if it was not.
impl<T, U, E> Drop for Call<T, U, E> {
    fn drop(&mut self) {
        match &self.stage {
            Stage::Seated(seat) => {
                if matches!(seat.leave(), Left::Queued) {
                    self.engine.left();
                }
            }
            Stage::Full(..) => self.engine.left_outside(),
            Stage::New(_) | Stage::Over => {}
        }
    }
}

impl<T, U, E> fmt::Debug for Call<T, U, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = match self.stage {
            Stage::New(_) => "new",
            Stage::Full(..) => "waits for room in the queue",
            Stage::Seated(_) => "waits for its answer",
            Stage::Over => "over",
        };
        f.debug_struct("Call").field("stage", &stage).finish_non_exhaustive()
    }
}
