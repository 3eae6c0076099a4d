//! What one item weighs, and which items it shares a limit with.

use std::{fmt, hash::Hash, num::NonZeroUsize};

/// Sorts items into classes: [`FanOut::weight`](super::FanOut::weight),
/// [`FanOut::limit_per_key`](super::FanOut::limit_per_key).
pub trait Classes<I> {
    /// What items of one limit have in common.
    #[doc(hidden)]
    type Key: Hash + Eq + Clone;

    /// Whether items have to be looked at before they can be admitted.
    #[doc(hidden)]
    const WEIGHED: bool;

    /// Whether there are keys.
    #[doc(hidden)]
    const KEYED: bool;

    #[doc(hidden)]
    fn weight(&mut self, item: &I) -> u32;

    #[doc(hidden)]
    fn key(&mut self, item: &I) -> Option<Self::Key>;

    /// Items of one key that may run at the same time.
    #[doc(hidden)]
    fn per_key(&self) -> NonZeroUsize;
}

/// All items are alike.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alike;

impl<I> Classes<I> for Alike {
    type Key = ();

    const WEIGHED: bool = false;
    const KEYED: bool = false;

    #[inline]
    fn weight(&mut self, _: &I) -> u32 {
        1
    }

    #[inline]
    fn key(&mut self, _: &I) -> Option<()> {
        None
    }

    fn per_key(&self) -> NonZeroUsize {
        NonZeroUsize::MAX
    }
}

/// Items weigh what a function says.
#[derive(Clone)]
pub struct Weighed<W, C> {
    pub(super) weight: W,
    pub(super) inner: C,
}

impl<I, W: FnMut(&I) -> u32, C: Classes<I>> Classes<I> for Weighed<W, C> {
    type Key = C::Key;

    const WEIGHED: bool = true;
    const KEYED: bool = C::KEYED;

    fn weight(&mut self, item: &I) -> u32 {
        (self.weight)(item)
    }

    fn key(&mut self, item: &I) -> Option<C::Key> {
        self.inner.key(item)
    }

    fn per_key(&self) -> NonZeroUsize {
        self.inner.per_key()
    }
}

impl<W, C: fmt::Debug> fmt::Debug for Weighed<W, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Weighed").field("inner", &self.inner).finish_non_exhaustive()
    }
}

/// Items of one key share a limit.
#[derive(Clone)]
pub struct Keyed<G, C> {
    pub(super) key: G,
    pub(super) per_key: NonZeroUsize,
    pub(super) inner: C,
}

impl<I, K, G, C> Classes<I> for Keyed<G, C>
where
    K: Hash + Eq + Clone,
    G: FnMut(&I) -> K,
    C: Classes<I>,
{
    type Key = K;

    const WEIGHED: bool = C::WEIGHED;
    const KEYED: bool = true;

    fn weight(&mut self, item: &I) -> u32 {
        self.inner.weight(item)
    }

    fn key(&mut self, item: &I) -> Option<K> {
        Some((self.key)(item))
    }

    fn per_key(&self) -> NonZeroUsize {
        self.per_key
    }
}

impl<G, C: fmt::Debug> fmt::Debug for Keyed<G, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyed")
            .field("per_key", &self.per_key)
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
