//! One limiter per key.

mod builder;
mod entries;

use std::{
    borrow::Borrow,
    fmt,
    hash::Hash,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use floodway_metrics::{Collector, Counter, Source, catalogue::limiter as catalogue};

pub use self::builder::LimiterMapBuilder;
use self::entries::{Entries, Found};
use super::{
    Limiter, LimiterBuilder,
    cells::{Cells, Levels},
    core::Core,
};
use crate::{Clock, Instrumentation};

/// A limiter for each key: a tenant, a route, a host.
///
/// One noisy key then fills its own limit and queue and nobody else's. Keys come into being when
/// they are first asked for and go when nobody has used them for a while, so the keys may come from
/// requests. Their number is bounded: beyond it, keys that are not in use make room, and if all
/// are, the newcomers share one limiter, the overflow. A key keeps its limiter for as long as
/// anybody holds a handle, a permit or a place in the queue of it, so there are never two.
///
/// The metrics of all keys are added up under the map's name: a key never becomes a label.
///
/// Cloning is cheap and gives the same map.
///
/// # Examples
///
/// ```
/// use floodway::LimiterMap;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let tenants = LimiterMap::<String>::builder("tenants", |tenant, limiter| match tenant {
///     Some(tenant) if tenant == "internal" => limiter.limit(64),
///     _ => limiter.limit(8),
/// })
/// .max_keys(10_000)
/// .build()?;
/// let _permit = tenants.limiter("acme").try_acquire()?;
/// assert_eq!(tenants.limiter("acme").in_flight(), 1);
/// assert_eq!(tenants.limiter("other").in_flight(), 0);
/// # Ok(())
/// # }
/// ```
pub struct LimiterMap<K> {
    inner: Arc<Inner<K>>,
}

type Describe<K> = dyn Fn(Option<&K>, LimiterBuilder) -> LimiterBuilder + Send + Sync;

struct Inner<K> {
    name: String,
    describe: Box<Describe<K>>,
    instrumentation: Instrumentation,
    clock: Clock,
    cells: Arc<Cells>,
    entries: Entries<K>,
    overflow: Arc<Core>,
    overflowed: Counter,
    /// Whether an invalid description was reported: once is enough to look for it.
    warned: AtomicBool,
}

impl<K: Hash + Eq + Clone + Send + Sync + 'static> LimiterMap<K> {
    /// Starts to describe a map called `name`, the label on its metrics. `describe` is given a key
    /// and a builder and says what the key's limiter is like; it is given no key for the overflow.
    ///
    /// It is called under a lock and must not use the map. A key whose description is not valid
    /// shares the overflow, and is described anew at every request.
    ///
    /// What the map decides for all keys (name, registry, clock, instrumentation) is not to be set
    /// there; it has no effect.
    pub fn builder(
        name: impl Into<String>,
        describe: impl Fn(Option<&K>, LimiterBuilder) -> LimiterBuilder + Send + Sync + 'static,
    ) -> LimiterMapBuilder<K> {
        LimiterMapBuilder::new(name.into(), Box::new(describe))
    }

    /// The limiter of `key`; that of the overflow if there are too many keys, or if the key's
    /// description is not valid, which is reported once, as a warning.
    ///
    /// Costs two hashes and a read lock for a key that is there.
    #[must_use]
    pub fn limiter<Q>(&self, key: &Q) -> Limiter
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let inner = &self.inner;
        let core = match inner.entries.find(key, inner.clock.now(), |key| inner.create(key)) {
            Found::Limiter(core) => core,
            Found::Full => {
                inner.overflowed.increment(0);
                Arc::clone(&inner.overflow)
            }
        };
        Limiter { core, partition: 0 }
    }

    /// The limiter that keys share for which there is no room.
    #[must_use]
    pub fn overflow(&self) -> Limiter {
        Limiter { core: Arc::clone(&self.inner.overflow), partition: 0 }
    }
}

impl<K> LimiterMap<K> {
    /// The name given at build time.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// How many keys have a limiter now.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner.entries.len()
    }

    /// Whether no key has a limiter.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<K> Inner<K> {
    /// `None` if the description of the key is not valid.
    fn create(&self, key: &K) -> Option<Arc<Core>> {
        let described = self.described(Some(key)).into_core(Arc::clone(&self.cells));
        if let Err(error) = &described
            && !self.warned.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(
                limiter = self.name,
                %error,
                "a key of a limiter map has no valid description and shares the overflow"
            );
        }
        described.ok()
    }

    fn described(&self, key: Option<&K>) -> LimiterBuilder {
        builder::described(&*self.describe, key, &self.name, self.instrumentation, &self.clock)
    }
}

impl<K: Send + Sync> Source for Inner<K> {
    fn collect(&self, out: &mut Collector) {
        self.entries.expire(self.clock.now());
        let levels = || {
            let mut sum = self.overflow.levels();
            self.entries.for_each(|core| add(&mut sum, &core.levels()));
            // Each key learns for itself; there is no common belief to show.
            Levels { adaptive: false, now: self.clock.now(), ..sum }
        };
        self.cells.collect(levels, out);
        out.number(&catalogue::KEYS, self.entries.len() as f64);
        out.number(&catalogue::OVERFLOWED, self.overflowed.total() as f64);
    }
}

fn add(sum: &mut Levels, one: &Levels) {
    sum.limit = sum.limit.saturating_add(one.limit);
    sum.limit_min = sum.limit_min.saturating_add(one.limit_min);
    sum.limit_max = sum.limit_max.saturating_add(one.limit_max);
    sum.in_flight = sum.in_flight.saturating_add(one.in_flight);
    sum.operations += one.operations;
    sum.queued += one.queued;
    sum.queue_capacity += one.queue_capacity;
}

/// Shares the limiters: `K` is not cloned.
impl<K> Clone for LimiterMap<K> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<K> fmt::Debug for LimiterMap<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LimiterMap")
            .field("name", &self.name())
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
