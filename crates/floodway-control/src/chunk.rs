//! How many consecutive items of a fan-out one worker takes at once.

mod adaptive;
mod cost;

pub use cost::ChunkEstimate;

use std::{num::NonZeroUsize, time::Duration};

use self::{adaptive::Rule, cost::Cost};

const ONE: NonZeroUsize = NonZeroUsize::MIN;

/// Nanoseconds after which [`Chunk::items_until_look`] wants the clock to be read. A reading takes
/// 24 to 36 ns (`docs/decisions/0009-chunk-sizes.md`), so this costs under 2 %.
const LOOK: f64 = 2_000.0;

/// How many consecutive items of a fan-out one worker takes at once.
///
/// The items of a chunk run one after the other. A chunk makes the cost of handing work over small
/// beside the work; in return a slow item delays those behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Chunking {
    /// One. Right for items that take 20 times as long as handing one over, about 50 µs and more,
    /// and for whatever waits for a network.
    #[default]
    Off,
    /// Always so many items, or those that are left. Right where the cost of an item is known and
    /// even.
    Fixed(NonZeroUsize),
    /// As many as measured costs call for, with a slice of time after which the rest comes back:
    /// see [`ChunkSizer`].
    Adaptive,
}

/// What one worker takes at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// How many consecutive items.
    pub items: NonZeroUsize,
    /// How long it may run before it has to give the items back that it has not begun; never
    /// within an item. `None` if it runs to its end, as every chunk of one item does.
    pub slice: Option<Duration>,
}

impl Chunk {
    /// Whether a chunk that has run for `elapsed` has to give the rest back.
    #[must_use]
    pub fn is_over(&self, elapsed: Duration) -> bool {
        self.slice.is_some_and(|slice| elapsed >= slice)
    }

    /// How many further items to run before it is worth reading the clock, when `ran` items took
    /// `elapsed`: 1 at first, then twice as many each time until they take about 2 µs; all that are
    /// left where there is no slice.
    ///
    /// For items that return without having waited. After one that waited the clock costs nothing
    /// in comparison.
    ///
    /// 0 only if all of the chunk ran.
    #[must_use]
    pub fn items_until_look(&self, ran: usize, elapsed: Duration) -> usize {
        let left = self.items.get().saturating_sub(ran);
        if self.slice.is_none() {
            return left;
        }
        let item = cost::nanos(elapsed) / ran as f64;
        // Nothing ran: not a number, which `max` drops. No time passed: infinite, cut by `ran`.
        let fitting = (LOOK / item).round().max(1.0);
        (fitting as usize).min(ran.max(1)).min(left)
    }
}

/// Sizes the chunks of one fan-out, from what the chunks before it cost.
///
/// With [`Chunking::Adaptive`], where a chunk is worth its overhead if it takes nineteen times as
/// long (*the target*):
///
/// - **Length known.** [Factoring][fac]: what is left is handed out in rounds of a chunk per worker,
///   and a round takes half of it. But a chunk takes as long as the target, if every worker still
///   gets an equal share, and five targets at most: between 5 and 1 % of overhead.
/// - **Length unknown.** As long as the target, but no more items than each worker had so far on
///   average, or two overheads' worth. Later, a sixty-fourth of what each had, up to five targets.
/// - **At first** nothing is known of the items. Then a chunk is one; where the length is known, an
///   equal share up to 16, in a slice of one target.
/// - A chunk has at most four times the items of the one before, and may take three targets longer
///   than expected: items that got slow ([joblib #1220][1220]) come back soon.
///
/// The time of an item is Σ time ÷ Σ items, both forgetting a fifth with every chunk.
///
/// A size and the record of it take about 30 ns together and allocate nothing, so both calls may be
/// made under a lock.
///
/// ```
/// use std::{num::NonZeroUsize, time::Duration};
/// use floodway_control::{Chunking, ChunkSizer};
///
/// let workers = NonZeroUsize::new(4).unwrap();
/// let mut sizer = ChunkSizer::new(Chunking::Adaptive, workers, Duration::from_micros(2));
/// let mut left = 10_000;
/// let mut chunks = 0;
/// while left > 0 {
///     let chunk = sizer.next(Some(left));
///     left -= chunk.items.get() as u64;
///     chunks += 1;
///     // Here the items run, as long as the slice allows: 1 µs each.
///     sizer.record(chunk.items.get(), Duration::from_micros(1) * chunk.items.get() as u32);
/// }
/// assert!(chunks < 100);
/// assert_eq!(sizer.estimate().item_time, Some(Duration::from_micros(1)));
/// ```
///
/// Sources: [Hummel, Schonberg and Flynn, *Factoring*][fac]; the target of 95 % efficiency after
/// [HPX's adaptive chunk size][hpx]. All constants were chosen with the simulations of
/// `docs/reports/chunks.md`.
///
/// [fac]: https://doi.org/10.1145/135226.135232
/// [hpx]: https://arxiv.org/abs/2504.07206
/// [1220]: https://github.com/joblib/joblib/issues/1220
#[derive(Clone, Debug)]
pub struct ChunkSizer {
    chunking: Chunking,
    workers: NonZeroUsize,
    cost: Cost,
    rule: Rule,
}

impl ChunkSizer {
    /// For `workers` chunks that may run at once. `overhead` is what handing a chunk to a worker
    /// costs, measured by the caller: from the end of one chunk to the first item of the next.
    #[must_use]
    pub fn new(chunking: Chunking, workers: NonZeroUsize, overhead: Duration) -> Self {
        Self { chunking, workers, cost: Cost::new(overhead), rule: Rule::default() }
    }

    /// For another fan-out of such items: keeps what was measured, so that nothing has to be tried
    /// out again.
    #[must_use]
    pub fn again(&self) -> Self {
        Self { rule: Rule::default(), ..self.clone() }
    }

    /// The next chunk. `remaining` is how many items nobody has taken or that came back, exactly;
    /// `None` if nobody knows.
    ///
    /// Never more items than remain. If none remain, a chunk of one item, which the caller need not
    /// ask for.
    #[must_use]
    pub fn next(&mut self, remaining: Option<u64>) -> Chunk {
        let most =
            remaining.map_or(usize::MAX, |items| usize::try_from(items).unwrap_or(usize::MAX));
        let most = NonZeroUsize::new(most).unwrap_or(ONE);
        match self.chunking {
            Chunking::Off => Chunk { items: ONE, slice: None },
            Chunking::Fixed(items) => Chunk { items: items.min(most), slice: None },
            Chunking::Adaptive => self.rule.next(remaining.map(|_| most), self.workers, &self.cost),
        }
    }

    /// What a chunk cost: how many items were run, and the time they took, without the overhead.
    ///
    /// Fewer items than the chunk had if it gave the rest back. A chunk of which none ran says
    /// nothing and is ignored.
    pub fn record(&mut self, items: usize, time: Duration) {
        self.cost.record(items, time);
    }

    /// How many workers pay for themselves: each has nineteen times as much work as it costs
    /// to hand it over. At most as many as may run at once; 1 means that the work is best done where
    /// it is.
    ///
    /// Where the length is not known, as many items are expected as were handed out. `None` while
    /// nothing is measured.
    ///
    /// Chunks are shares for all the workers there are: who starts fewer says so with
    /// [`set_workers`](Self::set_workers).
    #[must_use]
    pub fn paying_workers(&self, remaining: Option<u64>) -> Option<NonZeroUsize> {
        let item = self.cost.item()?;
        let items = remaining.unwrap_or(self.rule.handed_out());
        // Each of them needs an item. A count that is not a number (no time, no overhead) is 0.
        let paying = (items as f64 * item / self.cost.target()) as u64;
        let paying = usize::try_from(paying.min(items)).unwrap_or(usize::MAX);
        Some(NonZeroUsize::new(paying).unwrap_or(ONE).min(self.workers))
    }

    /// Changes how many chunks may run at once.
    pub fn set_workers(&mut self, workers: NonZeroUsize) {
        self.workers = workers;
        self.rule.end_round();
    }

    /// Replaces the overhead by one that is known better.
    pub fn set_overhead(&mut self, overhead: Duration) {
        self.cost.set_overhead(overhead);
    }

    /// Learns from one handing-over that was timed: the overhead moves an eighth of the way.
    pub fn record_overhead(&mut self, overhead: Duration) {
        self.cost.record_overhead(overhead);
    }

    /// What it believes, for metrics.
    #[must_use]
    pub fn estimate(&self) -> ChunkEstimate {
        self.cost.estimate()
    }
}
