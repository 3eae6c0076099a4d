//! Who polls the items: the faces that engines and ends show each other.

use std::{
    num::NonZeroUsize,
    sync::Arc,
    task::{Context, Poll},
};

use floodway_control::Chunking;
use tracing::Span;

use super::{
    ErrorPolicy, FanOut, ItemError, OnStop, Outcome, Report, Stats, StopReason,
    attempts::Attempts,
    cells::{CallEnd, CallOutcome, Cells},
    classes::Classes,
    ledger::{Bounds, Finished, Ledger},
    slot::Setting,
    source::Source,
    time::Stopper,
};
use crate::{Clock, admission::Admission};

/// Runs the items of a fan-out: [`Spawned`](super::Spawned), [`SpawnEach`](super::SpawnEach),
/// [`Blocking`](super::Blocking) or [`InTask`](super::InTask).
#[diagnostic::on_unimplemented(
    message = "this engine cannot run this fan-out",
    label = "the operation does not fit the engine",
    note = "spawned engines need everything to be `Send + 'static`, a function that is `Fn`, and \
            an operation that gives a `Result`; `.in_task()` runs what borrows or is not `Send` in \
            the calling task"
)]
pub trait Engine<S: Source, F, C, A>: Sized {
    /// What an item results in.
    type Value;
    /// What an item fails with.
    type Error;
    /// A fan-out that runs.
    #[doc(hidden)]
    type Drive: Drive<Value = Self::Value, Error = Self::Error>;

    #[doc(hidden)]
    fn drive(fan_out: FanOut<S, F, C, A, Self>, ends: Ends) -> Self::Drive;
}

/// What an end asks of the engine.
#[derive(Clone, Copy, Debug)]
#[doc(hidden)]
pub struct Ends {
    pub(super) policy: ErrorPolicy,
    /// The consumer takes outcomes one by one.
    pub(super) streaming: bool,
    pub(super) ordered: bool,
}

impl Ends {
    pub(super) const fn all(policy: ErrorPolicy) -> Self {
        Self { policy, streaming: false, ordered: false }
    }
}

/// A fan-out that runs, as its end sees it.
#[doc(hidden)]
pub trait Drive: Unpin {
    type Value;
    type Error;

    /// Lets items make progress that depend on this task.
    fn poll_progress(&mut self, context: &mut Context<'_>);

    /// The next outcome; `None` once there are no more and every future has been dropped.
    fn poll_next(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Outcome<Self::Value, Self::Error>>>;

    /// All that have not been taken, once there will be no more and every future has been dropped.
    fn poll_report(&mut self, context: &mut Context<'_>) -> Poll<Report<Self::Value, Self::Error>>;

    /// The values by index, or everything if it did not come to the end that was asked for.
    #[expect(clippy::type_complexity, reason = "spells out what the ends make of it")]
    fn poll_values(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Vec<Self::Value>, Report<Self::Value, Self::Error>>>;

    /// Why it ended and how it went, once it has.
    fn ending(&self) -> Option<(StopReason, Stats)>;
}

/// Outcomes that may lie ready, at least: a worker runs up to 128 items before tokio has it yield, and
/// a consumer that waits for its thread has to leave room for the other workers meanwhile. With half
/// of this, two threads take as long as one for items of 1 µs.
const BUFFER: usize = 256;

/// Outcomes that may lie ready where items come in chunks: room for a few chunks of short items.
const CHUNKED_BUFFER: usize = 4096;

/// Everything an engine needs, from a description.
pub(super) struct Parts<S: Source, F, C: Classes<S::Item>, A, T, E> {
    pub(super) ledger: Ledger<S, C, T, E>,
    pub(super) call: F,
    pub(super) setting: Setting<A>,
    pub(super) stopper: Stopper,
    pub(super) span: Span,
    pub(super) chunking: Chunking,
    pub(super) on_stop: OnStop,
}

impl<S: Source, F, C: Classes<S::Item>, A, T, E> Parts<S, F, C, A, T, E> {
    /// Begins: from here on time counts.
    pub(super) fn new<M>(
        fan_out: FanOut<S, F, C, A, M>,
        ends: Ends,
        default_concurrency: NonZeroUsize,
    ) -> Self
    where
        A: Attempts<S::Item, E>,
    {
        let FanOut { source, call, classes, attempts, backlog, options, .. } = fan_out;
        let cells = options.name.as_ref().map(|(_, cells)| Arc::clone(cells));
        let timed = options.timed
            || cells.is_some()
            || options.slow_after.is_some()
            || options.chunking != Chunking::Off;
        let latest = options.latest();
        let clock = options.clock.unwrap_or_else(Clock::shared);
        let concurrency = options.concurrency.unwrap_or(default_concurrency).get();
        let room = if ends.streaming {
            let chunked = options.chunking != Chunking::Off;
            let buffer = concurrency.max(if chunked { CHUNKED_BUFFER } else { BUFFER });
            concurrency.saturating_add(options.buffer.unwrap_or(buffer))
        } else {
            usize::MAX
        };
        let lookahead = options.lookahead.unwrap_or(concurrency);
        let ready =
            if ends.streaming { options.buffer.unwrap_or(BUFFER).max(1) } else { usize::MAX };
        let bounds = Bounds { concurrency, room, ready, lookahead };
        let policy = options.policy.unwrap_or(ends.policy);
        let now = if timed { clock.now() } else { 0 };
        let name = options.name.as_ref().map(|(name, _)| &**name);
        let span = tracing::info_span!("fan_out", name, concurrency);
        let mut ledger = Ledger::new(
            source,
            backlog,
            classes,
            bounds,
            policy,
            ends.ordered,
            ends.streaming,
            cells.clone(),
            now,
        );
        if latest.is_some_and(|latest| latest <= tokio::time::Instant::now()) {
            ledger.stop(StopReason::Deadline);
        }
        let grace = match options.on_stop {
            OnStop::Abort => None,
            OnStop::Drain(grace) => Some(grace),
        };
        let stopper = Stopper::new(latest, options.cancelled, grace);
        // Last: what panicked before has not begun.
        if let Some(cells) = &cells {
            cells.call_started();
        }
        Self {
            ledger,
            call,
            setting: Setting {
                clock,
                attempts,
                admission: Arc::new(Admission::new(options.limiters, options.priority)),
                item_timeout: options.item_timeout,
                origin: tokio::time::Instant::now(),
                timed,
                load_of_failures: options.load_of_failures,
                slow_after: options.slow_after,
                cells,
            },
            stopper,
            span,
            chunking: options.chunking,
            on_stop: options.on_stop,
        }
    }
}

impl<S: Source, F, C: Classes<S::Item>, A, T, E> Parts<S, F, C, A, T, E> {
    /// The same with another operation.
    pub(super) fn map_call<G>(self, map: impl FnOnce(F) -> G) -> Parts<S, G, C, A, T, E> {
        let Self { ledger, call, setting, stopper, span, chunking, on_stop } = self;
        Parts { ledger, call: map(call), setting, stopper, span, chunking, on_stop }
    }
}

/// The end of the books: what never ran gets its outcome, the numbers are added to the metrics.
///
/// Gives what has to be dropped outside a lock.
pub(super) fn settle<S: Source, C: Classes<S::Item>, T, E>(
    ledger: &mut Ledger<S, C, T, E>,
    cells: Option<&Cells>,
    now: u64,
) -> ((StopReason, Stats), impl Sized + use<S, C, T, E>) {
    let (stop, garbage) = ledger.settle();
    let mut stats = ledger.meter.finish(*ledger.counts(), ledger.bounds.concurrency, now);
    stats.first_failure = ledger.first_failure();
    if let Some(cells) = cells {
        cells.call_ended(CallEnd {
            outcome: outcome_of_call(&stop, &stats),
            duration: stats.duration,
            width: stats.width,
            straggler: stats.straggling,
        });
    }
    ((stop, stats), garbage)
}

fn outcome_of_call(stop: &StopReason, stats: &Stats) -> CallOutcome {
    match stop {
        StopReason::Cancelled | StopReason::RuntimeGone => CallOutcome::Cancelled,
        StopReason::Completed if stats.counts.succeeded == stats.counts.total() => CallOutcome::Ok,
        StopReason::Enough => CallOutcome::Ok,
        StopReason::Completed => CallOutcome::Partial,
        _ => CallOutcome::Error,
    }
}

/// Says what is worth a line: failures and slow items.
#[inline]
pub(super) fn observe<K, T, E, A>(finished: &Finished<K, T, E>, setting: &Setting<A>) {
    let Outcome { index, result, timing, attempts } = &finished.outcome;
    if let Err(error) = result {
        report_failure(*index, *attempts, timing.running(), error);
    }
    if let Some(slow) = setting.slow_after
        && timing.running() >= slow
    {
        tracing::warn!(index, attempts, running = ?timing.running(), "slow item of a fan-out");
    }
}

/// The same for an item that was not measured.
#[cold]
pub(super) fn observe_failure<E>(index: usize, error: &ItemError<E>) {
    report_failure(index, 1, std::time::Duration::ZERO, error);
}

#[cold]
fn report_failure<E>(
    index: usize,
    attempts: u32,
    running: std::time::Duration,
    error: &ItemError<E>,
) {
    let kind = match error {
        ItemError::Failed(_) => "failed",
        ItemError::TimedOut => "timed_out",
        ItemError::Cancelled(_) => "cancelled",
        ItemError::NotStarted(_) => "not_started",
        ItemError::Rejected(_) => "rejected",
        ItemError::Panicked(panic) => {
            let message = panic.message();
            tracing::error!(index, attempts, ?running, message, "item of a fan-out panicked");
            return;
        }
    };
    tracing::debug!(index, attempts, ?running, kind, "item of a fan-out failed");
}
