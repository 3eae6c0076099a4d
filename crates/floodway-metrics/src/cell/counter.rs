//! A sharded counter with one cell per label value.

use std::sync::atomic::{AtomicU64, Ordering};

use super::shard::Sharded;

/// `N` counts that only grow, one per value of a closed label (1 for a metric without labels).
#[derive(Debug)]
pub struct Counter<const N: usize = 1>(Sharded<Cells<N>>);

#[derive(Debug)]
struct Cells<const N: usize>([AtomicU64; N]);

impl<const N: usize> Default for Cells<N> {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; N])
    }
}

impl<const N: usize> Counter<N> {
    /// All at zero.
    #[must_use]
    pub fn new() -> Self {
        Self(Sharded::new())
    }

    /// Adds one to the cell of label value `index`.
    ///
    /// # Panics
    ///
    /// If `index` is not below `N`.
    #[inline]
    pub fn increment(&self, index: usize) {
        let _ = self.fetch_increment(index);
    }

    /// Adds `count` to the cell of label value `index`.
    ///
    /// # Panics
    ///
    /// If `index` is not below `N`.
    #[inline]
    pub fn add(&self, index: usize, count: u64) {
        let shard = self.0.here();
        let _ = shard.add(&shard.cells.0[index], count);
    }

    /// As [`increment`](Self::increment); returns what the calling thread's shard had before.
    #[inline]
    #[must_use]
    pub fn fetch_increment(&self, index: usize) -> u64 {
        let shard = self.0.here();
        shard.add(&shard.cells.0[index], 1)
    }

    /// The counts now.
    #[must_use]
    pub fn values(&self) -> [u64; N] {
        let mut sums = [0u64; N];
        for shard in self.0.iter() {
            for (sum, cell) in sums.iter_mut().zip(&shard.0) {
                *sum = sum.wrapping_add(cell.load(Ordering::Relaxed));
            }
        }
        sums
    }

    /// The sum of all counts now.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.values().iter().sum()
    }
}

impl<const N: usize> Default for Counter<N> {
    fn default() -> Self {
        Self::new()
    }
}
