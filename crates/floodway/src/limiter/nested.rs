//! Operations inside operations: the outer one lends its permits.
//!
//! While a future is polled inside a permit, the permit stands in a list that belongs to the
//! thread. Whoever asks the same limiter finds it there and borrows from it. A loan that outlives
//! the permit it came from takes the permits along and gives them to the limiter itself.

use std::{
    cell::{Cell, RefCell},
    fmt,
    sync::Arc,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
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
struct Frame {
    /// Which permit, by the address of its nesting, which stays where it is meanwhile.
    permit: usize,
    /// Which limiter, by address: the permit keeps it alive.
    core: usize,
    granted: Granted,
    /// From whom the permit was borrowed itself.
    lender: Option<Arc<Loans>>,
    lends: Option<Arc<Loans>>,
    site: Site,
}

thread_local! {
    /// How many frames there are; apart, because it is read by every acquire.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    static FRAMES: RefCell<Vec<Frame>> = const { RefCell::new(Vec::new()) };
}

/// Lends a permit until dropped. Made by [`Permit::enter`](super::Permit::enter).
#[must_use = "nothing is lent once this is dropped"]
pub struct Entered<'a> {
    nesting: &'a mut Option<Box<Nesting>>,
    /// Frames belong to the thread.
    _not_send: std::marker::PhantomData<*const ()>,
}

impl<'a> Entered<'a> {
    pub(super) fn new(
        core: &Arc<Core>,
        granted: Granted,
        nesting: &'a mut Option<Box<Nesting>>,
        site: Site,
    ) -> Self {
        let (lends, lender) = nesting.as_mut().map_or((None, None), |nesting| {
            (nesting.lends.take(), nesting.loan.as_ref().map(|loan| Arc::clone(&loan.lender)))
        });
        let core = Arc::as_ptr(core) as usize;
        let permit = address(nesting);
        FRAMES.with_borrow_mut(|frames| {
            frames.push(Frame { permit, core, granted, lender, lends, site });
        });
        DEPTH.set(DEPTH.get() + 1);
        Self { nesting, _not_send: std::marker::PhantomData }
    }
}

/// Takes the frame away again, with what was lent meanwhile.
impl Drop for Entered<'_> {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
        let permit = address(self.nesting);
        // Nearly always the last; but nobody has to drop guards in the order of a stack.
        let frame = FRAMES.with_borrow_mut(|frames| {
            let position = frames.iter().rposition(|frame| frame.permit == permit)?;
            Some(frames.remove(position))
        });
        if let Some(lends) = frame.and_then(|frame| frame.lends) {
            self.nesting.get_or_insert_default().lends = Some(lends);
        }
    }
}

impl fmt::Debug for Entered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entered").finish_non_exhaustive()
    }
}

fn address(nesting: &Option<Box<Nesting>>) -> usize {
    std::ptr::from_ref(nesting) as usize
}

/// Whether the calling code runs inside any permit.
#[inline]
pub(super) fn is_inside() -> bool {
    DEPTH.get() > 0
}

/// The permit of `core` inside which the calling code runs, if it does.
#[inline]
pub(super) fn lender(core: &Arc<Core>) -> Option<(Arc<Loans>, Site)> {
    if is_inside() { find_lender(core) } else { None }
}

#[cold]
fn find_lender(core: &Arc<Core>) -> Option<(Arc<Loans>, Site)> {
    let address = Arc::as_ptr(core) as usize;
    FRAMES.with_borrow_mut(|frames| {
        let frame = frames.iter_mut().rev().find(|frame| frame.core == address)?;
        let lends = frame
            .lends
            .get_or_insert_with(|| Loans::new(core, frame.granted, frame.lender.clone()));
        Some((Arc::clone(lends), frame.site))
    })
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
