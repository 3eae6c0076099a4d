//! One item at a time, from its first attempt to its result.
//!
//! ```text
//!            start          failed, another attempt is allowed
//!  Empty ──────────> Running ──────────────────────────────> Waiting(until)
//!    ^                │   ^                                        │
//!    │   result       │   │  resume(permits)          the time came│
//!    └────────────────┘   └──────────────────── Wants <────────────┘
//! ```
//!
//! Shared by the engines: a worker has one slot, an engine in the task has many.

mod attempt;
mod line;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::Instant;

use self::attempt::Attempt;
pub(super) use self::line::LineEnd;
use super::{
    ItemError, Outcome, StopReason, Timing,
    attempts::Attempts,
    cells::Cells,
    ledger::{Finished, Pulled},
    time::since,
};
use crate::{
    Clock, Outcome as Load, Panic,
    admission::{Admission, Permits},
};

/// No deadline, in nanoseconds of the clock.
pub(super) const NEVER: u64 = u64::MAX;

/// What attempts need to know of their fan-out.
pub(super) struct Setting<A> {
    pub(super) clock: Clock,
    pub(super) attempts: A,
    pub(super) admission: Arc<Admission>,
    pub(super) item_timeout: Option<Duration>,
    /// Where the clock of the timers begins.
    pub(super) origin: Instant,
    /// Durations are measured.
    pub(super) timed: bool,
    /// How the end of a failed attempt counts for an adaptive limiter.
    pub(super) load_of_failures: Load,
    pub(super) slow_after: Option<Duration>,
    pub(super) cells: Option<Arc<Cells>>,
}

impl<A> Setting<A> {
    /// Whether attempts that wait have to be watched.
    const fn is_timing(&self, many_attempts: bool) -> bool {
        many_attempts || self.item_timeout.is_some()
    }

    /// The time on the clock of the timers.
    fn ticks(&self) -> u64 {
        since(self.origin)
    }

    /// The time, if somebody needs it.
    #[inline]
    pub(super) fn now(&self) -> u64 {
        if self.timed { self.clock.now() } else { 0 }
    }
}

/// Runs one item at a time.
pub(super) struct Slot<I, K, Fut, E> {
    first: Attempt<Fut>,
    /// Boxed, because few items are hedged.
    rival: Option<Box<Attempt<Fut>>>,
    job: Option<Job<I, K>>,
    /// Why the last attempt failed, while another one is to follow.
    last: Option<ItemError<E>>,
}

/// What the outcome of an item says beside its result.
struct Head<K> {
    index: usize,
    key: Option<K>,
    since: u64,
    /// When it was first started.
    started: u64,
    attempts: u32,
}

struct Job<I, K> {
    head: Head<K>,
    weight: u32,
    /// For another attempt.
    kept: Option<I>,
    phase: Phase,
    /// When the attempt has taken too long, and when a rival is started, in nanoseconds since the
    /// origin of the timers. Set when the attempt first waits: most that do not wait are spared a
    /// reading of that clock.
    timeout_at: u64,
    rival_at: u64,
    armed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running,
    Waiting { until: u64 },
    Wants,
}

/// What a look at a slot gave.
pub(super) enum Look<T, E> {
    Pending,
    /// Another attempt may begin, once there are permits for it. Said once.
    WantsPermits,
    Done(Result<T, ItemError<E>>),
}

/// What starting an item gave.
pub(super) enum Started<K, T, E> {
    /// It waits.
    Waits,
    /// It ended at once; the slot is free.
    Done(Done<K, T, E>),
    /// As after any other look.
    Looked(Look<T, E>),
}

/// An item that ended, before it is known when.
pub(super) struct Done<K, T, E> {
    head: Head<K>,
    result: Result<T, ItemError<E>>,
}

impl<K, T, E> Done<K, T, E> {
    #[inline]
    pub(super) fn at(self, now: u64) -> Finished<K, T, E> {
        let Self { head: Head { index, key, attempts, since, started }, result } = self;
        let queued = started.saturating_sub(since);
        let timing = Timing::of_nanos(queued, now.saturating_sub(started));
        Finished { key, outcome: Outcome { index, result, timing, attempts } }
    }
}

impl<I, K, Fut, T, E> Slot<I, K, Fut, E>
where
    Fut: Future<Output = Result<T, E>>,
{
    pub(super) const fn new() -> Self {
        Self { first: Attempt::new(), rival: None, job: None, last: None }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.job.is_none()
    }

    /// Begins an item and looks at it for the first time.
    #[inline]
    pub(super) fn start<A: Attempts<I, E>>(
        &mut self,
        pulled: Pulled<I, K>,
        permits: Permits,
        setting: &Setting<A>,
        call: &mut impl FnMut(I) -> Fut,
        context: &mut Context<'_>,
        now: u64,
    ) -> Started<K, T, E> {
        let Pulled { index, item, key, weight, since } = pulled;
        let kept = if A::MANY { keep(|| setting.attempts.keep(&item)) } else { Ok(None) };
        let head = Head { index, key, since, started: now, attempts: 1 };
        let kept = match kept {
            Ok(kept) => kept,
            Err(panic) => {
                return Started::Done(Done {
                    head,
                    result: Err(ItemError::Panicked(Box::new(panic))),
                });
            }
        };
        let look = self.first.begin(|| call(item), permits, context, setting.load_of_failures);
        match look {
            // Most items that never wait end here, without ever having been written down.
            Poll::Ready(result) if !A::MANY => Started::Done(Done { head, result }),
            look => {
                let armed = !setting.is_timing(A::MANY);
                self.job = Some(Job {
                    head,
                    weight,
                    kept,
                    phase: Phase::Running,
                    timeout_at: NEVER,
                    rival_at: NEVER,
                    armed,
                });
                match look {
                    Poll::Pending => Started::Waits,
                    Poll::Ready(result) => Started::Looked(self.resolve(result, false, setting)),
                }
            }
        }
    }

    /// Begins another attempt, with the permits that it wanted.
    pub(super) fn resume<A: Attempts<I, E>>(
        &mut self,
        permits: Permits,
        setting: &Setting<A>,
        call: &mut impl FnMut(I) -> Fut,
        context: &mut Context<'_>,
    ) -> Look<T, E> {
        let Some(job) = &mut self.job else {
            return Look::Pending;
        };
        let Some(item) = job.kept.take() else {
            return Look::Pending;
        };
        match keep(|| setting.attempts.keep_again(&item)) {
            Ok(kept) => job.kept = kept,
            Err(panic) => return Look::Done(Err(ItemError::Panicked(Box::new(panic)))),
        }
        self.last = None;
        job.head.attempts += 1;
        job.phase = Phase::Running;
        (job.timeout_at, job.rival_at, job.armed) = (NEVER, NEVER, false);
        if let Some(cells) = &setting.cells {
            cells.retried();
        }
        match self.first.begin(|| call(item), permits, context, setting.load_of_failures) {
            Poll::Pending => Look::Pending,
            Poll::Ready(result) => self.resolve(result, false, setting),
        }
    }

    pub(super) fn weight(&self) -> u32 {
        self.job.as_ref().map_or(1, |job| job.weight)
    }

    /// Polls what runs.
    #[inline]
    pub(super) fn look<A: Attempts<I, E>>(
        &mut self,
        setting: &Setting<A>,
        context: &mut Context<'_>,
    ) -> Look<T, E> {
        let mut last = match self.first.poll(context, setting.load_of_failures) {
            Poll::Ready(result) => Some((result, false)),
            Poll::Pending => None,
        };
        if A::MANY
            && let Some(rival) = &mut self.rival
            && !matches!(last, Some((Ok(_), _)))
            && let Poll::Ready(result) = rival.poll(context, setting.load_of_failures)
        {
            last = Some((result, true));
        }
        match last {
            None => Look::Pending,
            Some((result, by_rival)) => self.resolve(result, by_rival, setting),
        }
    }

    /// Something ended: the item, or one of its attempts.
    #[inline]
    fn resolve<A: Attempts<I, E>>(
        &mut self,
        result: Result<T, ItemError<E>>,
        by_rival: bool,
        setting: &Setting<A>,
    ) -> Look<T, E> {
        if !A::MANY {
            return Look::Done(result);
        }
        let had_rival = self.rival.as_ref().is_some_and(|rival| by_rival || rival.is_set());
        if had_rival {
            let other_runs =
                self.first.is_set() || self.rival.as_ref().is_some_and(|rival| rival.is_set());
            // One of two failed: the other may still succeed.
            if result.is_err() && other_runs {
                if by_rival && let Some(cells) = &setting.cells {
                    cells.hedged(false);
                }
                return Look::Pending;
            }
            if let Some(cells) = &setting.cells {
                cells.hedged(by_rival && result.is_ok());
            }
            let dropped = self.clear(Load::Ignore);
            if let (Ok(_), Err(panic)) = (&result, dropped) {
                return Look::Done(Err(ItemError::Panicked(Box::new(panic))));
            }
        }
        let (Err(error), Some(job)) = (&result, &mut self.job) else {
            return Look::Done(result);
        };
        if job.kept.is_none() {
            return Look::Done(result);
        }
        let retry = || setting.attempts.retry(job.head.attempts, error);
        match catch_unwind(AssertUnwindSafe(retry)) {
            Err(payload) => Look::Done(Err(ItemError::panicked(payload))),
            Ok(Some(backoff)) => {
                let until = setting.ticks().saturating_add(nanos(backoff));
                job.phase = Phase::Waiting { until };
                (job.timeout_at, job.rival_at) = (NEVER, NEVER);
                self.last = result.err();
                Look::Pending
            }
            Ok(None) => Look::Done(result),
        }
    }

    /// When this slot, which waits, has to be looked at although nothing woke it. In nanoseconds
    /// since the origin of the timers.
    #[inline]
    pub(super) fn due<A: Attempts<I, E>>(&mut self, setting: &Setting<A>) -> u64 {
        let Some(job) = &mut self.job else {
            return NEVER;
        };
        match job.phase {
            Phase::Waiting { until } => until,
            Phase::Wants => NEVER,
            Phase::Running => {
                if !job.armed {
                    job.armed = true;
                    let after = |delay: Option<Duration>| {
                        delay.map_or(NEVER, |delay| setting.ticks().saturating_add(nanos(delay)))
                    };
                    job.timeout_at = after(setting.item_timeout);
                    job.rival_at = after(setting.attempts.hedge_after());
                }
                job.timeout_at.min(job.rival_at)
            }
        }
    }

    /// The time that it was [due](Self::due) at has come.
    pub(super) fn on_time<A: Attempts<I, E>>(
        &mut self,
        setting: &Setting<A>,
        call: &mut impl FnMut(I) -> Fut,
        context: &mut Context<'_>,
        now: u64,
    ) -> Look<T, E> {
        let Some(job) = &mut self.job else {
            return Look::Pending;
        };
        match job.phase {
            Phase::Waiting { until } if until <= now => {
                job.phase = Phase::Wants;
                Look::WantsPermits
            }
            Phase::Running if job.timeout_at <= now => {
                job.timeout_at = NEVER;
                let rival_ran = self.rival.as_ref().is_some_and(|rival| rival.is_set());
                let dropped = self.clear(Load::Overload);
                if rival_ran && let Some(cells) = &setting.cells {
                    cells.hedged(false);
                }
                let error = dropped.map_or_else(
                    |panic| ItemError::Panicked(Box::new(panic)),
                    |()| ItemError::TimedOut,
                );
                self.resolve(Err(error), false, setting)
            }
            Phase::Running if job.rival_at <= now => {
                job.rival_at = NEVER;
                self.start_rival(setting, call, context)
            }
            _ => Look::Pending,
        }
    }

    /// Starts a rival, if there is a budget and a permit for it now.
    fn start_rival<A: Attempts<I, E>>(
        &mut self,
        setting: &Setting<A>,
        call: &mut impl FnMut(I) -> Fut,
        context: &mut Context<'_>,
    ) -> Look<T, E> {
        let Some(job) = &mut self.job else {
            return Look::Pending;
        };
        let Some(item) = job.kept.take() else {
            return Look::Pending;
        };
        // Without a copy there is no rival, and no further attempt.
        job.kept = keep(|| setting.attempts.keep_again(&item)).unwrap_or(None);
        let Some(permits) = setting.admission.try_admit(job.weight) else {
            return Look::Pending;
        };
        if !setting.attempts.withdraw() {
            return Look::Pending;
        }
        job.head.attempts += 1;
        let rival = self.rival.get_or_insert_with(|| Box::new(Attempt::new()));
        match rival.begin(|| call(item), permits, context, setting.load_of_failures) {
            Poll::Pending => Look::Pending,
            Poll::Ready(result) => self.resolve(result, true, setting),
        }
    }
}

/// What needs no future to be polled.
impl<I, K, Fut, E> Slot<I, K, Fut, E> {
    /// An attempt runs, as opposed to a wait for the next one.
    pub(super) fn runs(&self) -> bool {
        self.job.as_ref().is_some_and(|job| job.phase == Phase::Running)
    }

    /// Drops what runs and gives its permits back.
    fn clear(&mut self, load: Load) -> Result<(), Panic> {
        let first = self.first.clear(load);
        let rival = self.rival.as_mut().map_or(Ok(()), |rival| rival.clear(load));
        first.and(rival)
    }

    /// Drops what runs, if something does; its item ends as cancelled, unless dropping it panics.
    pub(super) fn abandon<T>(&mut self, reason: StopReason, now: u64) -> Option<Finished<K, T, E>> {
        self.job.as_ref()?;
        let dropped = self.clear(Load::Ignore);
        // Between two attempts nothing was cancelled: the last one failed.
        let last = self.last.take();
        let cancelled = || last.unwrap_or(ItemError::Cancelled(reason));
        let error =
            dropped.map_or_else(|panic| ItemError::Panicked(Box::new(panic)), |()| cancelled());
        self.finish(Err(error), now)
    }

    /// Takes the item out with its result.
    #[inline]
    pub(super) fn finish<T>(
        &mut self,
        result: Result<T, ItemError<E>>,
        now: u64,
    ) -> Option<Finished<K, T, E>> {
        let head = self.job.take()?.head;
        Some(Done { head, result }.at(now))
    }
}

/// Copies an item, which is foreign code.
fn keep<I>(copy: impl FnOnce() -> Option<I>) -> Result<Option<I>, Panic> {
    catch_unwind(AssertUnwindSafe(copy)).map_err(Panic::new)
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(NEVER)
}
