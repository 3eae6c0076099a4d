//! A fan-out that runs, seen from outside.

use std::{
    fmt,
    num::NonZeroUsize,
    sync::{Arc, OnceLock},
    time::Duration,
};

use super::{
    Backlog, Counts, Report,
    classes::Classes,
    ends::Collect,
    ledger::Ledger,
    source::Source,
    spawned::{Control, Steer},
};

/// How far a fan-out is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Progress {
    /// Items that ended, and in which way.
    pub counts: Counts,
    /// Items, or chunks, that run.
    pub running: usize,
    /// Items that were taken from the source.
    pub pulled: usize,
    /// Items that are still to come, if that is known.
    pub remaining: Option<u64>,
    /// Since the start; zero with [`untimed`](super::FanOut::untimed).
    pub elapsed: Duration,
}

impl Progress {
    pub(super) fn new<S, C, T, E>(ledger: &Ledger<S, C, T, E>, now: u64) -> Self
    where
        S: Source,
        C: Classes<S::Item>,
    {
        Self {
            counts: *ledger.counts(),
            running: ledger.running(),
            pulled: ledger.pulled(),
            remaining: ledger.remaining(),
            elapsed: Duration::from_nanos(now.saturating_sub(ledger.meter.began())),
        }
    }

    /// Items that ran to their own end, well or badly.
    #[must_use]
    pub const fn done(&self) -> usize {
        self.counts.done()
    }

    /// How many there are in all, if that is known. It is not while somebody outside may push: before
    /// a fan-out that was [started](super::FanOut::start) is joined.
    #[must_use]
    pub fn total(&self) -> Option<u64> {
        let open = self.pulled.saturating_sub(self.counts.total()) as u64;
        let ended = self.counts.total() as u64;
        Some(self.remaining?.saturating_add(ended).saturating_add(open))
    }

    /// Items that were [done](Self::done) per second since the start; 0 while none was.
    #[must_use]
    pub fn rate(&self) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        if seconds > 0.0 { self.done() as f64 / seconds } else { 0.0 }
    }

    /// How long what is left takes at this rate; `None` while the rate or the length is unknown.
    #[must_use]
    pub fn eta(&self) -> Option<Duration> {
        let left = self.total()?.saturating_sub(self.counts.total() as u64) as f64;
        let rate = self.rate();
        if rate > 0.0 { Duration::try_from_secs_f64(left / rate).ok() } else { None }
    }
}

/// Watches and steers a fan-out that runs. Cloning is cheap; keeps nothing alive.
///
/// Not for the source or a key function of the same fan-out, which run while it is locked: there
/// nothing is known of its progress and its concurrency does not change.
#[derive(Clone)]
pub struct Handle {
    control: Arc<dyn Control>,
    last: Arc<OnceLock<Progress>>,
}

impl Handle {
    pub(super) fn new(control: Arc<dyn Control>, last: Arc<OnceLock<Progress>>) -> Self {
        Self { control, last }
    }

    /// How far it is; how far it came, once it is over.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let last = || self.last.get().copied();
        last().or_else(|| self.control.progress()).or_else(last).unwrap_or_default()
    }

    /// How many items may run at the same time from now on. What runs beyond that goes on to its
    /// end.
    pub fn set_concurrency(&self, concurrency: NonZeroUsize) {
        self.control.set_concurrency(concurrency);
    }

    /// Starts nothing new; what runs ends as [`OnStop`](super::OnStop) says. Returns at once: who
    /// waits for the fan-out hears when everything is gone.
    pub fn stop(&self) {
        self.control.stop();
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("progress", &self.progress()).finish_non_exhaustive()
    }
}

/// A fan-out that was started: runs whether or not somebody waits for it. Made by
/// [`FanOut::start`](super::FanOut::start).
///
/// Dropping it cancels the fan-out.
#[must_use = "a fan-out that is dropped is cancelled"]
pub struct Running<I, D> {
    drive: D,
    handle: Handle,
    backlog: Backlog<I>,
}

impl<I, D: Steer> Running<I, D> {
    pub(super) fn new(mut drive: D, backlog: Backlog<I>) -> Self {
        let (control, last) = drive.steer();
        Self { drive, handle: Handle::new(control, last), backlog }
    }

    /// Adds an item, to be run before those that the source still has.
    ///
    /// # Errors
    ///
    /// Gives the item back if the fan-out was stopped.
    pub fn push(&self, item: I) -> Result<(), I> {
        self.backlog.push(item)
    }

    /// What it pushes to, to be cloned into other tasks.
    #[must_use]
    pub const fn backlog(&self) -> &Backlog<I> {
        &self.backlog
    }

    /// What watches and steers it, to be cloned into other tasks.
    #[must_use]
    pub const fn handle(&self) -> &Handle {
        &self.handle
    }

    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.handle.progress()
    }

    /// How many items may run at the same time from now on.
    pub fn set_concurrency(&self, concurrency: NonZeroUsize) {
        self.handle.set_concurrency(concurrency);
    }

    /// Waits until source and backlog are empty and nothing runs. Items that run may still push.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cancels the fan-out.
    pub fn join(self) -> impl Future<Output = Report<D::Value, D::Error>> + use<I, D> {
        self.backlog.hold_open(false);
        self.handle.control.nudge();
        Collect(self.drive)
    }

    /// Starts nothing new and waits until what runs has ended as [`OnStop`](super::OnStop) says.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cancels what still runs.
    pub fn shutdown(self) -> impl Future<Output = Report<D::Value, D::Error>> + use<I, D> {
        self.handle.stop();
        self.join()
    }
}

impl<I, D> fmt::Debug for Running<I, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("handle", &self.handle).finish_non_exhaustive()
    }
}
