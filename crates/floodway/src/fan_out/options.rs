//! What can be said about a fan-out apart from its items and its operation.

use std::{num::NonZeroUsize, pin::Pin, sync::Arc, time::Duration};

use floodway_control::Chunking;
use tokio::time::Instant;

use super::{ErrorPolicy, OnStop, cells::Cells};
use crate::{Clock, Limiter, Outcome as Load, Priority};

/// How many items run at the same time unless told otherwise.
pub(super) const DEFAULT_CONCURRENCY: NonZeroUsize = NonZeroUsize::new(16).expect("not zero");

pub(super) struct Options {
    pub(super) name: Option<(Arc<str>, Arc<Cells>)>,
    /// `None` is the default of the engine.
    pub(super) concurrency: Option<NonZeroUsize>,
    pub(super) buffer: Option<usize>,
    pub(super) lookahead: Option<usize>,
    pub(super) limiters: Vec<Limiter>,
    pub(super) priority: Priority,
    pub(super) item_timeout: Option<Duration>,
    pub(super) deadline: Option<Instant>,
    pub(super) timeout: Option<Duration>,
    pub(super) policy: Option<ErrorPolicy>,
    pub(super) on_stop: OnStop,
    pub(super) load_of_failures: Load,
    pub(super) slow_after: Option<Duration>,
    pub(super) cancelled: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    pub(super) chunking: Chunking,
    pub(super) timed: bool,
    pub(super) ordered: bool,
    pub(super) clock: Option<Clock>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            name: None,
            concurrency: None,
            buffer: None,
            lookahead: None,
            limiters: Vec::new(),
            priority: Priority::Normal,
            item_timeout: None,
            deadline: None,
            timeout: None,
            policy: None,
            on_stop: OnStop::Abort,
            load_of_failures: Load::Ignore,
            slow_after: None,
            cancelled: None,
            chunking: Chunking::Off,
            timed: true,
            ordered: false,
            clock: None,
        }
    }
}

impl Options {
    /// When the whole has to be over, from now.
    pub(super) fn latest(&self) -> Option<Instant> {
        let timeout = self.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        match (self.deadline, timeout) {
            (Some(deadline), Some(timeout)) => Some(deadline.min(timeout)),
            (one, other) => one.or(other),
        }
    }
}
