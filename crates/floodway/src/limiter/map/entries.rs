//! The limiters by key, bounded in number.

use std::{
    borrow::Borrow,
    collections::HashMap,
    hash::{BuildHasher, Hash, RandomState},
    sync::{
        Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::super::core::Core;

/// Parts with a lock each, so that keys which come and go do not stop all others.
const SHARDS: usize = 16;

/// After a full part had nobody who could make room, how long it is before it is searched again:
/// a flood of keys must not search it for each of them.
const SEARCH_AGAIN_AFTER: u64 = 100_000_000;

pub(super) struct Entries<K> {
    shards: [RwLock<Shard<K>>; SHARDS],
    hasher: RandomState,
    max_keys_per_shard: usize,
    /// In nanoseconds.
    idle_after: u64,
}

struct Shard<K> {
    limiters: HashMap<K, Entry>,
    /// When it was last searched for idle keys.
    expired_at: u64,
    /// Until when it is known to be full of keys in use.
    full_until: u64,
}

struct Entry {
    core: Arc<Core>,
    used_at: AtomicU64,
}

pub(super) enum Found {
    Limiter(Arc<Core>),
    Full,
}

impl Entry {
    /// Whether nobody has a handle, a permit or a place in the queue. Exact under the write lock:
    /// whoever wants one has to ask the map.
    fn is_unused(&self) -> bool {
        Arc::strong_count(&self.core) == 1
    }
}

impl<K> Entries<K> {
    pub(super) fn new(max_keys: usize, idle_after: Duration) -> Self {
        Self {
            shards: std::array::from_fn(|_| {
                RwLock::new(Shard { limiters: HashMap::new(), expired_at: 0, full_until: 0 })
            }),
            hasher: RandomState::new(),
            max_keys_per_shard: max_keys.div_ceil(SHARDS),
            idle_after: u64::try_from(idle_after.as_nanos()).unwrap_or(u64::MAX),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| read(shard).limiters.len()).sum()
    }

    pub(super) fn for_each(&self, mut visit: impl FnMut(&Core)) {
        for shard in &self.shards {
            read(shard).limiters.values().for_each(|entry| visit(&entry.core));
        }
    }

    /// Removes the keys that nobody has used for long.
    pub(super) fn expire(&self, now: u64) {
        for shard in &self.shards {
            write(shard).expire(now, self.idle_after);
        }
    }

    pub(super) fn find<Q>(
        &self,
        key: &Q,
        now: u64,
        create: impl FnOnce(&K) -> Option<Arc<Core>>,
    ) -> Found
    where
        K: Borrow<Q> + Hash + Eq,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        // The high bits: the map inside uses the low ones of a hash of its own.
        let shard = &self.shards[(self.hasher.hash_one(key) >> 32) as usize % SHARDS];
        if let Some(entry) = read(shard).limiters.get(key) {
            entry.used_at.store(now, Ordering::Relaxed);
            return Found::Limiter(Arc::clone(&entry.core));
        }
        let mut shard = write(shard);
        // Somebody may have been faster.
        if let Some(entry) = shard.limiters.get(key) {
            entry.used_at.store(now, Ordering::Relaxed);
            return Found::Limiter(Arc::clone(&entry.core));
        }
        if now.saturating_sub(shard.expired_at) > self.idle_after {
            shard.expire(now, self.idle_after);
        }
        if shard.limiters.len() >= self.max_keys_per_shard && !shard.make_room(now) {
            return Found::Full;
        }
        let key = key.to_owned();
        let Some(core) = create(&key) else {
            return Found::Full;
        };
        let entry = Entry { core: Arc::clone(&core), used_at: AtomicU64::new(now) };
        shard.limiters.insert(key, entry);
        Found::Limiter(core)
    }
}

impl<K> Shard<K> {
    fn expire(&mut self, now: u64, idle_after: u64) {
        self.expired_at = now;
        self.limiters.retain(|_, entry| {
            if !entry.is_unused() {
                // Idle from when it was last seen in use.
                entry.used_at.store(now, Ordering::Relaxed);
                return true;
            }
            now.saturating_sub(entry.used_at.load(Ordering::Relaxed)) < idle_after
        });
    }

    /// Removes the half of the unused keys that was used the longest ago, so that the search pays
    /// for as many newcomers; whether there was any.
    fn make_room(&mut self, now: u64) -> bool {
        if now < self.full_until {
            return false;
        }
        let unused = self.limiters.values().filter(|entry| entry.is_unused());
        let mut times: Vec<_> = unused.map(|entry| entry.used_at.load(Ordering::Relaxed)).collect();
        if times.is_empty() {
            self.full_until = now + SEARCH_AGAIN_AFTER;
            return false;
        }
        let middle = times.len() / 2;
        let median = *times.select_nth_unstable(middle).1;
        self.limiters.retain(|_, entry| {
            entry.used_at.load(Ordering::Relaxed) > median || !entry.is_unused()
        });
        true
    }
}

fn read<K>(shard: &RwLock<Shard<K>>) -> RwLockReadGuard<'_, Shard<K>> {
    shard.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<K>(shard: &RwLock<Shard<K>>) -> RwLockWriteGuard<'_, Shard<K>> {
    // The user's description may panic while a key is created, which leaves the part as it was
    // but for idle keys.
    shard.write().unwrap_or_else(PoisonError::into_inner)
}
