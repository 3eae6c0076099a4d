//! Who is told what has changed.
//!
//! Wakers are foreign code, so they are only noted here and woken once the lock is released.

use std::task::Waker;

use super::{
    super::{classes::Classes, source::Source},
    Ledger,
};

impl<S: Source, C: Classes<S::Item>, T, E> Ledger<S, C, T, E> {
    pub(in crate::fan_out) fn register_consumer(&mut self, waker: &Waker) {
        match &mut self.consumer {
            Some(consumer) => consumer.clone_from(waker),
            None => self.consumer = Some(waker.clone()),
        }
    }

    /// Who waits for permits hears of a stop.
    pub(in crate::fan_out) fn apply(&mut self, waker: &Waker) {
        if !self.applicant.as_ref().is_some_and(|applicant| applicant.will_wake(waker)) {
            self.applicant = Some(waker.clone());
        }
    }

    /// Who waits for the source, for room or for a key is woken when one of them changes.
    pub(in crate::fan_out) fn wait(&mut self, waker: &Waker) {
        if !self.waiter.as_ref().is_some_and(|waiter| waiter.will_wake(waker)) {
            self.waiter = Some(waker.clone());
        }
    }

    #[inline]
    pub(in crate::fan_out) fn wake_consumer(&mut self) {
        if let Some(consumer) = self.consumer.take() {
            self.due[0] = Some(consumer);
            self.is_due = true;
        }
    }

    #[inline]
    pub(in crate::fan_out) fn wake_waiter(&mut self) {
        if let Some(waiter) = self.waiter.take() {
            self.due[1] = Some(waiter);
            self.is_due = true;
        }
    }

    /// Whether somebody is to be woken once the lock is released.
    #[inline]
    pub(in crate::fan_out) const fn has_due(&self) -> bool {
        self.is_due
    }

    /// Whom to wake once the lock is released.
    pub(in crate::fan_out) fn take_due(&mut self) -> [Option<Waker>; 3] {
        self.is_due = false;
        std::mem::take(&mut self.due)
    }
}
