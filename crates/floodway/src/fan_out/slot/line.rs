//! Items that never wait, many of them in a tight loop.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    task::{Context, Poll},
};

use super::{
    super::{ItemError, ledger::Finished},
    Done, Head, Job, NEVER, Phase, Setting, Slot,
    attempt::poll_place,
};
use crate::Outcome as Load;

/// Items that are not tried again, many of them in a tight loop.
impl<I, K, Fut, T, E> Slot<I, K, Fut, E>
where
    Fut: Future<Output = Result<T, E>>,
{
    /// Runs items one after the other for as long as they do not wait and succeed: `values` get what
    /// they result in. No more than `most`.
    ///
    /// All of it happens under one `catch_unwind`, and nothing is written down but the values: this
    /// is what an item costs that does next to nothing.
    #[inline]
    pub(in crate::fan_out) fn run_line(
        &mut self,
        items: &mut VecDeque<I>,
        most: usize,
        values: &mut Vec<T>,
        mut call: impl FnMut(I) -> Fut,
        context: &mut Context<'_>,
    ) -> LineEnd<E> {
        let place = self.first.future.get_or_insert_with(|| Box::pin(None));
        let mut left = most;
        let run = || {
            loop {
                if left == 0 {
                    return LineEnd::Look;
                }
                let Some(item) = items.pop_front() else {
                    return LineEnd::Look;
                };
                left -= 1;
                place.as_mut().set(Some(call(item)));
                match poll_place(place, context) {
                    Poll::Pending => return LineEnd::Waits,
                    Poll::Ready(Ok(value)) => values.push(value),
                    Poll::Ready(Err(error)) => return LineEnd::Failed(ItemError::Failed(error)),
                }
            }
        };
        catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|payload| {
            // What panics when it is dropped has panicked already.
            let _ = self.first.clear(Load::Ignore);
            LineEnd::Failed(ItemError::panicked(payload))
        })
    }

    /// Makes the future of an item and polls it once. What panics has to be caught outside, and the
    /// slot to be [cleared](Self::clear_after_panic).
    #[inline]
    pub(in crate::fan_out) fn run_straight(
        &mut self,
        item: I,
        call: &mut impl FnMut(I) -> Fut,
        context: &mut Context<'_>,
    ) -> Poll<Result<T, E>> {
        let place = self.first.future.get_or_insert_with(|| Box::pin(None));
        place.as_mut().set(Some(call(item)));
        poll_place(place, context)
    }

    /// Drops what a panic left behind.
    #[cold]
    pub(in crate::fan_out) fn clear_after_panic(&mut self) {
        // What panics when it is dropped has panicked already.
        let _ = self.first.clear(Load::Ignore);
    }

    /// The item that [`run_line`](Self::run_line) left waiting becomes one like any other.
    pub(in crate::fan_out) fn keep<A>(
        &mut self,
        index: usize,
        since: u64,
        setting: &Setting<A>,
        now: u64,
    ) {
        self.job = Some(Job {
            head: Head { index, key: None, since, started: now, attempts: 1 },
            weight: 1,
            kept: None,
            phase: Phase::Running,
            timeout_at: NEVER,
            rival_at: NEVER,
            armed: !setting.is_timing(false),
        });
    }

    /// The item that [`run_line`](Self::run_line) ended at.
    pub(in crate::fan_out) fn failed(
        index: usize,
        since: u64,
        error: ItemError<E>,
        now: u64,
    ) -> Finished<K, T, E> {
        let head = Head { index, key: None, since, started: now, attempts: 1 };
        Done { head, result: Err(error) }.at(now)
    }
}

/// Why a line stopped.
pub(in crate::fan_out) enum LineEnd<E> {
    /// It is empty, or it is time to look at the clock.
    Look,
    /// The item that was taken last waits.
    Waits,
    /// The item that was taken last failed.
    Failed(ItemError<E>),
}
