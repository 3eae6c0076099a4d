//! Exemplars: single observations of a histogram with the trace in which they were made.

use std::{
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::SystemTime,
};

use crate::wall_clock;

/// A trace and the span in it, as W3C Trace Context and OpenTelemetry number them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// Not 0.
    pub trace_id: u128,
    /// Not 0.
    pub span_id: u64,
}

/// One observation, for whoever wants to look at an example of what a bucket counts.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Exemplar {
    /// What was observed, in the exported unit.
    pub value: f64,
    /// Where it was observed.
    pub trace: TraceContext,
    /// When.
    pub time: SystemTime,
}

/// Says in which trace the calling thread is now; `None` outside of a trace, and in one that is
/// not recorded and so cannot be looked at. It is asked while permits and answers change hands: it must
/// not panic, wait or use the registry.
pub type TraceSource = fn() -> Option<TraceContext>;

static SOURCE: OnceLock<TraceSource> = OnceLock::new();

/// From now on, histograms of this process keep an exemplar for each bucket. Without this they ask
/// nobody, at the price of one load.
///
/// Returns whether this was the first call: its source stays, and others are not used.
pub fn set_trace_source(source: TraceSource) -> bool {
    SOURCE.set(source).is_ok()
}

#[inline]
pub(crate) fn trace_source() -> Option<TraceSource> {
    SOURCE.get().copied()
}

/// One exemplar per bucket. Whoever reads them, which a snapshot by itself does not, asks for new ones; the first observation in a recorded
/// trace after that replaces the old one. Until then every observation looks for its trace: one look
/// for each scrape where all traces are recorded, a hundred where one in a hundred is.
#[derive(Debug)]
pub(crate) struct Exemplars {
    /// A bit for each bucket that wants a new one.
    wanted: AtomicU32,
    slots: Box<[Mutex<Option<Exemplar>>]>,
}

impl Exemplars {
    pub(crate) fn new(buckets: usize) -> Self {
        Self {
            wanted: AtomicU32::new(u32::MAX),
            slots: (0..buckets).map(|_| Mutex::new(None)).collect(),
        }
    }

    /// `value` is asked for only if the bucket wants an exemplar and there is a trace.
    pub(crate) fn offer(&self, bucket: usize, source: TraceSource, value: impl FnOnce() -> f64) {
        let bit = 1u32 << bucket;
        if self.wanted.load(Ordering::Relaxed) & bit == 0 {
            return;
        }
        let Some(trace) = source() else {
            return;
        };
        // Whoever holds the slot reads it or fills it: either way this observation is not needed.
        let Ok(mut slot) = self.slots[bucket].try_lock() else {
            return;
        };
        self.wanted.fetch_and(!bit, Ordering::Relaxed);
        *slot = Some(Exemplar { value: value(), trace, time: wall_clock::now() });
    }

    /// The exemplars, by bucket; asks for new ones.
    pub(crate) fn read(&self) -> Vec<Option<Exemplar>> {
        let read = |slot: &Mutex<Option<Exemplar>>| {
            slot.lock().unwrap_or_else(PoisonError::into_inner).clone()
        };
        let exemplars = self.slots.iter().map(read).collect();
        self.wanted.store(u32::MAX, Ordering::Relaxed);
        exemplars
    }
}
