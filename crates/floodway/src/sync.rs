//! The atomics and locks of limiters and fan-outs: the standard library's, or loom's while it explores every
//! interleaving.

#[cfg(not(all(test, floodway_loom)))]
pub(crate) use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

#[cfg(all(test, floodway_loom))]
pub(crate) use loom::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};
#[cfg(all(test, floodway_loom))]
pub(crate) use std::sync::PoisonError;
