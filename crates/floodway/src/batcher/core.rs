//! The batcher itself: takes items in, decides when a batch goes, and hands it to a lane.

mod asking;
mod ending;
mod engine;
mod place;
mod refusing;
mod watching;

use std::{
    mem,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use floodway_control::{BatchDecision, BatchQueue, BatchRun, BatchSizer, BatchTrigger, Dispatch};
use tokio::sync::{Notify, Semaphore};
use tracing::Span;

use super::{
    BatchRejected,
    cells::Cells,
    description::{Answer, Failure, Key, Keys, Run, Settings, Share},
    lane::{self, Batch},
    queue::{Caller, Callers, Entry, Order, Queue, Taken},
    seat::{Riders, Seat},
    shared::Shared,
    watch::Watch,
};
use crate::{
    Outcome as Load,
    admission::{Admission, Permits},
};

pub(super) use self::engine::Engine;
use self::{
    asking::Asking,
    place::{Place, Unseat},
};

pub(super) struct Core<T, U, E, K, D> {
    pub(super) settings: Settings,
    keys: Keys<T, U, E, K, D>,
    pub(super) run: Run<T, U, E>,
    pub(super) failure: Failure<T, E>,
    pub(super) admission: Admission,
    pub(super) cells: Arc<Cells>,
    shared: Arc<Shared>,
    /// Places in the queue; each caller there has one.
    room: Arc<Semaphore>,
    state: Mutex<State<T, U, E, K, D>>,
    /// Callers who left the queue since the last look at who is still there.
    gone: AtomicUsize,
    /// Items that were sent and have no answer yet. Whoever is answered finds itself not among them:
    /// it is woken after it was taken off.
    unanswered: AtomicUsize,
    /// Whoever was to send what waits is no more; the next caller that is polled does it.
    orphaned: AtomicBool,
    /// Told when nothing waits or runs.
    idle: Notify,
    pub(super) watch: Arc<Notify>,
}

struct State<T, U, E, K, D> {
    sizer: BatchSizer,
    queue: Queue<T, Answer<U, E>, K, D>,
    in_flight: usize,
    /// Items that have arrived so far.
    arrived: u64,
    /// Batches that went so far, and their items.
    batches: u64,
    sent: u64,
    /// The last reading of the clock.
    seen: u64,
    /// Somebody waits for permits.
    asking: bool,
    closed: bool,
    /// When the oldest item will have waited as long as it may, or earlier; as `look_at`.
    expires_at: Option<u64>,
    /// When the watch is to look, in nanoseconds of the clock.
    look_at: Option<u64>,
    watched: bool,
}

/// What to do once the lock is released.
pub(super) struct After<T, U, E, D> {
    launch: Vec<Launch<T, U, E, D>>,
    skipped: Vec<Entry<T, Answer<U, E>, D>>,
    spare: Option<Permits>,
    /// Places in the queue that are free again.
    room: usize,
    idle: bool,
    ask: bool,
    start_watch: bool,
    nudge: bool,
}

/// A batch that was taken out of the queue.
pub(super) struct Launch<T, U, E, D> {
    pub(super) taken: Taken<T, Answer<U, E>, D>,
    pub(super) run: BatchRun,
    pub(super) trigger: BatchTrigger,
    pub(super) permits: Permits,
    pub(super) riders: Option<Arc<Riders>>,
    pub(super) now: u64,
}

impl<T, U, E, K, D> State<T, U, E, K, D> {
    const fn is_idle(&self) -> bool {
        self.in_flight == 0 && self.queue.len() == 0
    }
}

impl<T, U, E, D> Default for After<T, U, E, D> {
    fn default() -> Self {
        Self {
            launch: Vec::new(),
            skipped: Vec::new(),
            spare: None,
            room: 0,
            idle: false,
            ask: false,
            start_watch: false,
            nudge: false,
        }
    }
}

impl<T, U, E, K, D> Core<T, U, E, K, D>
where
    T: Send + 'static,
    U: Send + 'static,
    E: Send + Sync + 'static,
    K: Key,
    D: Key,
{
    pub(super) fn new(
        settings: Settings,
        sizer: BatchSizer,
        keys: Keys<T, U, E, K, D>,
        run: Run<T, U, E>,
        failure: Failure<T, E>,
        admission: Admission,
        shared: &Arc<Shared>,
    ) -> Self {
        let room = Arc::new(Semaphore::new(settings.capacity));
        let state = Mutex::new(State {
            sizer,
            queue: Queue::new(),
            in_flight: 0,
            arrived: 0,
            batches: 0,
            sent: 0,
            seen: 0,
            asking: false,
            closed: false,
            expires_at: None,
            look_at: None,
            watched: false,
        });
        Self {
            settings,
            keys,
            run,
            failure,
            admission,
            cells: Arc::clone(&shared.cells),
            shared: Arc::clone(shared),
            room,
            state,
            gone: AtomicUsize::new(0),
            unanswered: AtomicUsize::new(0),
            orphaned: AtomicBool::new(false),
            idle: Notify::new(),
            watch: Arc::new(Notify::new()),
        }
    }

    /// Batches that may run at once, now.
    fn slots(&self) -> usize {
        let limit = self.admission.limit().map_or(usize::MAX, |limit| limit as usize);
        // A limit that is 0 for now is waited for.
        self.settings.max_in_flight.min(limit).max(1)
    }

    /// Puts an item into the queue.
    fn seat(
        self: &Arc<Self>,
        item: T,
        weight: u64,
        place: Place<'_>,
    ) -> Result<Arc<Seat<Answer<U, E>>>, BatchRejected> {
        // Foreign code, so before the lock. It may panic.
        let partition = self.keys.partition.as_ref().map(|partition| partition(&item));
        let key = self.keys.dedup.as_ref().map(|dedup| (dedup.key)(&item));
        let span = Span::current();
        let span = (!span.is_disabled()).then_some(span);
        let seat = Arc::new(Seat::new());
        let callers = Callers::one(Caller { seat: Arc::clone(&seat), span });
        let mut entry = Entry { item, weight, arrived: 0, key, callers };

        let mut after = After::default();
        let mut state = self.lock();
        if state.closed {
            drop(state);
            drop(place);
            return Err(self.refuse(BatchRejected::Closed));
        }
        let first = state.queue.len() == 0;
        let free = state.in_flight < self.settings.max_in_flight && !state.asking;
        // Otherwise what was read when the last batch came back is good enough.
        let read = first && (free || self.settings.max_wait.is_some());
        if self.settings.timings || read {
            state.seen = self.settings.clock.now();
        }
        entry.arrived = state.seen;
        let (line, twin) = state.queue.push(partition, entry);
        place.keep();
        if twin.is_none() {
            state.arrived += 1;
            if let Some(max_wait) = self.settings.max_wait
                && first
            {
                let expires = state.seen.saturating_add(nanos(max_wait));
                state.expires_at = Some(expires);
                self.look_at(&mut state, expires, &mut after);
            }
            let max_weight = state.sizer.max_weight().unwrap_or(u64::MAX);
            let worth_asking = state.queue.is_worth_asking(line, max_weight);
            if worth_asking && free {
                if !self.settings.timings && !read {
                    state.seen = self.settings.clock.now();
                }
                self.pump(&mut state, None, Order::ReadyFirst, &mut after);
            }
        }
        self.purge(&mut state, &mut after);
        drop(state);
        // What follows panics outside a runtime, and the caller with it.
        let unseat = Unseat { core: &**self, seat: &seat };
        drop(twin);
        self.act(after);
        mem::forget(unseat);
        Ok(seat)
    }

    /// Forgets those who went away, once they are many: each is looked at a constant number of
    /// times on average.
    fn purge(&self, state: &mut State<T, U, E, K, D>, after: &mut After<T, U, E, D>) {
        // Relaxed: what is counted is looked up under the locks of the seats.
        let gone = self.gone.load(Ordering::Relaxed);
        if gone > 64 && gone > state.queue.len() / 4 {
            self.gone.store(0, Ordering::Relaxed);
            after.skipped.extend(state.queue.purge());
        }
    }

    /// Takes out what may go now. `permits` are for one batch, if somebody waited for them.
    fn pump(
        &self,
        state: &mut State<T, U, E, K, D>,
        mut permits: Option<Permits>,
        order: Order,
        after: &mut After<T, U, E, D>,
    ) {
        let slots = self.slots();
        let mut looked = 0;
        // Not within the limit of the limiters: at it, one waits there and hears when it moves.
        while state.in_flight < self.settings.max_in_flight {
            // One waits for permits on behalf of all.
            if state.asking && permits.is_none() {
                break;
            }
            let Some(line) = state.queue.next(looked, order) else { break };
            let now = state.seen;
            let dispatch = match self.decide(state, line, slots) {
                BatchDecision::Dispatch(dispatch) => dispatch,
                BatchDecision::Wait { items, until } => {
                    state.queue.line_mut(line).worth_asking = items;
                    self.look_at(state, nanos(until), after);
                    looked += 1;
                    continue;
                }
                _ => break,
            };
            let Some(admitted) = permits.take().or_else(|| self.admission.try_admit(1)) else {
                state.asking = true;
                after.ask = true;
                break;
            };
            let riders = self.settings.abort_abandoned.then(Riders::new);
            let max_weight = state.sizer.max_weight().unwrap_or(u64::MAX);
            let mut taken = state.queue.take(line, dispatch.items, max_weight, riders.as_ref());
            after.skipped.append(&mut taken.skipped);
            if taken.entries.is_empty() {
                permits = Some(admitted);
                continue;
            }
            let items = taken.entries.len();
            state.in_flight += 1;
            self.unanswered.fetch_add(items, Ordering::Relaxed);
            state.batches += 1;
            state.sent += items as u64;
            let run =
                state.sizer.dispatched(Duration::from_nanos(now), dispatch, items, taken.weight);
            after.room +=
                taken.entries.iter().map(|entry| entry.callers.all().count()).sum::<usize>();
            let Dispatch { trigger, .. } = dispatch;
            after.launch.push(Launch { taken, run, trigger, permits: admitted, riders, now });
        }
        after.spare = permits;
    }

    fn decide(&self, state: &mut State<T, U, E, K, D>, line: usize, slots: usize) -> BatchDecision {
        let now = Duration::from_nanos(state.seen);
        let line = state.queue.line(line);
        let queue = BatchQueue {
            // With those who left and whom nobody has come across yet: a few, or a quarter.
            queued: line.len(),
            weight: line.weight(),
            oldest: Duration::from_nanos(line.oldest().unwrap_or(state.seen)),
            arrived: state.arrived,
            partitions: state.queue.partitions(),
            in_flight: state.in_flight,
            unanswered: self.unanswered.load(Ordering::Relaxed),
            slots,
        };
        let decision = state.sizer.decide(now, &queue);
        if state.closed {
            let items = state.sizer.target().items;
            let trigger = BatchTrigger::Drain;
            return BatchDecision::Dispatch(Dispatch { items, trigger, probe: false });
        }
        decision
    }

    /// Has the watch look at `at`, if nothing is to be looked at earlier.
    fn look_at(&self, state: &mut State<T, U, E, K, D>, at: u64, after: &mut After<T, U, E, D>) {
        if state.look_at.is_none_or(|earlier| at < earlier) {
            state.look_at = Some(at);
            if state.watched {
                after.nudge = true;
            } else {
                state.watched = true;
                after.start_watch = true;
            }
        }
    }

    /// Does what has to be done outside the lock.
    fn act(self: &Arc<Self>, after: After<T, U, E, D>) {
        let After { launch, skipped, spare, room, idle, ask, start_watch, nudge } = after;
        // Whatever is to be spawned is there before anything is, because that panics without a
        // runtime: what is then dropped answers its callers and gives back what it has.
        let batches: Vec<_> =
            launch.into_iter().map(|launch| Batch::new(Arc::clone(self), launch)).collect();
        let asking = ask.then(|| Asking::new(self));
        let watch = start_watch.then(|| Watch::new(self));
        if room > 0 {
            self.room.add_permits(room);
        }
        if idle {
            self.idle.notify_waiters();
        }
        if let Some(mut permits) = spare {
            permits.complete(Load::Ignore);
        }
        for batch in batches {
            drop(tokio::spawn(lane::drive(batch)));
        }
        if let Some(asking) = asking {
            drop(tokio::spawn(asking.wait()));
        }
        if let Some(watch) = watch {
            drop(tokio::spawn(watch.keep()));
        }
        if nudge {
            self.watch.notify_one();
        }
        drop(skipped);
    }

    /// A batch is over, and its callers have their answers. Gives the next for the same lane.
    pub(super) fn finish(
        self: &Arc<Self>,
        run: Option<BatchRun>,
        ended: u64,
    ) -> Option<Batch<T, U, E, K, D>> {
        let mut after = After::default();
        let mut state = self.lock();
        state.in_flight -= 1;
        if let Some(run) = run {
            state.sizer.record(Duration::from_nanos(ended), run);
        }
        if state.queue.len() > 0 {
            state.seen = self.settings.clock.now();
            self.pump(&mut state, None, Order::TurnFirst, &mut after);
        }
        after.idle = state.is_idle();
        drop(state);
        // Before anything that may panic: a batch that is dropped gives back what it has.
        let next = after.launch.pop().map(|launch| Batch::new(Arc::clone(self), launch));
        self.act(after);
        next
    }

    /// The downstream refused a batch of `weight`.
    pub(super) fn too_large(&self, weight: u64) {
        self.lock().sizer.too_large(weight);
    }

    fn weight(&self, item: &T) -> u64 {
        self.keys.weigh.as_ref().map_or(1, |weigh| weigh(item))
    }
}

/// 584 years and more are as long.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
