//! Per-thread shards on cache lines of their own.

use std::{
    cell::Cell,
    sync::{
        OnceLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

/// Threads that get a shard to themselves, per core: the workers of a runtime, and the main and
/// blocking threads beside them.
const OWNED_PER_CORE: usize = 2;

/// More shards than this cost memory and scrape time and no longer reduce contention.
const MAX_OWNED: usize = 32;
const MAX_SHARED: usize = 8;

/// Two lines of 64 bytes, because adjacent lines are prefetched in pairs on x86-64, and one line
/// of 128 bytes elsewhere.
#[repr(align(128))]
#[derive(Debug, Default)]
struct Padded<T>(T);

/// One `T` per shard: first those that belong to one thread each, then those that all other
/// threads share.
#[derive(Debug)]
pub(super) struct Sharded<T> {
    shards: Box<[Padded<T>]>,
    owned: usize,
}

impl<T: Default> Sharded<T> {
    pub(super) fn new() -> Self {
        let (owned, shared) = counts();
        Self { shards: (0..owned + shared).map(|_| Padded::default()).collect(), owned }
    }
}

impl<T> Sharded<T> {
    /// The calling thread's shard.
    #[inline]
    pub(super) fn here(&self) -> Shard<'_, T> {
        let index = thread_index();
        let owned = index < self.owned;
        let shared = self.shards.len() - self.owned;
        let position = if owned { index } else { self.owned + index % shared };
        Shard { cells: &self.shards[position].0, owned }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.shards.iter().map(|padded| &padded.0)
    }
}

/// A shard, as the calling thread may use it.
#[derive(Debug)]
pub(super) struct Shard<'a, T> {
    pub(super) cells: &'a T,
    /// Whether no other thread ever writes to it.
    owned: bool,
}

impl<T> Shard<'_, T> {
    /// Adds to a cell of this shard and returns what it held.
    ///
    /// With a single writer a load and a store do, which cost a fifth of an atomic addition.
    #[inline]
    pub(super) fn add(&self, cell: &AtomicU64, value: u64) -> u64 {
        if self.owned {
            let before = cell.load(Ordering::Relaxed);
            cell.store(before.wrapping_add(value), Ordering::Relaxed);
            before
        } else {
            cell.fetch_add(value, Ordering::Relaxed)
        }
    }
}

/// How many shards are owned and how many are shared.
fn counts() -> (usize, usize) {
    static COUNTS: OnceLock<(usize, usize)> = OnceLock::new();
    *COUNTS.get_or_init(|| {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        ((cores * OWNED_PER_CORE).min(MAX_OWNED), cores.min(MAX_SHARED))
    })
}

/// A number that no other thread has or had.
#[inline]
fn thread_index() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    const UNSET: usize = usize::MAX;
    thread_local! {
        // Without a destructor, so it can be read while its thread ends.
        static INDEX: Cell<usize> = const { Cell::new(UNSET) };
    }
    INDEX.with(|index| match index.get() {
        UNSET => {
            let fresh = NEXT.fetch_add(1, Ordering::Relaxed);
            index.set(fresh);
            fresh
        }
        known => known,
    })
}
