//! Which places of a set of futures were woken.

use std::{
    sync::Arc,
    task::{Wake, Waker},
    time::Duration,
};

use super::super::wake::Stamp;
use crate::{
    Clock,
    sync::{AtomicU64, Mutex, MutexGuard, Ordering, PoisonError},
};

/// Places that were woken and not looked at since.
///
/// A bit per place, in pages of 64. Waking a place that is woken already is one atomic operation;
/// the first of a page takes a short lock, to say which page and to wake the task.
pub(in crate::fan_out) struct ReadySet {
    shared: Arc<Shared>,
    pages: Vec<Arc<Page>>,
    /// Pages to look at, taken from the shared list.
    pending: Vec<usize>,
    /// What is left of the page that is being looked at.
    current: (usize, u64),
    /// Reads when a place was woken, if somebody asks.
    clock: Option<Clock>,
}

struct Shared {
    woken: Mutex<Woken>,
}

#[derive(Default)]
struct Woken {
    pages: Vec<usize>,
    /// The task that polls the set.
    task: Option<Waker>,
}

struct Page {
    index: usize,
    bits: AtomicU64,
    shared: Arc<Shared>,
}

/// Wakes one place.
struct Place {
    page: Arc<Page>,
    bit: u64,
    stamp: Option<Arc<Stamp>>,
}

/// How to wake a place, and when that was done.
pub(in crate::fan_out) struct Wakeup {
    pub(in crate::fan_out) waker: Waker,
    stamp: Option<Arc<Stamp>>,
}

impl Wakeup {
    /// Forgets a wake that was meant for the item before.
    pub(in crate::fan_out) fn reset(&self) {
        if let Some(stamp) = &self.stamp {
            stamp.reset();
        }
    }

    /// How long ago the place was woken, if it was and somebody asks.
    pub(in crate::fan_out) fn take_delay(&self) -> Option<Duration> {
        self.stamp.as_ref()?.take_delay()
    }
}

impl ReadySet {
    pub(in crate::fan_out) fn new(clock: Option<Clock>) -> Self {
        let shared = Arc::new(Shared { woken: Mutex::default() });
        Self { shared, pages: Vec::new(), pending: Vec::new(), current: (0, 0), clock }
    }

    /// A waker for this place; places have to be made in order.
    pub(in crate::fan_out) fn wakeup(&mut self, place: usize) -> Wakeup {
        let (index, bit) = (place / 64, 1 << (place % 64));
        if index == self.pages.len() {
            let shared = Arc::clone(&self.shared);
            self.pages.push(Arc::new(Page { index, bits: AtomicU64::new(0), shared }));
        }
        let page = Arc::clone(&self.pages[index]);
        let stamp = self.clock.clone().map(|clock| Arc::new(Stamp::new(clock)));
        let place = Place { page, bit, stamp: stamp.clone() };
        Wakeup { waker: Waker::from(Arc::new(place)), stamp }
    }

    /// Whom to wake; to be called before anything is looked at.
    pub(in crate::fan_out) fn register(&self, task: &Waker) {
        let mut woken = self.shared.woken();
        match &mut woken.task {
            Some(known) => known.clone_from(task),
            None => woken.task = Some(task.clone()),
        }
    }

    /// A place that was woken; it is not given again before it is woken again.
    #[inline]
    pub(in crate::fan_out) fn pop(&mut self) -> Option<usize> {
        while self.current.1 == 0 {
            let page = self.pending.pop().or_else(|| {
                std::mem::swap(&mut self.pending, &mut self.shared.woken().pages);
                self.pending.pop()
            })?;
            // Acquire: what was written before the wake is seen by the poll.
            self.current = (page, self.pages[page].bits.swap(0, Ordering::Acquire));
        }
        let (page, bits) = &mut self.current;
        let bit = bits.trailing_zeros() as usize;
        *bits &= *bits - 1;
        Some(*page * 64 + bit)
    }
}

impl ReadySet {
    /// Whether [`pop`](Self::pop) would give something.
    pub(in crate::fan_out) fn has_more(&self) -> bool {
        self.current.1 != 0 || !self.pending.is_empty() || !self.shared.woken().pages.is_empty()
    }
}

impl Shared {
    fn woken(&self) -> MutexGuard<'_, Woken> {
        self.woken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    fn mark(&self) {
        if let Some(stamp) = &self.stamp {
            stamp.mark();
        }
        // Release: pairs with the swap in `pop`.
        if self.page.bits.fetch_or(self.bit, Ordering::AcqRel) == 0 {
            let mut woken = self.page.shared.woken();
            woken.pages.push(self.page.index);
            let task = woken.task.clone();
            drop(woken);
            if let Some(task) = task {
                task.wake();
            }
        }
    }
}

impl Wake for Place {
    fn wake(self: Arc<Self>) {
        self.mark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.mark();
    }
}

/// Every interleaving: run with `cargo xtask loom`.
#[cfg(all(test, floodway_loom))]
mod loom_tests {
    use std::{future::poll_fn, task::Poll};

    use loom::{future::block_on, model::Builder, thread};

    use super::*;

    /// Up to two preemptions, which find what more would find, in seconds.
    fn explore(model: impl Fn() + Send + Sync + 'static) {
        let mut builder = Builder::new();
        builder.preemption_bound = Some(2);
        builder.check(model);
    }

    /// Pops until every one of `places` was seen, sleeping while there is none.
    fn pop_all(set: &mut ReadySet, mut places: Vec<usize>) {
        block_on(poll_fn(|context| {
            set.register(context.waker());
            while let Some(place) = set.pop() {
                places.retain(|left| *left != place);
            }
            if places.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        }));
    }

    #[test]
    fn every_wake_is_seen_on_one_page() {
        explore(|| {
            let mut set = ReadySet::new(None);
            let wakers = [0, 1].map(|place| set.wakeup(place).waker);
            let threads = wakers.map(|waker| thread::spawn(move || waker.wake()));
            pop_all(&mut set, vec![0, 1]);
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            assert_eq!((set.pop(), set.has_more()), (None, false));
        });
    }

    #[test]
    fn every_wake_is_seen_on_two_pages() {
        explore(|| {
            let mut set = ReadySet::new(None);
            let wakers: Vec<_> = (0..65).map(|place| set.wakeup(place).waker).collect();
            let threads = [0, 64].map(|place| {
                let waker = wakers[place].clone();
                thread::spawn(move || waker.wake())
            });
            pop_all(&mut set, vec![0, 64]);
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        });
    }

    #[test]
    fn what_was_written_before_a_wake_is_seen_after_it() {
        explore(|| {
            let mut set = ReadySet::new(None);
            let written = Arc::new(AtomicU64::new(0));
            let waker = set.wakeup(0).waker;
            let thread = thread::spawn({
                let written = Arc::clone(&written);
                move || {
                    written.store(1, Ordering::Relaxed);
                    waker.wake_by_ref();
                    written.store(2, Ordering::Relaxed);
                    waker.wake();
                }
            });
            pop_all(&mut set, vec![0]);
            assert!(written.load(Ordering::Relaxed) >= 1);
            if written.load(Ordering::Relaxed) == 1 {
                // The second wake is still to come, or waits to be seen.
                pop_all(&mut set, vec![0]);
                assert_eq!(written.load(Ordering::Relaxed), 2);
            }
            thread.join().unwrap();
        });
    }
}
