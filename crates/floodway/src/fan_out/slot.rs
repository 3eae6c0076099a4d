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

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    ItemError, StopReason, Timing,
    admission::{Admission, Permits},
    attempts::Attempts,
    cells::Cells,
    ledger::{Finished, Pulled},
    outcome::Panic,
    time::since,
};
use crate::{Clock, Outcome as Load};

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
pub(super) struct Slot<I, K, Fut> {
    first: Attempt<Fut>,
    /// Boxed, because few items are hedged.
    rival: Option<Box<Attempt<Fut>>>,
    job: Option<Job<I, K>>,
}

struct Attempt<Fut> {
    /// Allocated once and used for every item.
    future: Option<Pin<Box<Option<Fut>>>>,
    permits: Permits,
}

struct Job<I, K> {
    index: usize,
    key: Option<K>,
    weight: u32,
    since: u64,
    /// For another attempt.
    kept: Option<I>,
    attempts: u32,
    phase: Phase,
    /// When it was first started.
    started: u64,
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
    /// Another attempt may begin, once there are permits for it.
    WantsPermits,
    Done(Result<T, ItemError<E>>),
}

impl<Fut> Attempt<Fut> {
    const fn new() -> Self {
        Self { future: None, permits: Permits::None }
    }

    fn set(&mut self, future: Fut, permits: Permits) {
        self.permits = permits;
        match &mut self.future {
            Some(place) => place.as_mut().set(Some(future)),
            None => self.future = Some(Box::pin(Some(future))),
        }
    }

    fn is_set(&self) -> bool {
        self.future.as_ref().is_some_and(|future| future.is_some())
    }

    /// Drops the future, which may panic, and gives the permits back.
    fn clear(&mut self, load: Load) -> Result<(), Panic> {
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
    /// Polls the future; it is gone once there is a result.
    #[inline]
    fn poll(
        &mut self,
        context: &mut Context<'_>,
        load_of_failures: Load,
    ) -> Poll<Result<T, ItemError<E>>> {
        let Self { future, permits } = self;
        let Some(future) = future.as_mut().and_then(|place| place.as_mut().as_pin_mut()) else {
            return Poll::Pending;
        };
        let poll = || permits.within(|| future.poll(context));
        let (result, load) = match catch_unwind(AssertUnwindSafe(poll)) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(Ok(value))) => (Ok(value), Load::Success),
            Ok(Poll::Ready(Err(error))) => (Err(ItemError::Failed(error)), load_of_failures),
            Err(payload) => (Err(ItemError::Panicked(Panic::new(payload))), Load::Ignore),
        };
        let dropped = self.clear(load);
        Poll::Ready(match dropped {
            Ok(()) => result,
            Err(panic) => Err(ItemError::Panicked(panic)),
        })
    }
}

impl<I, K, Fut, T, E> Slot<I, K, Fut>
where
    Fut: Future<Output = Result<T, E>>,
{
    pub(super) const fn new() -> Self {
        Self { first: Attempt::new(), rival: None, job: None }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.job.is_none()
    }

    /// Begins an item; the first look at it has to follow.
    #[inline]
    pub(super) fn start<A: Attempts<I, E>>(
        &mut self,
        pulled: Pulled<I, K>,
        permits: Permits,
        setting: &Setting<A>,
        call: &mut impl FnMut(I) -> Fut,
        now: u64,
    ) -> Result<(), ItemError<E>> {
        let Pulled { index, item, key, weight, since } = pulled;
        let kept = if A::MANY { setting.attempts.keep(&item) } else { None };
        self.job = Some(Job {
            index,
            key,
            weight,
            since,
            kept,
            attempts: 0,
            phase: Phase::Running,
            started: now,
            timeout_at: NEVER,
            rival_at: NEVER,
            armed: false,
        });
        self.attempt(item, permits, setting, call)
    }

    /// Makes the future of an attempt.
    #[inline]
    fn attempt<A: Attempts<I, E>>(
        &mut self,
        item: I,
        mut permits: Permits,
        setting: &Setting<A>,
        call: &mut impl FnMut(I) -> Fut,
    ) -> Result<(), ItemError<E>> {
        let Some(job) = &mut self.job else {
            return Ok(());
        };
        job.attempts += 1;
        job.phase = Phase::Running;
        (job.timeout_at, job.rival_at, job.armed) = (NEVER, NEVER, !setting.is_timing(A::MANY));
        let make = || permits.within(|| call(item));
        match catch_unwind(AssertUnwindSafe(make)) {
            Ok(future) => {
                self.first.set(future, permits);
                Ok(())
            }
            Err(payload) => Err(ItemError::Panicked(Panic::new(payload))),
        }
    }

    /// Begins another attempt, with the permits that it wanted.
    pub(super) fn resume<A: Attempts<I, E>>(
        &mut self,
        permits: Permits,
        setting: &Setting<A>,
        call: &mut impl FnMut(I) -> Fut,
    ) -> Result<(), ItemError<E>> {
        let Some(job) = &mut self.job else {
            return Ok(());
        };
        let Some(item) = job.kept.take() else {
            return Ok(());
        };
        job.kept = setting.attempts.keep(&item);
        if let Some(cells) = &setting.cells {
            cells.retried();
        }
        self.attempt(item, permits, setting, call)
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
            None => {
                let waits = self.job.as_ref().is_some_and(|job| job.phase == Phase::Wants);
                if waits { Look::WantsPermits } else { Look::Pending }
            }
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
                return Look::Pending;
            }
            if let Some(cells) = &setting.cells {
                cells.hedged(by_rival && result.is_ok());
            }
            let dropped = self.clear(Load::Ignore);
            if let (Ok(_), Err(panic)) = (&result, dropped) {
                return Look::Done(Err(ItemError::Panicked(panic)));
            }
        }
        let (Err(error), Some(job)) = (&result, &mut self.job) else {
            return Look::Done(result);
        };
        if job.kept.is_none() {
            return Look::Done(result);
        }
        match setting.attempts.retry(job.attempts, error) {
            Some(backoff) => {
                let until = setting.ticks().saturating_add(nanos(backoff));
                job.phase = Phase::Waiting { until };
                (job.timeout_at, job.rival_at) = (NEVER, NEVER);
                Look::Pending
            }
            None => Look::Done(result),
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
                let error = dropped.map_or_else(ItemError::Panicked, |()| ItemError::TimedOut);
                self.resolve(Err(error), false, setting)
            }
            Phase::Running if job.rival_at <= now => {
                job.rival_at = NEVER;
                self.start_rival(setting, call);
                self.look(setting, context)
            }
            _ => Look::Pending,
        }
    }

    /// Starts a rival, if there is a budget and a permit for it now.
    fn start_rival<A: Attempts<I, E>>(
        &mut self,
        setting: &Setting<A>,
        call: &mut impl FnMut(I) -> Fut,
    ) {
        let Some(job) = &mut self.job else {
            return;
        };
        let Some(item) = job.kept.take() else {
            return;
        };
        job.kept = setting.attempts.keep(&item);
        let Some(mut permits) = setting.admission.try_admit(job.weight) else {
            return;
        };
        if !setting.attempts.withdraw() {
            return;
        }
        job.attempts += 1;
        // A rival that cannot be made changes nothing for the first.
        if let Ok(future) = catch_unwind(AssertUnwindSafe(|| permits.within(|| call(item)))) {
            self.rival.get_or_insert_with(|| Box::new(Attempt::new())).set(future, permits);
        }
    }
}

/// What needs no future to be polled.
impl<I, K, Fut> Slot<I, K, Fut> {
    /// An attempt runs, as opposed to a wait for the next one.
    pub(super) fn runs(&self) -> bool {
        self.job.as_ref().is_some_and(|job| job.phase == Phase::Running)
    }

    /// Drops what runs, so that its item can be finished.
    pub(super) fn drop_attempts(&mut self) -> Result<(), Panic> {
        self.clear(Load::Ignore)
    }

    /// Drops what runs and gives its permits back.
    fn clear(&mut self, load: Load) -> Result<(), Panic> {
        let first = self.first.clear(load);
        let rival = self.rival.as_mut().map_or(Ok(()), |rival| rival.clear(load));
        first.and(rival)
    }

    /// Drops what runs, if something does; its item ends as cancelled, unless dropping it panics.
    pub(super) fn abandon<T, E>(
        &mut self,
        reason: StopReason,
        now: u64,
    ) -> Option<Finished<K, T, E>> {
        self.job.as_ref()?;
        let dropped = self.clear(Load::Ignore);
        let error = dropped.map_or_else(ItemError::Panicked, |()| ItemError::Cancelled(reason));
        self.finish(Err(error), now)
    }

    /// Takes the item out with its result.
    #[inline]
    pub(super) fn finish<T, E>(
        &mut self,
        result: Result<T, ItemError<E>>,
        now: u64,
    ) -> Option<Finished<K, T, E>> {
        let Job { index, key, attempts, since, started, .. } = self.job.take()?;
        let timing = Timing {
            queued: Duration::from_nanos(started.saturating_sub(since)),
            running: Duration::from_nanos(now.saturating_sub(started)),
        };
        Some(Finished { index, key, result, timing, attempts })
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(NEVER)
}
