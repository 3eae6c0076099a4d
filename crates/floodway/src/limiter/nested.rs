//! Operations inside operations: the outer one lends its permits.
//!
//! While a future is polled inside a permit, the permit stands in a list that belongs to the
//! thread. Whoever asks the same limiter finds it there and borrows from it. A loan that outlives
//! the permit it came from takes the permits along and gives them to the limiter itself.

use std::{
    cell::{Cell, RefCell},
    fmt,
    marker::PhantomData,
    sync::Arc,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    Permit,
    cells::{LENT, NOT_LENT},
    core::{Core, Want},
    misuse::{self, Site},
    mode::Mode,
    permit::Granted,
    rejected::RejectReason,
};
use crate::{
    Outcome,
    sync::{Mutex, PoisonError},
};

/// What a permit has to do with others of the same limiter.
#[derive(Debug, Default)]
pub(super) struct Nesting {
    /// What it lends.
    lends: Option<Arc<Loans>>,
    /// What it was lent.
    loan: Option<Loan>,
}

/// What one permit lends.
#[derive(Debug)]
pub(super) struct Loans {
    /// Its permits that are not lent, and who waits for them.
    free: Arc<Semaphore>,
    book: Mutex<Book>,
    /// Whom it borrowed from itself.
    lender: Option<Arc<Self>>,
    core: Arc<Core>,
    granted: Granted,
}

#[derive(Debug, Default)]
struct Book {
    lent: u32,
    /// The permit is gone: what comes back goes to the limiter.
    ended: bool,
}

/// Permits that were lent.
#[derive(Debug)]
pub(super) struct Loan {
    lender: Arc<Loans>,
    weight: u32,
    permit: OwnedSemaphorePermit,
}

/// An operation that is being polled on this thread.
#[derive(Clone, Copy)]
struct Frame {
    /// Which permit, by address: it stays where it is meanwhile.
    permit: usize,
    /// Which limiter, by address: the permit keeps it alive.
    core: usize,
    granted: Granted,
    site: Site,
}

/// The permits that the code which runs on this thread is inside of, the innermost last.
///
/// A layer enters its permit at every poll, so this is an array that needs no destructor and no
/// bookkeeping; who is deeper than it has room goes to `DEEPER`.
struct Frames {
    len: Cell<usize>,
    frames: [Cell<Option<Frame>>; Self::ROOM],
}

thread_local! {
    static FRAMES: Frames = const {
        Frames { len: Cell::new(0), frames: [const { Cell::new(None) }; Frames::ROOM] }
    };
    static DEEPER: RefCell<Vec<Frame>> = const { RefCell::new(Vec::new()) };
    /// How many of the permits have lent or borrowed.
    static NESTINGS: Cell<usize> = const { Cell::new(0) };
    /// What they did, by the address of the permit.
    static NESTED: RefCell<Vec<(usize, Nesting)>> = const { RefCell::new(Vec::new()) };
}

impl Frames {
    const ROOM: usize = 8;

    #[inline]
    fn push(&self, frame: Frame) {
        let len = self.len.get();
        match self.frames.get(len) {
            Some(place) => place.set(Some(frame)),
            None => DEEPER.with_borrow_mut(|deeper| deeper.push(frame)),
        }
        self.len.set(len + 1);
    }

    fn at(&self, index: usize) -> Option<Frame> {
        match self.frames.get(index) {
            Some(place) => place.get(),
            None => DEEPER.with_borrow(|deeper| deeper.get(index - Self::ROOM).copied()),
        }
    }

    /// Nearly always the last; but nobody has to drop guards in the order of a stack.
    #[inline]
    fn remove(&self, permit: usize) {
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

/// Lends a permit until dropped. Made by [`Permit::enter`].
#[must_use = "nothing is lent once this is dropped"]
pub struct Entered<'a> {
    permit: &'a mut Permit,
    /// Frames belong to the thread.
    _not_send: PhantomData<*const ()>,
}

impl<'a> Entered<'a> {
    #[inline]
    pub(super) fn new(permit: &'a mut Permit) -> Self {
        let (granted, nesting) = permit.take_nesting();
        let address = address(permit);
        if let Some(nesting) = nesting {
            keep(address, nesting);
        }
        let core = Arc::as_ptr(permit.core()) as usize;
        let site = permit.site();
        FRAMES.with(|frames| frames.push(Frame { permit: address, core, granted, site }));
        Self { permit, _not_send: PhantomData }
    }
}

/// Takes the frame away again, and leaves with the permit what it has to do with others.
impl Drop for Entered<'_> {
    #[inline]
    fn drop(&mut self) {
        let address = address(self.permit);
        FRAMES.with(|frames| frames.remove(address));
        if NESTINGS.get() > 0
            && let Some(nesting) = take(address)
        {
            self.permit.set_nesting(nesting);
        }
    }
}

impl fmt::Debug for Entered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entered").finish_non_exhaustive()
    }
}

fn address(permit: &Permit) -> usize {
    std::ptr::from_ref(permit) as usize
}

#[cold]
fn keep(permit: usize, nesting: Nesting) {
    NESTED.with_borrow_mut(|nested| nested.push((permit, nesting)));
    NESTINGS.set(NESTINGS.get() + 1);
}

#[cold]
fn take(permit: usize) -> Option<Nesting> {
    let nesting = NESTED.with_borrow_mut(|nested| {
        let position = nested.iter().position(|(address, _)| *address == permit)?;
        Some(nested.swap_remove(position).1)
    })?;
    NESTINGS.set(NESTINGS.get() - 1);
    Some(nesting)
}

/// Whether the calling code runs inside any permit.
#[inline]
pub(super) fn is_inside() -> bool {
    FRAMES.with(|frames| frames.len.get() > 0)
}

/// The permit of `core` inside which the calling code runs, if it does.
#[inline]
pub(super) fn lender(core: &Arc<Core>) -> Option<(Arc<Loans>, Site)> {
    if is_inside() { find_lender(core) } else { None }
}

#[cold]
fn find_lender(core: &Arc<Core>) -> Option<(Arc<Loans>, Site)> {
    let address = Arc::as_ptr(core) as usize;
    let frame = FRAMES.with(|frames| {
        let mut all = (0..frames.len.get()).rev().filter_map(|index| frames.at(index));
        all.find(|frame| frame.core == address)
    })?;
    let mut nesting = take(frame.permit).unwrap_or_default();
    let lender = nesting.loan.as_ref().map(|loan| Arc::clone(&loan.lender));
    let lends = nesting.lends.get_or_insert_with(|| Loans::new(core, frame.granted, lender));
    let lends = Arc::clone(lends);
    keep(frame.permit, nesting);
    Some((lends, frame.site))
}

impl Loans {
    fn new(core: &Arc<Core>, granted: Granted, lender: Option<Arc<Self>>) -> Arc<Self> {
        Arc::new(Self {
            free: Arc::new(Semaphore::new(granted.weight() as usize)),
            book: Mutex::default(),
            lender,
            core: Arc::clone(core),
            granted,
        })
    }

    /// How many permits there are to lend at most.
    const fn weight(&self) -> u32 {
        self.granted.weight()
    }

    /// What can be lent at once, or why nothing is; neither if it may be waited for.
    ///
    /// While no limit is enforced nobody waits for themselves: what cannot be lent is taken from
    /// the limiter.
    pub(super) fn ask(
        self: &Arc<Self>,
        want: Want,
        outer: Site,
        site: Site,
    ) -> Result<(Granted, Option<Nesting>), Option<RejectReason>> {
        let Want { weight, .. } = want;
        let core = &self.core;
        if weight == 0 {
            return Err(Some(RejectReason::Weight));
        }
        if let Some((granted, nesting)) = self.try_borrow(weight) {
            core.cells().nested.increment(LENT);
            return Ok((granted, Some(nesting)));
        }
        if core.mode() != Mode::Enforce
            && let Ok(granted) = core.try_acquire(want)
        {
            return Ok((granted, None));
        }
        if weight <= self.weight() {
            return Err(None);
        }
        core.cells().nested.increment(NOT_LENT);
        misuse::report_nested(core.name(), weight, self.weight(), outer, site);
        Err(Some(RejectReason::Nested))
    }

    fn try_borrow(self: &Arc<Self>, weight: u32) -> Option<(Granted, Nesting)> {
        let permit = Arc::clone(&self.free).try_acquire_many_owned(weight).ok()?;
        self.book(weight, permit)
    }

    pub(super) async fn borrow(self: Arc<Self>, weight: u32) -> Option<(Granted, Nesting)> {
        let permit = Arc::clone(&self.free).acquire_many_owned(weight).await.ok()?;
        self.book(weight, permit)
    }

    /// `None` if the permit to borrow from is gone.
    fn book(
        self: &Arc<Self>,
        weight: u32,
        permit: OwnedSemaphorePermit,
    ) -> Option<(Granted, Nesting)> {
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        if book.ended {
            return None;
        }
        book.lent += weight;
        drop(book);
        let loan = Loan { lender: Arc::clone(self), weight, permit };
        let granted = Granted::new(self.granted.at, weight, self.granted.partition());
        Some((granted, Nesting { lends: None, loan: Some(loan) }))
    }

    /// The permit goes: says how many of its permits stay out.
    fn end(&self) -> u32 {
        self.free.close();
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        book.ended = true;
        book.lent
    }

    fn give_back(&self, weight: u32) {
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        book.lent -= weight;
        let ended = book.ended;
        drop(book);
        if ended {
            match &self.lender {
                Some(lender) => {
                    lender.give_back(weight);
                    // Withheld when the permit in between went.
                    lender.free.add_permits(weight as usize);
                }
                None => self.core.release_lent(weight, self.granted.partition()),
            }
        }
    }
}

impl Nesting {
    /// A permit that has lent `weight`, and what it lent.
    #[cfg(all(test, floodway_loom))]
    pub(super) fn lend(core: &Arc<Core>, granted: Granted, weight: u32) -> (Self, (Granted, Self)) {
        let loans = Loans::new(core, granted, None);
        let borrowed = loans.try_borrow(weight).expect("nothing is lent yet");
        (Self { lends: Some(loans), loan: None }, borrowed)
    }

    /// The end of the permit that this belongs to.
    #[cold]
    pub(super) fn end(self, core: &Core, granted: Granted, outcome: Outcome) {
        let still_lent = self.lends.map_or(0, |lends| lends.end());
        match self.loan {
            None => core.release(granted, still_lent, outcome),
            Some(Loan { lender, weight, mut permit }) => {
                lender.give_back(weight - still_lent);
                // What is still lent goes back to the lender when it comes.
                if let Some(kept) = permit.split(still_lent as usize) {
                    kept.forget();
                }
            }
        }
    }
}
