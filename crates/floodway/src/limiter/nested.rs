//! Operations inside operations: the outer one lends its permits.
//!
//! While a future is polled inside a permit, the permit stands in a list that belongs to the
//! thread. Whoever asks the same limiter finds it there and borrows from it. A loan that outlives
//! the permit it came from takes the permits along and gives them to the limiter itself.

mod frames;
mod loans;

use std::{fmt, marker::PhantomData, sync::Arc};

pub(super) use self::loans::Loans;
use self::{
    frames::{FRAMES, Frame, NESTINGS, keep, take},
    loans::Loan,
};
use super::{Permit, core::Core, misuse::Site, permit::Granted};
use crate::Outcome;

/// What a permit has to do with others of the same limiter.
#[derive(Debug, Default)]
pub(super) struct Nesting {
    /// What it lends.
    lends: Option<Arc<Loans>>,
    /// What it was lent.
    loan: Option<Loan>,
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
