//! The permits that the code which runs on a thread is inside of.

use std::cell::{Cell, RefCell};

use super::{
    super::{misuse::Site, permit::Granted},
    Nesting,
};

/// An operation that is being polled on this thread.
#[derive(Clone, Copy)]
pub(super) struct Frame {
    /// Which permit, by address: it stays where it is meanwhile.
    pub(super) permit: usize,
    /// Which limiter, by address: the permit keeps it alive.
    pub(super) core: usize,
    pub(super) granted: Granted,
    pub(super) site: Site,
}

/// The permits that the code which runs on this thread is inside of, the innermost last.
///
/// A layer enters its permit at every poll, so this is an array that needs no destructor and no
/// bookkeeping; who is deeper than it has room goes to `DEEPER`.
pub(super) struct Frames {
    pub(super) len: Cell<usize>,
    frames: [Cell<Option<Frame>>; Self::ROOM],
}

thread_local! {
    pub(super) static FRAMES: Frames = const {
        Frames { len: Cell::new(0), frames: [const { Cell::new(None) }; Frames::ROOM] }
    };
    static DEEPER: RefCell<Vec<Frame>> = const { RefCell::new(Vec::new()) };
    /// How many of the permits have lent or borrowed.
    pub(super) static NESTINGS: Cell<usize> = const { Cell::new(0) };
    /// What they did, by the address of the permit.
    static NESTED: RefCell<Vec<(usize, Nesting)>> = const { RefCell::new(Vec::new()) };
}

impl Frames {
    const ROOM: usize = 8;

    #[inline]
    pub(super) fn push(&self, frame: Frame) {
        let len = self.len.get();
        match self.frames.get(len) {
            Some(place) => place.set(Some(frame)),
            None => DEEPER.with_borrow_mut(|deeper| deeper.push(frame)),
        }
        self.len.set(len + 1);
    }

    pub(super) fn at(&self, index: usize) -> Option<Frame> {
        match self.frames.get(index) {
            Some(place) => place.get(),
            None => DEEPER.with_borrow(|deeper| deeper.get(index - Self::ROOM).copied()),
        }
    }

    /// Nearly always the last; but nobody has to drop guards in the order of a stack.
    #[inline]
    pub(super) fn remove(&self, permit: usize) {
        let last = self.len.get() - 1;
        match self.frames.get(last) {
            Some(place) if place.get().is_some_and(|frame| frame.permit == permit) => {
                self.len.set(last);
            }
            _ => self.remove_below(permit),
        }
    }

    #[cold]
    fn remove_below(&self, permit: usize) {
        let all: Vec<_> = (0..self.len.get()).filter_map(|index| self.at(index)).collect();
        self.len.set(0);
        DEEPER.with_borrow_mut(Vec::clear);
        all.into_iter().filter(|frame| frame.permit != permit).for_each(|frame| self.push(frame));
    }
}

/// Keeps what a permit lends and borrows while the code inside it runs.
#[cold]
pub(super) fn keep(permit: usize, nesting: Nesting) {
    NESTED.with_borrow_mut(|nested| nested.push((permit, nesting)));
    NESTINGS.set(NESTINGS.get() + 1);
}

#[cold]
pub(super) fn take(permit: usize) -> Option<Nesting> {
    let nesting = NESTED.with_borrow_mut(|nested| {
        let position = nested.iter().position(|(address, _)| *address == permit)?;
        Some(nested.swap_remove(position).1)
    })?;
    NESTINGS.set(NESTINGS.get() - 1);
    Some(nesting)
}
