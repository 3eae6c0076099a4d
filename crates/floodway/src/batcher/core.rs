//! The batcher itself: takes items in, decides when a batch goes, and hands it to a lane.

use std::{
    hash::Hash,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::Waker,
    time::Duration,
};

use floodway_control::{BatchDecision, BatchQueue, BatchRun, BatchSizer, BatchTrigger, Dispatch};
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore, TryAcquireError},
    time::Instant,
};
use tracing::Span;

use super::{
    BatchError, BatchRejected, BatcherSnapshot, OnBatchError, QueueFull,
    call::{Entered, Room},
    cells::{Cells, ItemOutcome, Refusal},
    lane::{self, Batch},
    queue::{Callers, Entry, Queue, Taken},
    seat::{Riders, Seat},
    shared::{Member, Shared},
    watch,
};
use crate::{
    Clock, Outcome as Load, Rejected,
    admission::{Admission, Permits},
};

/// What a caller gets.
pub(super) type Answer<U, E> = Result<U, BatchError<E>>;

/// What the batch function gives: a result for each item, or an error for all of them.
pub(super) type Output<U, E> = Result<Vec<Result<U, E>>, E>;

/// The batch function.
pub(super) type Run<T, U, E> =
    Arc<dyn Fn(Vec<T>) -> Pin<Box<dyn Future<Output = Output<U, E>> + Send>> + Send + Sync>;

/// What partitions and items are told apart by.
pub trait Key: Hash + Eq + Clone + Send + 'static {}

impl<K: Hash + Eq + Clone + Send + 'static> Key for K {}

type Fun<T, V> = Arc<dyn Fn(&T) -> V + Send + Sync>;

/// How many lines are looked at for one that may go, so that a decision is cheap however many
/// partitions there are. The lines in front have waited longest.
const LOOK: usize = 16;

/// Makes an answer for another caller.
pub(super) type Share<U, E> = fn(&Answer<U, E>) -> Answer<U, E>;

/// Makes items to be sent again.
type Copies<T> = fn(&[T]) -> Vec<T>;

/// What is known of an item by looking at it.
pub(super) struct Keys<T, U, E, K, D> {
    pub(super) weigh: Option<Fun<T, u64>>,
    pub(super) partition: Option<Fun<T, K>>,
    pub(super) dedup: Option<Dedup<T, U, E, D>>,
}

/// Items of one key are sent once, and all their callers have the answer.
pub(super) struct Dedup<T, U, E, D> {
    pub(super) key: Fun<T, D>,
    pub(super) share: Share<U, E>,
}

/// What a batch that failed is worth.
pub(super) struct Failure<T, E> {
    pub(super) on_error: OnBatchError<E>,
    pub(super) too_large: Option<fn(&E) -> bool>,
    /// How items are copied that may be sent again; `None` if none is.
    pub(super) copy: Option<Copies<T>>,
    pub(super) load: Load,
}

// Not derived, because that would ask for clones of items and keys.
impl<T, U, E, K, D> Clone for Keys<T, U, E, K, D> {
    fn clone(&self) -> Self {
        let dedup = self.dedup.as_ref();
        let dedup = dedup.map(|dedup| Dedup { key: Arc::clone(&dedup.key), share: dedup.share });
        Self { weigh: self.weigh.clone(), partition: self.partition.clone(), dedup }
    }
}

impl<T, E> Clone for Failure<T, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, E> Copy for Failure<T, E> {}

/// Numbers of the configuration.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) name: Arc<str>,
    /// As configured; an item above it is refused.
    pub(super) max_weight: Option<u64>,
    pub(super) capacity: usize,
    pub(super) queue_full: QueueFull,
    pub(super) max_wait: Option<Duration>,
    pub(super) max_in_flight: usize,
    pub(super) abort_abandoned: bool,
    /// Whether the clock is read for each item.
    pub(super) timings: bool,
    pub(super) clock: Clock,
}

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
    /// The last reading of the clock.
    seen: u64,
    /// Somebody waits for permits.
    asking: bool,
    closed: bool,
    /// When the watch is to look, in nanoseconds of the clock.
    look_at: Option<u64>,
    watched: bool,
}

/// What to do once the lock is released.
pub(super) struct After<T, U, E, D> {
    launch: Vec<Launch<T, U, E, D>>,
    skipped: Vec<Entry<T, Answer<U, E>, D>>,
    spare: Option<Permits>,
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

impl<T, U, E, D> Default for After<T, U, E, D> {
    fn default() -> Self {
        Self {
            launch: Vec::new(),
            skipped: Vec::new(),
            spare: None,
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
            seen: 0,
            asking: false,
            closed: false,
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

    /// Puts an item into the queue, whose place is taken.
    fn seat(
        self: &Arc<Self>,
        item: T,
        weight: u64,
    ) -> Result<Arc<Seat<Answer<U, E>>>, BatchRejected> {
        // Foreign code, so before the lock.
        let partition = self.keys.partition.as_ref().map(|partition| partition(&item));
        let key = self.keys.dedup.as_ref().map(|dedup| (dedup.key)(&item));
        let span = Span::current();
        let span = (!span.is_disabled()).then_some(span);
        let seat = Arc::new(Seat::new());
        let callers = Callers::one(Arc::clone(&seat));
        let mut entry = Entry { item, weight, arrived: 0, key, callers, span };

        let mut after = After::default();
        let mut state = self.lock();
        if state.closed {
            drop(state);
            self.room.add_permits(1);
            return Err(self.refuse(BatchRejected::Closed));
        }
        let first = state.queue.len() == 0;
        if self.settings.timings || first {
            state.seen = self.settings.clock.now();
        }
        entry.arrived = state.seen;
        state.arrived += 1;
        let (line, twin) = state.queue.push(partition, entry);
        if twin.is_none() {
            if let Some(max_wait) = self.settings.max_wait
                && first
            {
                let expires = state.seen.saturating_add(nanos(max_wait));
                self.look_at(&mut state, expires, &mut after);
            }
            let line = state.queue.line(line);
            let worth_asking = line.len() == 1
                || line.len() >= line.worth_asking
                || state.sizer.max_weight().is_some_and(|max| line.weight() >= max);
            if worth_asking && state.in_flight < self.slots() && !state.asking {
                if !self.settings.timings && !first {
                    state.seen = self.settings.clock.now();
                }
                self.pump(&mut state, None, &mut after);
            }
        }
        self.purge(&mut state, &mut after);
        drop(state);
        drop(twin);
        self.act(after);
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
        after: &mut After<T, U, E, D>,
    ) {
        let slots = self.slots();
        let mut looked = 0;
        while state.in_flight < slots && looked < LOOK {
            // One waits for permits on behalf of all.
            if state.asking && permits.is_none() {
                break;
            }
            let Some(line) = state.queue.in_turn(looked) else { break };
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
            state.in_flight += 1;
            let items = taken.entries.len();
            let run =
                state.sizer.dispatched(Duration::from_nanos(now), dispatch, items, taken.weight);
            let callers: usize =
                taken.entries.iter().map(|entry| entry.callers.all().count()).sum();
            self.room.add_permits(callers);
            let Dispatch { trigger, .. } = dispatch;
            after.launch.push(Launch { taken, run, trigger, permits: admitted, riders, now });
        }
        after.spare = permits;
    }

    fn decide(&self, state: &mut State<T, U, E, K, D>, line: usize, slots: usize) -> BatchDecision {
        let now = Duration::from_nanos(state.seen);
        let line = state.queue.line(line);
        if state.closed {
            let items = state.sizer.target().items;
            let trigger = BatchTrigger::Drain;
            return BatchDecision::Dispatch(Dispatch { items, trigger, probe: false });
        }
        let queue = BatchQueue {
            queued: line.len(),
            weight: line.weight(),
            oldest: Duration::from_nanos(line.oldest().unwrap_or(state.seen)),
            arrived: state.arrived,
            partitions: state.queue.partitions(),
            in_flight: state.in_flight,
            slots,
        };
        state.sizer.decide(now, &queue)
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
        let After { launch, skipped, spare, ask, start_watch, nudge } = after;
        drop(skipped);
        if let Some(mut permits) = spare {
            permits.complete(Load::Ignore);
        }
        for launch in launch {
            drop(tokio::spawn(lane::drive(Batch::new(Arc::clone(self), launch))));
        }
        if ask {
            drop(tokio::spawn(ask_for_permits(Asking { core: Some(Arc::clone(self)) })));
        }
        if start_watch {
            watch::start(Arc::downgrade(self), Arc::clone(&self.watch));
        }
        if nudge {
            self.watch.notify_one();
        }
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
            self.pump(&mut state, None, &mut after);
        }
        self.tell_if_idle(&state);
        drop(state);
        let next = after.launch.pop();
        self.act(after);
        next.map(|launch| Batch::new(Arc::clone(self), launch))
    }

    /// The downstream refused a batch of `weight`.
    pub(super) fn too_large(&self, weight: u64) {
        self.lock().sizer.too_large(weight);
    }

    /// What the watch does at its hour; gives the next one.
    pub(super) fn look(self: &Arc<Self>) -> Option<Instant> {
        let mut after = After::default();
        let mut refused = Vec::new();
        let mut state = self.lock();
        let now = self.settings.clock.now();
        if state.look_at.is_some_and(|at| at <= now) {
            state.look_at = None;
            state.seen = now;
            if let Some(max_wait) = self.settings.max_wait {
                let max_wait = nanos(max_wait);
                let fresh = |arrived: u64| arrived.saturating_add(max_wait) > now;
                refused = state.queue.sweep(|entry| fresh(entry.arrived));
                if let Some(oldest) = state.queue.oldest() {
                    self.look_at(&mut state, oldest.saturating_add(max_wait), &mut after);
                }
            }
            if state.queue.len() > 0 {
                self.pump(&mut state, None, &mut after);
            }
            self.tell_if_idle(&state);
        }
        let next = state.look_at;
        drop(state);
        // It is awake as it is.
        after.nudge = false;
        self.act(after);
        if let Some(max_wait) = self.settings.max_wait {
            self.refuse_all(refused, &BatchRejected::Expired { max_wait });
        }
        next.map(|at| Instant::now() + Duration::from_nanos(at.saturating_sub(now)))
    }

    /// Tells those who wait for `entries` that they will not be sent.
    fn refuse_all(&self, entries: Vec<Entry<T, Answer<U, E>, D>>, why: &BatchRejected) -> usize {
        let mut refused = 0;
        for entry in entries {
            for seat in entry.callers.all() {
                let (waited, waker) = seat.refuse(Err(BatchError::Rejected(why.clone())));
                if waited {
                    refused += 1;
                    self.room.add_permits(1);
                    self.cells.rejected(reason(why));
                }
                if let Some(waker) = waker {
                    waker.wake();
                }
            }
        }
        refused
    }

    /// No batch will be admitted any more.
    fn refuse_for(&self, rejected: Rejected) {
        let mut state = self.lock();
        state.asking = false;
        let entries = state.queue.sweep(|_| false);
        self.tell_if_idle(&state);
        drop(state);
        self.refuse_all(entries, &BatchRejected::Limiter(rejected));
    }

    /// Somebody waited for permits and has them.
    fn admitted(self: &Arc<Self>, permits: Permits) {
        let mut after = After::default();
        let mut state = self.lock();
        state.asking = false;
        state.seen = self.settings.clock.now();
        self.pump(&mut state, Some(permits), &mut after);
        drop(state);
        self.act(after);
    }

    /// Sends what may go.
    fn look_now(self: &Arc<Self>) {
        let mut after = After::default();
        let mut state = self.lock();
        state.seen = self.settings.clock.now();
        self.pump(&mut state, None, &mut after);
        self.tell_if_idle(&state);
        drop(state);
        self.act(after);
    }

    fn weight(&self, item: &T) -> u64 {
        self.keys.weigh.as_ref().map_or(1, |weigh| weigh(item))
    }
}

/// What the ends of tasks need, however they come; so it asks nothing of the types.
impl<T, U, E, K, D> Core<T, U, E, K, D> {
    fn lock(&self) -> MutexGuard<'_, State<T, U, E, K, D>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A batch was dropped with its task: whoever is polled next goes on.
    pub(super) fn lose(&self) {
        let mut state = self.lock();
        state.in_flight -= 1;
        self.orphan(state);
    }

    fn orphan(&self, state: MutexGuard<'_, State<T, U, E, K, D>>) {
        self.orphaned.store(true, Ordering::Release);
        let wakers = state.queue.wakers();
        self.tell_if_idle(&state);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    fn tell_if_idle(&self, state: &State<T, U, E, K, D>) {
        if state.in_flight == 0 && state.queue.len() == 0 {
            self.idle.notify_waiters();
        }
    }

    /// The watch is gone with its runtime.
    pub(super) fn lose_watch(&self) {
        let mut state = self.lock();
        state.watched = false;
        state.look_at = None;
        self.orphan(state);
    }

    /// Who waited for permits is gone with its runtime.
    fn lose_asking(&self) {
        let mut state = self.lock();
        state.asking = false;
        self.orphan(state);
    }

    /// How an answer is given to several.
    pub(super) fn share(&self) -> Option<Share<U, E>> {
        self.keys.dedup.as_ref().map(|dedup| dedup.share)
    }
}

// What it has measured is not lost.
impl<T, U, E, K, D> Drop for Core<T, U, E, K, D> {
    fn drop(&mut self) {
        self.shared.retire(&self.lock().sizer.estimate());
        // The watch sees that it is over.
        self.watch.notify_one();
    }
}

/// The one who waits for permits, however many batches could go.
struct Asking<T, U, E, K, D> {
    /// `None` once it is over.
    core: Option<Shareable<T, U, E, K, D>>,
}

type Shareable<T, U, E, K, D> = Arc<Core<T, U, E, K, D>>;

impl<T, U, E, K, D> Drop for Asking<T, U, E, K, D> {
    fn drop(&mut self) {
        if let Some(core) = &self.core {
            core.lose_asking();
        }
    }
}

async fn ask_for_permits<T, U, E, K, D>(mut asking: Asking<T, U, E, K, D>)
where
    T: Send + 'static,
    U: Send + 'static,
    E: Send + Sync + 'static,
    K: Key,
    D: Key,
{
    let Some(core) = asking.core.clone() else { return };
    let admitted = core.admission.admit(1).await;
    asking.core = None;
    match admitted {
        Ok(permits) => core.admitted(permits),
        Err(rejected) => core.refuse_for(rejected),
    }
}

/// The batcher as its callers see it, whatever the keys.
pub(super) trait Engine<T, U, E>: Send + Sync {
    /// Takes an item into the queue, if there is room.
    fn enter(self: Arc<Self>, item: T) -> Result<Entered<T, U, E>, BatchRejected>;
    /// Takes an item into the queue that has a place there.
    fn sit(
        self: Arc<Self>,
        item: T,
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
        match self.room.try_acquire() {
            Ok(place) => {
                place.forget();
                self.seat(item, weight).map(Entered::Seated)
            }
            Err(TryAcquireError::Closed) => Err(self.refuse(BatchRejected::Closed)),
            Err(TryAcquireError::NoPermits) => match self.settings.queue_full {
                QueueFull::Reject => {
                    let capacity = self.settings.capacity;
                    Err(self.refuse(BatchRejected::QueueFull { capacity }))
                }
                QueueFull::Wait => {
                    let room = Arc::clone(&self.room);
                    let room: Room = Box::pin(async move { room.acquire_owned().await.ok() });
                    Ok(Entered::Full(item, room))
                }
            },
        }
    }

    fn sit(
        self: Arc<Self>,
        item: T,
        place: OwnedSemaphorePermit,
    ) -> Result<Arc<Seat<Answer<U, E>>>, BatchRejected> {
        place.forget();
        let weight = self.weight(&item);
        self.seat(item, weight)
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
            self.look_now();
        }
    }

    fn close(self: Arc<Self>) {
        self.room.close();
        self.lock().closed = true;
        self.look_now();
    }

    fn is_idle(&self) -> bool {
        let mut state = self.lock();
        let skipped = state.queue.purge();
        let idle = state.in_flight == 0 && state.queue.len() == 0;
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
        (self.refuse_all(entries, &BatchRejected::Closed), in_flight)
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
            queued: state.queue.len(),
            queue_capacity: self.settings.capacity,
            in_flight: state.in_flight,
            in_flight_limit,
            closed: state.closed,
            ..BatcherSnapshot::new(&state.sizer)
        }
    }
}

/// The value of the label `reason`.
const fn reason(rejected: &BatchRejected) -> Refusal {
    match rejected {
        BatchRejected::QueueFull { .. } => Refusal::QueueFull,
        BatchRejected::Weight { .. } => Refusal::Weight,
        BatchRejected::Closed => Refusal::Closed,
        BatchRejected::Expired { .. } => Refusal::Expired,
        BatchRejected::Limiter(_) => Refusal::Limiter,
    }
}

/// 584 years and more are as long.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
