//! A doubly linked list of waiters of one class, threaded through the slots.

use slab::Slab;

use super::wait_queue::Slot;

/// The waiters of one class in order of arrival.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Line {
    pub(super) oldest: Option<usize>,
    pub(super) newest: Option<usize>,
    pub(super) len: usize,
}

impl Line {
    #[inline]
    pub(super) fn append<T>(&mut self, slots: &mut Slab<Slot<T>>, index: usize) {
        slots[index].older = self.newest;
        match self.newest {
            Some(newest) => slots[newest].newer = Some(index),
            None => self.oldest = Some(index),
        }
        self.newest = Some(index);
        self.len += 1;
    }

    #[inline]
    pub(super) fn unlink<T>(&mut self, slots: &mut Slab<Slot<T>>, index: usize) {
        let (older, newer) = (slots[index].older.take(), slots[index].newer.take());
        match older {
            Some(older) => slots[older].newer = newer,
            None => self.oldest = newer,
        }
        match newer {
            Some(newer) => slots[newer].older = older,
            None => self.newest = older,
        }
        self.len -= 1;
    }
}
