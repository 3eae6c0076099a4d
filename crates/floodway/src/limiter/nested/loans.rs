//! The permits that one permit lends to operations inside its own.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    super::{
        cells::{LENT, NOT_LENT},
        core::{Core, Want},
        misuse::{self, Site},
        mode::Mode,
        permit::Granted,
        rejected::RejectReason,
    },
    Nesting,
};
use crate::sync::{Mutex, PoisonError};

/// What one permit lends.
#[derive(Debug)]
pub(in crate::limiter) struct Loans {
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
    pub(super) lender: Arc<Loans>,
    pub(super) weight: u32,
    pub(super) permit: OwnedSemaphorePermit,
}

impl Loans {
    pub(super) fn new(core: &Arc<Core>, granted: Granted, lender: Option<Arc<Self>>) -> Arc<Self> {
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

    /// The permit to borrow from is gone.
    pub(in crate::limiter) fn is_over(&self) -> bool {
        self.free.is_closed()
    }

    /// What can be lent at once, or why nothing is; neither if it may be waited for.
    ///
    /// While no limit is enforced nobody waits for themselves: what cannot be lent is taken from
    /// the limiter.
    pub(in crate::limiter) fn ask(
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
            // Who may not wait for the limiter may not wait for a loan either.
            return Err((!core.has_queue()).then_some(RejectReason::NoPermit));
        }
        core.cells().nested.increment(NOT_LENT);
        misuse::report_nested(core.name(), weight, self.weight(), outer, site);
        Err(Some(RejectReason::Nested))
    }

    pub(super) fn try_borrow(self: &Arc<Self>, weight: u32) -> Option<(Granted, Nesting)> {
        let permit = Arc::clone(&self.free).try_acquire_many_owned(weight).ok()?;
        self.book(weight, permit)
    }

    pub(in crate::limiter) async fn borrow(
        self: Arc<Self>,
        weight: u32,
    ) -> Option<(Granted, Nesting)> {
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
    pub(super) fn end(&self) -> u32 {
        self.free.close();
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        book.ended = true;
        book.lent
    }

    pub(super) fn give_back(&self, weight: u32) {
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
