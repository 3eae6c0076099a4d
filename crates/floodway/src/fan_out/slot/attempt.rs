//! One attempt: a future in a place that is used again, and the permits it runs under.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
    thread,
};

use super::super::ItemError;
use crate::{Outcome as Load, Panic, admission::Permits};

/// One attempt of an item.
pub(super) struct Attempt<Fut> {
    /// Allocated once and used for every item.
    pub(super) future: Option<Pin<Box<Option<Fut>>>>,
    permits: Permits,
}

impl<Fut> Attempt<Fut> {
    pub(super) const fn new() -> Self {
        Self { future: None, permits: Permits::None }
    }

    pub(super) fn is_set(&self) -> bool {
        self.future.as_ref().is_some_and(|future| future.is_some())
    }

    /// Drops the future, which may panic, and gives the permits back.
    pub(super) fn clear(&mut self, load: Load) -> Result<(), Panic> {
        let dropped = match &mut self.future {
            Some(place) => catch_unwind(AssertUnwindSafe(|| place.as_mut().set(None))),
            None => Ok(()),
        };
        self.permits.complete(load);
        dropped.map_err(Panic::new)
    }
}

impl<Fut, T, E> Attempt<Fut>
where
    Fut: Future<Output = Result<T, E>>,
{
    /// Makes a future and polls it for the first time. Most that never wait end here, so all of it
    /// happens under one `catch_unwind`.
    #[inline]
    pub(super) fn begin(
        &mut self,
        make: impl FnOnce() -> Fut,
        permits: Permits,
        context: &mut Context<'_>,
        load_of_failures: Load,
    ) -> Poll<Result<T, ItemError<E>>> {
        self.permits = permits;
        let Self { future, permits } = self;
        let begin = || {
            permits.within(|| {
                let place = match future {
                    Some(place) => {
                        place.as_mut().set(Some(make()));
                        place
                    }
                    None => future.insert(Box::pin(Some(make()))),
                };
                poll_place(place, context)
            })
        };
        let caught = catch_unwind(AssertUnwindSafe(begin));
        self.polled(caught, load_of_failures)
    }

    /// Polls the future; it is gone once there is a result.
    #[inline]
    pub(super) fn poll(
        &mut self,
        context: &mut Context<'_>,
        load_of_failures: Load,
    ) -> Poll<Result<T, ItemError<E>>> {
        let Self { future, permits } = self;
        let Some(place) = future else {
            return Poll::Pending;
        };
        let poll = || permits.within(|| poll_place(place, context));
        let caught = catch_unwind(AssertUnwindSafe(poll));
        self.polled(caught, load_of_failures)
    }

    #[inline]
    fn polled(
        &mut self,
        caught: thread::Result<Poll<Result<T, E>>>,
        load_of_failures: Load,
    ) -> Poll<Result<T, ItemError<E>>> {
        let (result, load) = match caught {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(Ok(value))) => (Ok(value), Load::Success),
            Ok(Poll::Ready(Err(error))) => (Err(ItemError::Failed(error)), load_of_failures),
            Err(payload) => {
                // What panics when it is dropped has panicked already.
                let _ = self.clear(Load::Ignore);
                (Err(ItemError::panicked(payload)), Load::Ignore)
            }
        };
        self.permits.complete(load);
        Poll::Ready(result)
    }
}

/// Polls what the place holds, and drops it once it has a result.
#[expect(clippy::inline_always, reason = "a call per item is a fifth of what a trivial one costs")]
#[inline(always)]
pub(super) fn poll_place<Fut: Future>(
    place: &mut Pin<Box<Option<Fut>>>,
    context: &mut Context<'_>,
) -> Poll<Fut::Output> {
    let Some(future) = place.as_mut().as_pin_mut() else {
        return Poll::Pending;
    };
    let poll = future.poll(context);
    if poll.is_ready() {
        place.as_mut().set(None);
    }
    poll
}
