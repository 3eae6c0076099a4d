//! What a caller has to give back if its call ends before it waits.

use std::mem;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

use super::Engine;
use crate::batcher::{
    description::Answer,
    seat::{Left, Seat},
};

/// A caller's place in the queue, which is free again unless it is kept.
pub(super) struct Place<'a>(&'a Semaphore);

impl<'a> Place<'a> {
    pub(super) fn try_take(room: &'a Semaphore) -> Result<Self, TryAcquireError> {
        room.try_acquire()?.forget();
        Ok(Self(room))
    }

    pub(super) fn of(room: &'a Semaphore, place: OwnedSemaphorePermit) -> Self {
        place.forget();
        Self(room)
    }

    /// From now on the item in the queue has it.
    pub(super) fn keep(self) {
        mem::forget(self);
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.add_permits(1);
    }
}

/// A caller whose call ends before it waits.
pub(super) struct Unseat<'a, T, U, E> {
    pub(super) core: &'a dyn Engine<T, U, E>,
    pub(super) seat: &'a Seat<Answer<U, E>>,
}

impl<T, U, E> Drop for Unseat<'_, T, U, E> {
    fn drop(&mut self) {
        if matches!(self.seat.leave(), Left::Queued) {
            self.core.left();
        }
    }
}
