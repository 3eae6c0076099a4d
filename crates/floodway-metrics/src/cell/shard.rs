//! Per-thread shards on cache lines of their own.

use std::{
    cell::Cell,
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

/// More shards than this cost memory and scrape time and no longer reduce contention.
const MAX_SHARDS: usize = 16;

/// Two lines of 64 bytes, because adjacent lines are prefetched in pairs on x86-64, and one line
/// of 128 bytes elsewhere.
#[repr(align(128))]
#[derive(Debug, Default)]
struct Padded<T>(T);

/// One `T` per shard.
#[derive(Debug)]
pub(super) struct Sharded<T>(Box<[Padded<T>]>);

impl<T: Default> Sharded<T> {
    pub(super) fn new() -> Self {
        Self((0..shards()).map(|_| Padded::default()).collect())
    }
}

impl<T> Sharded<T> {
    /// The calling thread's shard.
    #[inline]
    pub(super) fn here(&self) -> &T {
        // The length is a power of two, so the mask keeps the index inside.
        &self.0[thread_index() & (self.0.len() - 1)].0
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|padded| &padded.0)
    }
}

/// A power of two, at least the number of cores as far as [`MAX_SHARDS`] allows.
fn shards() -> usize {
    static SHARDS: OnceLock<usize> = OnceLock::new();
    *SHARDS.get_or_init(|| {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        cores.next_power_of_two().min(MAX_SHARDS)
    })
}

/// A small number that differs between threads as far as possible.
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
            let fresh = NEXT.fetch_add(1, Ordering::Relaxed) % UNSET;
            index.set(fresh);
            fresh
        }
        known => known,
    })
}
