//! Work that is discovered while a fan-out runs.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
};

/// Items that are pushed while a fan-out runs, by the operations themselves or by somebody else.
///
/// A fan-out with a [`backlog`](super::FanOut::backlog) ends when its source and its backlog are
/// empty and nothing runs that could push more. Cloning is cheap and gives the same backlog.
///
/// ```
/// use std::convert::Infallible;
///
/// use floodway::fan_out::{Backlog, FanOutExt};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// // Every number pushes its two halves.
/// let discovered = Backlog::new();
/// let push = discovered.clone();
/// let report = [8_u32]
///     .fan_out(move |number| {
///         let push = push.clone();
///         async move {
///             if number > 1 {
///                 push.push(number / 2).ok();
///                 push.push(number / 2).ok();
///             }
///             Ok::<_, Infallible>(number)
///         }
///     })
///     .backlog(&discovered)
///     .collect()
///     .await;
/// assert_eq!(report.values().count(), 1 + 2 + 4 + 8);
/// # }
/// ```
pub struct Backlog<I>(Arc<Mutex<Inner<I>>>);

struct Inner<I> {
    items: VecDeque<I>,
    /// The fan-out ended: nobody would run what is pushed.
    closed: bool,
    /// Somebody outside may push: the fan-out does not end before they say so.
    held_open: bool,
    /// Who runs the items.
    waker: Option<Waker>,
}

impl<I> Backlog<I> {
    /// An empty one, for one fan-out.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Inner {
            items: VecDeque::new(),
            closed: false,
            held_open: false,
            waker: None,
        })))
    }

    /// Adds an item, to be run before those that the source still has.
    ///
    /// # Errors
    ///
    /// Gives the item back if the fan-out has ended, or was stopped.
    pub fn push(&self, item: I) -> Result<(), I> {
        let mut inner = self.inner();
        if inner.closed {
            return Err(item);
        }
        inner.items.push_back(item);
        let waker = inner.waker.clone();
        drop(inner);
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(())
    }

    /// Items that wait to be pulled.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner().items.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inner().items.is_empty()
    }

    pub(super) fn pop(&self) -> Option<I> {
        self.inner().items.pop_front()
    }

    /// Who is woken by every push.
    pub(super) fn set_waker(&self, waker: &Waker) {
        let mut inner = self.inner();
        match &mut inner.waker {
            Some(known) => known.clone_from(waker),
            None => inner.waker = Some(waker.clone()),
        }
    }

    pub(super) fn is_held_open(&self) -> bool {
        self.inner().held_open
    }

    pub(super) fn hold_open(&self, held: bool) {
        self.inner().held_open = held;
    }

    /// Takes nothing from now on.
    pub(super) fn refuse(&self) {
        self.inner().closed = true;
    }

    /// Takes nothing from now on, if there is nothing left to run; says whether that is so.
    pub(super) fn close_if_empty(&self) -> bool {
        let mut inner = self.inner();
        inner.closed |= inner.items.is_empty() && !inner.held_open;
        inner.closed
    }

    /// Takes nothing from now on, and gives what nobody will run.
    pub(super) fn close(&self) -> VecDeque<I> {
        let mut inner = self.inner();
        inner.closed = true;
        inner.held_open = false;
        inner.waker = None;
        std::mem::take(&mut inner.items)
    }

    fn inner(&self) -> MutexGuard<'_, Inner<I>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<I> Default for Backlog<I> {
    fn default() -> Self {
        Self::new()
    }
}

/// The same backlog; an item need not be `Clone`.
impl<I> Clone for Backlog<I> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<I> fmt::Debug for Backlog<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backlog").field("len", &self.len()).finish_non_exhaustive()
    }
}
