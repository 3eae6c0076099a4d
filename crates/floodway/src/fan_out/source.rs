//! Where items come from: an iterator or a stream.

use std::{
    iter::Fuse,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;

/// A source of items. [`FanOutExt`](super::FanOutExt) makes one of every iterator and stream.
pub trait Source {
    /// What it gives.
    type Item;

    /// Whether it can keep its caller waiting.
    #[doc(hidden)]
    const WAITS: bool;

    /// The next item; not called again after `None`.
    #[doc(hidden)]
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Self::Item>>;

    /// At least and at most so many items are left.
    #[doc(hidden)]
    fn size_hint(&self) -> (usize, Option<usize>);
}

/// A source that is an iterator.
#[derive(Clone, Debug)]
pub struct Iter<I>(Fuse<I>);

impl<I: Iterator> Iter<I> {
    pub(super) fn new(iterator: I) -> Self {
        Self(iterator.fuse())
    }
}

impl<I: Iterator> Source for Iter<I> {
    type Item = I::Item;

    const WAITS: bool = false;

    #[inline]
    fn poll_next(&mut self, _: &mut Context<'_>) -> Poll<Option<I::Item>> {
        Poll::Ready(self.0.next())
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

/// A source that is a stream. Boxed, because a stream must not move and a fan-out does.
#[derive(Debug)]
pub struct Streamed<S>(Pin<Box<S>>);

impl<S> Streamed<S> {
    pub(super) fn new(stream: S) -> Self {
        Self(Box::pin(stream))
    }
}

impl<S: Stream> Source for Streamed<S> {
    type Item = S::Item;

    const WAITS: bool = true;

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<S::Item>> {
        self.0.as_mut().poll_next(context)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}
