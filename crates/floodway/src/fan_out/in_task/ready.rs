//! Which places of a set of futures were woken.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Wake, Waker},
    time::Duration,
};

use crate::Clock;

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
    stamp: Option<Stamp>,
}

/// When a place was woken, 0 if it was not.
struct Stamp {
    clock: Clock,
    at: Arc<AtomicU64>,
}

/// How to wake a place, and when that was done.
pub(in crate::fan_out) struct Wakeup {
    pub(in crate::fan_out) waker: Waker,
    at: Option<Arc<AtomicU64>>,
}

impl Wakeup {
    /// How long ago the place was woken, if it was and somebody asks.
    pub(in crate::fan_out) fn take_delay(&self, clock: &Clock) -> Option<Duration> {
        // Relaxed: the bit that was seen before orders it.
        let at = self.at.as_ref()?.swap(0, Ordering::Relaxed);
        (at > 0).then(|| Duration::from_nanos(clock.now().saturating_sub(at)))
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
        let at = self.clock.as_ref().map(|_| Arc::new(AtomicU64::new(0)));
        let stamp = self.clock.clone().zip(at.clone()).map(|(clock, at)| Stamp { clock, at });
        Wakeup { waker: Waker::from(Arc::new(Place { page, bit, stamp })), at }
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
        if let Some(Stamp { clock, at }) = &self.stamp {
            // The first wake counts, however many follow before the poll.
            let _ =
                at.compare_exchange(0, clock.now().max(1), Ordering::Relaxed, Ordering::Relaxed);
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
