//! A value that is set as a whole.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that is set as a whole, at moments that are rare beside operations.
///
/// Not for counts of things in flight: those live in guards, which cannot be forgotten.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// Starts at `value`.
    #[must_use]
    pub fn new(value: f64) -> Self {
        Self(AtomicU64::new(value.to_bits()))
    }

    /// Replaces the value.
    pub fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Ordering::Relaxed);
    }

    /// The value now.
    #[must_use]
    pub fn value(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }
}
