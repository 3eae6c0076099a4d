//! Fan-outs whose workers pull chunks of items, in virtual time.

mod best;
mod rule;
mod workload;

pub use best::{Best, best_fixed};
pub use rule::{Chunker, Rule};
pub use workload::{Items, Workload};

use std::{cmp::Reverse, collections::BinaryHeap, num::NonZeroUsize, ops::Range, time::Duration};

use floodway_control::{ChunkSizer, Chunking};

/// Nanoseconds that a reading of the clock takes, as measured on a virtual machine.
const CLOCK: u64 = 30;

/// The side of a fan-out that the rules do not choose.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// How many chunks run at once.
    pub workers: NonZeroUsize,
    /// What handing a chunk to a worker costs the worker.
    pub overhead: Duration,
    /// Time between the starts of two workers; zero if all wait for work already.
    pub stagger: Duration,
    /// Whether the rules are told how many items there are.
    pub known: bool,
}

/// What came out of a fan-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ran {
    /// From the start to the end of the last item.
    pub makespan: Duration,
    /// Chunks that were handed out.
    pub chunks: u64,
    /// Chunks that gave items back.
    pub cut: u64,
}

/// Runs all items in chunks of which `chunker` chooses the sizes.
#[must_use]
pub fn run(items: &Items, setting: Setting, chunker: &mut dyn Chunker) -> Ran {
    FanOut::new(items, setting).run(chunker)
}

/// The second of two runs of the same items, of which the first has taught the sizer.
#[must_use]
pub fn run_again(items: &Items, setting: Setting) -> Ran {
    let mut sizer = ChunkSizer::new(Chunking::Adaptive, setting.workers, setting.overhead);
    let _ = run(items, setting, &mut sizer);
    run(items, setting, &mut sizer.again())
}

/// One item at a time, in order, handed over for nothing. Who is faster without knowing the items was
/// lucky.
#[must_use]
pub fn one_by_one(items: &Items, setting: Setting) -> Ran {
    let setting = Setting { overhead: Duration::ZERO, ..setting };
    run(items, setting, &mut *Rule::Fixed(NonZeroUsize::MIN).start(&setting))
}

/// The chunk that a worker has just run.
#[derive(Clone, Copy, Debug, Default)]
struct Done {
    ran: usize,
    time: u64,
}

/// All times in nanoseconds.
struct FanOut<'a> {
    items: &'a Items,
    setting: Setting,
    /// Items that no worker has had.
    fresh: Range<usize>,
    /// Items that came back, and how many there are.
    returned: Vec<Range<usize>>,
    returned_items: usize,
    /// Workers by when they are done with what they do; ties by number.
    busy: BinaryHeap<Reverse<(u64, usize)>>,
    parked: Vec<usize>,
    /// Of each worker: what it has run, and what it will give back.
    done: Vec<Done>,
    back: Vec<Range<usize>>,
    result: Ran,
}

// A worker is in `busy` or in `parked`, and every item in `fresh`, in `returned`, in `back`, or done.
impl<'a> FanOut<'a> {
    fn new(items: &'a Items, setting: Setting) -> Self {
        let workers = setting.workers.get();
        let stagger = nanos(setting.stagger);
        Self {
            items,
            setting,
            fresh: 0..items.len(),
            returned: Vec::new(),
            returned_items: 0,
            busy: (0..workers).map(|worker| Reverse((stagger * worker as u64, worker))).collect(),
            parked: Vec::new(),
            done: vec![Done::default(); workers],
            back: vec![0..0; workers],
            result: Ran { makespan: Duration::ZERO, chunks: 0, cut: 0 },
        }
    }

    fn run(mut self, chunker: &mut dyn Chunker) -> Ran {
        while let Some(Reverse((now, worker))) = self.busy.pop() {
            let done = std::mem::take(&mut self.done[worker]);
            if done.ran > 0 {
                self.result.makespan = Duration::from_nanos(now);
                chunker.record(done.ran, Duration::from_nanos(done.time));
            }
            let back = std::mem::take(&mut self.back[worker]);
            if !back.is_empty() {
                self.returned_items += back.len();
                self.returned.push(back);
                self.result.cut += 1;
                self.busy.extend(self.parked.drain(..).map(|idle| Reverse((now, idle))));
            }
            self.pull(now, worker, chunker);
        }
        self.result
    }

    fn pull(&mut self, now: u64, worker: usize, chunker: &mut dyn Chunker) {
        let remaining = self.fresh.len() + self.returned_items;
        if remaining == 0 {
            self.parked.push(worker);
            return;
        }
        let chunk = chunker.next(self.setting.known.then_some(remaining as u64));
        let taken = self.take(chunk.items.get());
        let (mut ran, mut time) = (0, 0);
        while ran < taken.len() {
            // A look costs time, and sees the time that it took.
            let more = chunk.items_until_look(ran, Duration::from_nanos(time));
            let more = more.min(taken.len() - ran);
            let from = taken.start + ran;
            time += self.items.time(from..from + more) + CLOCK;
            ran += more;
            if chunk.is_over(Duration::from_nanos(time)) {
                break;
            }
        }
        self.result.chunks += 1;
        self.done[worker] = Done { ran, time };
        self.back[worker] = taken.start + ran..taken.end;
        self.busy.push(Reverse((now + nanos(self.setting.overhead) + time, worker)));
    }

    /// What came back, before what nobody has had.
    fn take(&mut self, most: usize) -> Range<usize> {
        let Some(range) = self.returned.last_mut() else {
            let end = self.fresh.end.min(self.fresh.start.saturating_add(most));
            let taken = self.fresh.start..end;
            self.fresh.start = end;
            return taken;
        };
        let end = range.end.min(range.start.saturating_add(most));
        let taken = range.start..end;
        range.start = end;
        if range.start == range.end {
            self.returned.pop();
        }
        self.returned_items -= taken.len();
        taken
    }
}

fn nanos(time: Duration) -> u64 {
    time.as_nanos() as u64
}
