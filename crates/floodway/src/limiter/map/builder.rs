//! The description of a map of limiters, checked when it is built.

use std::{
    fmt,
    hash::Hash,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use floodway_metrics::{ComponentKind, Counter, Registry, Source};

use super::{
    super::{LimiterBuilder, MAX_PERMITS, cells::Cells},
    Describe, Entries, Inner, LimiterMap,
};
use crate::{BuildError, Clock, Instrumentation};

/// Describes a [`LimiterMap`]. Made by [`LimiterMap::builder`].
#[must_use]
pub struct LimiterMapBuilder<K> {
    name: String,
    describe: Box<Describe<K>>,
    max_keys: usize,
    idle_after: Duration,
    instrumentation: Instrumentation,
    clock: Clock,
    registry: Registry,
}

impl<K: Hash + Eq + Clone + Send + Sync + 'static> LimiterMapBuilder<K> {
    pub(super) fn new(name: String, describe: Box<Describe<K>>) -> Self {
        Self {
            name,
            describe,
            max_keys: 10_000,
            idle_after: Duration::from_secs(300),
            instrumentation: Instrumentation::default(),
            clock: Clock::default(),
            registry: Registry::global().clone(),
        }
    }

    /// How many keys may have a limiter at once, 1 to [`MAX_PERMITS`](crate::MAX_PERMITS); by
    /// default 10,000. Kept in sixteen parts by hash, so that with very few keys allowed, some may
    /// overflow before all are taken; rounded up to a multiple of sixteen.
    pub fn max_keys(mut self, keys: usize) -> Self {
        self.max_keys = keys;
        self
    }

    /// After how long without use a key's limiter goes, with what it has learnt; by default after
    /// five minutes. More than 0.
    pub fn idle_after(mut self, idle: Duration) -> Self {
        self.idle_after = idle;
        self
    }

    /// How much is measured; by default everything.
    pub fn instrumentation(mut self, instrumentation: Instrumentation) -> Self {
        self.instrumentation = instrumentation;
        self
    }

    /// What durations are measured with; by default the processor's time-stamp counter.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Where the metrics are registered; by default [`Registry::global`].
    pub fn registry(mut self, registry: &Registry) -> Self {
        self.registry = registry.clone();
        self
    }

    /// Builds the map and, to check the description, the overflow.
    ///
    /// # Errors
    ///
    /// [`BuildError`] names the field that cannot be used and its value.
    pub fn build(self) -> Result<LimiterMap<K>, BuildError> {
        if !(1..=MAX_PERMITS as usize).contains(&self.max_keys) {
            let (field, value) = ("max_keys", self.max_keys as f64);
            return Err(BuildError::OutOfRange { field, value, min: 1, max: MAX_PERMITS });
        }
        if self.idle_after.is_zero() {
            return Err(BuildError::IdleAfter);
        }
        let cells = Arc::new(Cells::new(self.instrumentation));
        let described =
            described(&*self.describe, None, &self.name, self.instrumentation, &self.clock);
        let overflow = described.into_core(Arc::clone(&cells))?;
        let inner = Arc::new(Inner {
            name: self.name,
            describe: self.describe,
            instrumentation: self.instrumentation,
            clock: self.clock,
            cells,
            entries: Entries::new(self.max_keys, self.idle_after),
            overflow,
            overflowed: Counter::new(),
            warned: AtomicBool::new(false),
        });
        let source: Arc<dyn Source> = Arc::clone(&inner) as _;
        self.registry.register(ComponentKind::Limiter, &inner.name, &source)?;
        Ok(LimiterMap { inner })
    }
}

/// What `describe` makes of a builder, with what is the map's to decide.
pub(super) fn described<K>(
    describe: &Describe<K>,
    key: Option<&K>,
    name: &str,
    instrumentation: Instrumentation,
    clock: &Clock,
) -> LimiterBuilder {
    describe(key, LimiterBuilder::new(name.to_owned()))
        // All keys count in the same cells, so they have to measure alike and by one clock.
        .instrumentation(instrumentation)
        .clock(clock.clone())
}

impl<K> fmt::Debug for LimiterMapBuilder<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LimiterMapBuilder")
            .field("name", &self.name)
            .field("max_keys", &self.max_keys)
            .field("idle_after", &self.idle_after)
            .finish_non_exhaustive()
    }
}
