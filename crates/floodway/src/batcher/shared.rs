//! What batchers of one name have in common: their numbers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use floodway_control::{BatchEstimate, BatchSizer};
use floodway_metrics::{Collector, Source};

use super::{
    BatcherSnapshot,
    cells::{Cells, Levels},
};

/// The numbers of the batchers of one name: nearly always of one batcher.
pub(super) struct Shared {
    pub(super) cells: Arc<Cells>,
    max_items: usize,
    /// What there is before the first batcher.
    unborn: BatcherSnapshot,
    members: Mutex<Members>,
}

#[derive(Default)]
struct Members {
    live: Vec<(Weak<dyn Member>, BatchEstimate)>,
    /// What those have added up that are no more.
    past: BatchEstimate,
    /// What was exported last. Floating-point sums depend on their order, and a counter that loses its
    /// last bit looks as if it had begun again.
    exported: BatchEstimate,
}

impl Members {
    fn keep_growing(&mut self, estimate: &mut BatchEstimate) {
        let exported = &mut self.exported;
        for (now, last) in [
            (&mut estimate.overhead_seconds, &mut exported.overhead_seconds),
            (&mut estimate.work_seconds, &mut exported.work_seconds),
            (&mut estimate.avoided_seconds, &mut exported.avoided_seconds),
        ] {
            *last = last.max(*now);
            *now = *last;
        }
    }

    /// The one at `address`, with what it was last seen to have added up.
    fn find(&self, address: *const ()) -> Option<usize> {
        self.live.iter().position(|(member, _)| member.as_ptr().cast() == address)
    }
}

/// A batcher, for its numbers.
pub(super) trait Member: Send + Sync {
    fn levels(&self) -> BatcherSnapshot;
}

impl Shared {
    pub(super) fn new(cells: Cells, sizer: &BatchSizer, max_items: usize) -> Self {
        let unborn = BatcherSnapshot::new(sizer);
        Self { cells: Arc::new(cells), max_items, unborn, members: Mutex::default() }
    }

    pub(super) fn add(&self, member: Weak<dyn Member>) {
        self.members().live.push((member, BatchEstimate::default()));
    }

    /// The batcher at `address` is no more; its counts stay.
    pub(super) fn retire(&self, address: *const (), estimate: &BatchEstimate) {
        let mut members = self.members();
        if let Some(at) = members.find(address) {
            members.live.swap_remove(at);
        }
        add(&mut members.past, estimate);
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds what only grows.
fn add(sum: &mut BatchEstimate, part: &BatchEstimate) {
    sum.overhead_seconds += part.overhead_seconds;
    sum.work_seconds += part.work_seconds;
    sum.avoided_seconds += part.avoided_seconds;
    sum.resets += part.resets;
    sum.target_ups += part.target_ups;
    sum.target_downs += part.target_downs;
}

impl Source for Shared {
    /// What can be added up is; sizes and costs are those of the youngest batcher.
    fn collect(&self, out: &mut Collector) {
        let mut past = BatchEstimate::default();
        let mut live = Vec::new();
        {
            let members = self.members();
            add(&mut past, &members.past);
            for (member, seen) in &members.live {
                match member.upgrade() {
                    Some(member) => live.push(member),
                    // It is about to retire.
                    None => add(&mut past, seen),
                }
            }
        }
        // Outside the lock: a batcher whose last handle this is retires when it is dropped.
        let snapshots: Vec<_> = live.iter().map(|member| member.levels()).collect();
        {
            let mut members = self.members();
            for (member, snapshot) in live.iter().zip(&snapshots) {
                if let Some(at) = members.find(Arc::as_ptr(member).cast()) {
                    members.live[at].1 = snapshot.estimate;
                }
            }
        }
        let of = |number: fn(&BatcherSnapshot) -> usize| snapshots.iter().map(number).sum();
        let (last, others) = snapshots.split_last().unwrap_or((&self.unborn, &[]));
        let mut estimate = last.estimate;
        others.iter().for_each(|other| add(&mut estimate, &other.estimate));
        add(&mut estimate, &past);
        self.members().keep_growing(&mut estimate);
        let levels = Levels {
            target: last.target,
            estimate,
            max_weight: last.max_weight,
            max_items: self.max_items,
            queued: of(|snapshot| snapshot.queued),
            queue_capacity: of(|snapshot| snapshot.queue_capacity),
            in_flight: of(|snapshot| snapshot.in_flight),
            in_flight_limit: of(|snapshot| snapshot.in_flight_limit),
        };
        self.cells.collect(levels, out);
    }
}
