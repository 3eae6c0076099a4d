//! The batcher as its callers see it, whatever the keys.

use std::sync::{Arc, atomic::Ordering};

use tokio::sync::{Notify, OwnedSemaphorePermit, TryAcquireError};

use super::{Answer, Core, Key, Place, refusing::reason};
use crate::batcher::{
    BatchRejected, BatcherSnapshot, QueueFull,
    call::{Entered, Heavy, Room},
    cells::ItemOutcome,
    seat::Seat,
    shared::Member,
};

/// The batcher as its callers see it, whatever the keys.
pub(in crate::batcher) trait Engine<T, U, E>: Send + Sync {
    /// Takes an item into the queue, if there is room.
    fn enter(self: Arc<Self>, item: T) -> Result<Entered<T, U, E>, BatchRejected>;
    /// Takes an item into the queue that has a place there.
    fn sit(
        self: Arc<Self>,
        item: Heavy<T>,
        place: OwnedSemaphorePermit,
    ) -> Result<Arc<Seat<Answer<U, E>>>, BatchRejected>;
    /// Counts a refusal.
    fn refuse(&self, rejected: BatchRejected) -> BatchRejected;
    /// A caller went away whose item waited in the queue.
    fn left(&self);
    /// A caller went away that waited for room in the queue.
    fn left_outside(&self);
    /// Whether whoever was to send what waits is no more.
    fn is_orphaned(&self) -> bool;
    /// Sends what waits, in its stead.
    fn adopt(self: Arc<Self>);
    /// Accepts nothing from now on, and sends what waits.
    fn close(self: Arc<Self>);
    /// Whether nothing waits or runs.
    fn is_idle(&self) -> bool;
    /// Told when nothing waits or runs.
    fn idle(&self) -> &Notify;
    /// Refuses what still waits; gives how many callers that were, and the batches that run.
    fn give_up(&self) -> (usize, usize);
    fn snapshot(&self) -> BatcherSnapshot;
}

impl<T, U, E, K, D> Engine<T, U, E> for Core<T, U, E, K, D>
where
    T: Send + 'static,
    U: Send + 'static,
    E: Send + Sync + 'static,
    K: Key,
    D: Key,
{
    fn enter(self: Arc<Self>, item: T) -> Result<Entered<T, U, E>, BatchRejected> {
        let weight = self.weight(&item);
        if let Some(max) = self.settings.max_weight
            && weight > max
        {
            return Err(self.refuse(BatchRejected::Weight { weight, max }));
        }
        match Place::try_take(&self.room) {
            Ok(place) => self.seat(item, weight, place).map(Entered::Seated),
            Err(TryAcquireError::Closed) => Err(self.refuse(BatchRejected::Closed)),
            Err(TryAcquireError::NoPermits) => match self.settings.queue_full {
                QueueFull::Reject => {
                    let capacity = self.settings.capacity;
                    Err(self.refuse(BatchRejected::QueueFull { capacity }))
                }
                QueueFull::Wait => {
                    let room = Arc::clone(&self.room);
                    let room: Room = Box::pin(async move { room.acquire_owned().await.ok() });
                    Ok(Entered::Full(Heavy { item, weight }, room))
                }
            },
        }
    }

    fn sit(
        self: Arc<Self>,
        Heavy { item, weight }: Heavy<T>,
        place: OwnedSemaphorePermit,
    ) -> Result<Arc<Seat<Answer<U, E>>>, BatchRejected> {
        self.seat(item, weight, Place::of(&self.room, place))
    }

    fn refuse(&self, rejected: BatchRejected) -> BatchRejected {
        self.cells.rejected(reason(&rejected));
        rejected
    }

    fn left(&self) {
        self.room.add_permits(1);
        self.gone.fetch_add(1, Ordering::Relaxed);
        self.left_outside();
        if self.room.is_closed() {
            self.idle.notify_waiters();
        }
    }

    fn left_outside(&self) {
        self.cells.item_ended(ItemOutcome::Cancelled);
    }

    fn is_orphaned(&self) -> bool {
        // Relaxed: a hint, and what it hints at is behind the lock.
        self.orphaned.load(Ordering::Relaxed)
    }

    fn adopt(self: Arc<Self>) {
        if self.orphaned.swap(false, Ordering::Relaxed) {
            self.take_over();
        }
    }

    fn close(self: Arc<Self>) {
        self.room.close();
        self.lock().closed = true;
        self.take_over();
    }

    fn is_idle(&self) -> bool {
        let mut state = self.lock();
        let skipped = state.queue.purge();
        let idle = state.is_idle();
        drop(state);
        drop(skipped);
        idle
    }

    fn idle(&self) -> &Notify {
        &self.idle
    }

    fn give_up(&self) -> (usize, usize) {
        let mut state = self.lock();
        let entries = state.queue.sweep(|_| false);
        let in_flight = state.in_flight;
        drop(state);
        let refused = self.refuse_all(entries, &BatchRejected::Closed);
        self.idle.notify_waiters();
        (refused, in_flight)
    }

    fn snapshot(&self) -> BatcherSnapshot {
        self.levels()
    }
}

impl<T, U, E, K, D> Member for Core<T, U, E, K, D>
where
    T: Send + 'static,
    U: Send + 'static,
    E: Send + Sync + 'static,
    K: Key,
    D: Key,
{
    fn levels(&self) -> BatcherSnapshot {
        let in_flight_limit = self.slots();
        let state = self.lock();
        BatcherSnapshot {
            batches: state.batches,
            items: state.sent,
            queued: state.queue.len(),
            queue_capacity: self.settings.capacity,
            in_flight: state.in_flight,
            in_flight_limit,
            closed: state.closed,
            ..BatcherSnapshot::new(&state.sizer)
        }
    }
}
