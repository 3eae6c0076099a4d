//! What the workers of a fan-out share.

use std::{
    future::poll_fn,
    num::NonZeroUsize,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use floodway_control::{ChunkSizer, Chunking};
use slab::Slab;
use tokio::runtime::Handle;
use tracing::{Instrument, Span};

use super::{
    super::{
        ErrorPolicy, OnStop, Progress, StopReason,
        attempts::Attempts,
        classes::Classes,
        engine::{Parts, settle},
        latch::Latch,
        ledger::Ledger,
        slot::Setting,
        source::Source,
    },
    operate::Operate,
    supervisor::Supervisor,
    worker::Worker,
};
use crate::{Rejected, admission::Permits};

/// What the workers share, with the lock around the books.
pub(super) struct Shared<S: Source, O, C: Classes<S::Item>, A, T, E> {
    state: Mutex<State<S, C, T, E>>,
    /// Who holds it is the only one who waits for the source, for room or for a key.
    pub(super) gate: tokio::sync::Mutex<()>,
    /// Who holds it is the only one who waits for permits: for the next item, behind the gate, or
    /// for another attempt. So a limiter sees one waiter, and serves the fan-outs that share it in
    /// turn.
    counter: tokio::sync::Mutex<()>,
    pub(super) operate: O,
    pub(super) setting: Setting<A>,
    pub(super) on_stop: OnStop,
    pub(super) policy: ErrorPolicy,
    /// What runs has to go now. Set after the stop.
    aborting: AtomicBool,
    /// Nothing is started any more. Set once a lock is released under which it was stopped.
    stopping: AtomicBool,
    /// The first worker runs in the task of the consumer.
    inline: AtomicBool,
    /// Which thread has the lock, 0 for none: the source, keys and weights are foreign code that runs
    /// under it, and may push to, or look at, their own fan-out.
    owner: AtomicUsize,
    /// Foreign code has pushed under the lock, or asked for a stop.
    pushed: AtomicBool,
    pub(super) stop_asked: AtomicBool,
    pub(super) latch: Arc<Latch>,
    /// How far it came, for those who ask afterwards.
    last: Arc<OnceLock<Progress>>,
    pub(super) runtime: Handle,
    pub(super) span: Span,
    /// Items may be put in chunks.
    pub(super) chunks: bool,
}

/// One's part in it, if one has it.
pub(super) type Sharing<S, O, C, A, T, E> = Option<Arc<Shared<S, O, C, A, T, E>>>;

pub(super) struct State<S: Source, C: Classes<S::Item>, T, E> {
    pub(super) ledger: Ledger<S, C, T, E>,
    /// The tasks of the workers whose item is pending.
    crew: Slab<Option<Waker>>,
    /// Workers that wait at the gate, or hold it and wait.
    pub(super) idle: usize,
    pub(super) sizer: ChunkSizer,
    /// For how many workers chunks are sized, once there are several.
    pub(super) workers: NonZeroUsize,
    pub(super) supervisor: Option<Waker>,
    /// Workers may be added.
    growing: bool,
}

/// A worker that is hired and not launched.
#[must_use]
pub(super) struct Place(usize);

/// The least that handing over a chunk costs, until it is measured.
const FIRST_OVERHEAD: Duration = Duration::from_nanos(500);

impl<S, O, C, A, T, E> Shared<S, O, C, A, T, E>
where
    S: Source<Item: Send + 'static> + Send + 'static,
    O: Operate<S::Item, Value = T, Error = E>,
    C: Classes<S::Item, Key: Send + 'static> + Send + 'static,
    A: Attempts<S::Item, E> + Send + Sync + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    /// Begins: somebody watches the clocks from here on, if there are any.
    pub(super) fn new(
        parts: Parts<S, O, C, A, T, E>,
        runtime: Handle,
        last: Arc<OnceLock<Progress>>,
    ) -> Arc<Self> {
        let Parts { mut ledger, call, setting, stopper, span, chunking, on_stop } = parts;
        let policy = ledger.policy();
        let workers = workers::<_, O>(ledger.bounds.concurrency, &runtime);
        // Permits are for one item, so items that need them run by themselves.
        let chunks =
            chunking != Chunking::Off && setting.admission.is_open() && !C::KEYED && !C::WEIGHED;
        if !chunks {
            ledger.expect_ones();
        }
        let shared = Arc::new(Self {
            state: Mutex::new(State {
                ledger,
                crew: Slab::new(),
                idle: 0,
                sizer: ChunkSizer::new(chunking, workers, FIRST_OVERHEAD),
                workers,
                supervisor: None,
                growing: true,
            }),
            gate: tokio::sync::Mutex::new(()),
            counter: tokio::sync::Mutex::new(()),
            operate: call,
            setting,
            on_stop,
            policy,
            aborting: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            inline: AtomicBool::new(false),
            owner: AtomicUsize::new(0),
            pushed: AtomicBool::new(false),
            stop_asked: AtomicBool::new(false),
            latch: Arc::new(Latch::default()),
            last,
            runtime,
            span,
            chunks,
        });
        shared.state().ledger.listen(&Waker::from(Arc::new(Grow(Arc::downgrade(&shared)))));
        if stopper.is_needed() {
            let held = shared.latch.hold();
            let supervisor = Supervisor { shared: Arc::clone(&shared), stopper, _held: held };
            drop(shared.runtime.spawn(supervisor.watch()));
        }
        shared
    }

    pub(super) fn state(&self) -> Locked<'_, S, C, T, E> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.owner.store(this_thread(), Ordering::Relaxed);
        Locked { state: Some(state), stopping: &self.stopping, owner: &self.owner }
    }

    /// Whether the calling code runs under the lock.
    pub(super) fn is_locked_here(&self) -> bool {
        // Relaxed: a thread sees its own store, and never mistakes another's for it.
        self.owner.load(Ordering::Relaxed) == this_thread()
    }

    /// Whether nothing is started any more.
    #[inline]
    pub(super) fn is_stopping(&self) -> bool {
        // Relaxed: a hint to look at the books soon.
        self.stopping.load(Ordering::Relaxed)
    }

    /// Whether what runs has to go now.
    #[inline]
    pub(super) fn is_aborting(&self) -> bool {
        // Acquire: the reason for the stop is in the ledger by then.
        self.aborting.load(Ordering::Acquire)
    }

    /// Runs the first chunks in the task that waits for them: spawning pays only where there is
    /// enough work for two. What is not done when it waits, or has taken long enough, goes on as a
    /// worker.
    pub(super) fn begin_inline(self: &Arc<Self>, context: &mut Context<'_>) {
        let mut state = self.state();
        let worker = self.hire(&mut state);
        state.growing = false;
        state.sizer.set_workers(NonZeroUsize::MIN);
        drop(state);
        let Some(Place(place)) = worker else {
            return;
        };
        let worker = Worker::new(Arc::clone(self), place);
        self.inline.store(true, Ordering::Relaxed);
        let mut worker = Box::pin(worker.work().instrument(self.span.clone()));
        let poll = worker.as_mut().poll(context);
        self.inline.store(false, Ordering::Relaxed);
        let mut state = self.state();
        state.growing = true;
        state.size_for_all();
        drop(state);
        if poll.is_pending() {
            O::launch(&self.runtime, worker);
        }
        // What waits is one item; and something may have been pushed meanwhile.
        self.grow();
    }

    /// Whether a worker runs in the task of the consumer; asked by that worker alone.
    #[inline]
    pub(super) fn is_inline(&self) -> bool {
        self.inline.load(Ordering::Relaxed)
    }

    /// Adds a worker if there is, or may be, something for it to do.
    pub(super) fn grow(self: &Arc<Self>) {
        let worker = self.hire(&mut self.state());
        if let Some(worker) = worker {
            self.launch(worker);
        }
    }

    /// Somebody has pushed. From within the source or a key function, under the lock: then whoever
    /// has the lock looks after releasing it.
    fn look_for_pushed(self: &Arc<Self>) {
        if self.is_locked_here() {
            self.pushed.store(true, Ordering::Relaxed);
            return;
        }
        let mut state = self.state();
        state.ledger.wake_waiter();
        let worker = self.hire(&mut state);
        drop(state);
        if let Some(worker) = worker {
            self.launch(worker);
        }
    }

    /// To be called after a lock under which foreign code ran, by the same thread.
    #[inline]
    pub(super) fn after_pull(self: &Arc<Self>) {
        // Relaxed: set by this thread.
        if self.pushed.load(Ordering::Relaxed) && self.pushed.swap(false, Ordering::Relaxed) {
            self.look_for_pushed();
        }
        if self.stop_asked.load(Ordering::Relaxed) && self.stop_asked.swap(false, Ordering::Relaxed)
        {
            self.stop(StopReason::Cancelled);
        }
    }

    /// A place for another worker, if there is, or may be, something for it to do and nobody who waits
    /// for work. Whoever gets it has to launch the worker.
    pub(super) fn hire(self: &Arc<Self>, state: &mut State<S, C, T, E>) -> Option<Place> {
        let hire = state.growing
            && state.idle == 0
            && state.crew.len() < state.ledger.bounds.concurrency
            && state.ledger.is_worth_a_worker(state.crew.len());
        hire.then(|| Place(state.crew.insert(None)))
    }

    #[cold]
    pub(super) fn launch(self: &Arc<Self>, place: Place) {
        let worker = Worker::new(Arc::clone(self), place.0);
        O::launch(&self.runtime, worker.work().instrument(self.span.clone()));
    }

    /// Waits for permits; `None` if the fan-out stopped meanwhile.
    pub(super) async fn admit(&self, weight: u32) -> Option<Result<Permits, Rejected>> {
        let admission = &self.setting.admission;
        if let Some(permits) = admission.try_admit(weight) {
            return Some(Ok(permits));
        }
        let _turn = self.counter.lock().await;
        let mut admitting = Box::pin(admission.admit(weight));
        let permits = poll_fn(|context| {
            let mut state = self.state();
            if state.ledger.stopped().is_some() {
                return Poll::Ready(None);
            }
            state.ledger.apply(context.waker());
            drop(state);
            admitting.as_mut().poll(context).map(Some)
        });
        permits.await
    }

    /// Nothing new is started, and what runs is dropped or may go on, as was asked for.
    pub(super) fn stop(&self, reason: StopReason) {
        self.state().ledger.stop(reason);
        self.after_stop();
    }

    /// To be called after anything that may have stopped the ledger, outside the lock.
    pub(super) fn after_stop(&self) {
        let mut state = self.state();
        if state.ledger.stopped().is_none() {
            return;
        }
        let supervisor = state.supervisor.take();
        drop(state);
        if let Some(supervisor) = supervisor {
            supervisor.wake();
        }
        if self.on_stop == OnStop::Abort {
            self.abort();
        } else {
            // Those who wait for another attempt do so no longer.
            self.wake_crew();
        }
    }

    /// What runs is dropped.
    pub(super) fn abort(&self) {
        if !self.aborting.swap(true, Ordering::AcqRel) {
            self.wake_crew();
        }
    }

    pub(super) fn wake_crew(&self) {
        let mut state = self.state();
        let crew: Vec<_> = state.crew.iter().filter_map(|(_, task)| task.clone()).collect();
        state.ledger.wake_waiter();
        drop(state);
        crew.into_iter().for_each(Waker::wake);
    }
}

/// Who dropped the end of the fan-out closed no books: the last of those who shared them does.
impl<S: Source, O, C: Classes<S::Item>, A, T, E> Drop for Shared<S, O, C, A, T, E> {
    fn drop(&mut self) {
        let now = self.setting.now();
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if !state.ledger.is_settled() {
            let _ = self.last.set(Progress::new(&state.ledger, now));
            let _garbage = settle(&mut state.ledger, self.setting.cells.as_deref(), now);
        }
    }
}

/// The locked state. Whoever was to be told something meanwhile is woken after the lock is
/// released, because wakers are foreign code.
pub(super) struct Locked<'a, S: Source, C: Classes<S::Item>, T, E> {
    /// Taken by `drop`.
    state: Option<MutexGuard<'a, State<S, C, T, E>>>,
    stopping: &'a AtomicBool,
    owner: &'a AtomicUsize,
}

impl<S: Source, C: Classes<S::Item>, T, E> std::ops::Deref for Locked<'_, S, C, T, E> {
    type Target = State<S, C, T, E>;

    #[inline]
    fn deref(&self) -> &Self::Target {
        self.state.as_ref().expect("locked until dropped")
    }
}

impl<S: Source, C: Classes<S::Item>, T, E> std::ops::DerefMut for Locked<'_, S, C, T, E> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.state.as_mut().expect("locked until dropped")
    }
}

/// Wakes after unlocking.
impl<S: Source, C: Classes<S::Item>, T, E> Drop for Locked<'_, S, C, T, E> {
    #[inline]
    fn drop(&mut self) {
        if let Some(mut state) = self.state.take() {
            self.owner.store(0, Ordering::Relaxed);
            if state.ledger.stopped().is_some() {
                self.stopping.store(true, Ordering::Relaxed);
            }
            if state.ledger.has_due() {
                let due = state.ledger.take_due();
                drop(state);
                due.into_iter().flatten().for_each(Waker::wake);
            }
        }
    }
}

impl<S: Source, C: Classes<S::Item>, T, E> State<S, C, T, E> {
    /// How to wake a worker whose item is pending.
    pub(super) fn set_task(&mut self, place: usize, task: Waker) {
        self.crew[place] = Some(task);
    }

    /// A worker goes home. Says who else has to hear of it.
    pub(super) fn leave(&mut self, place: usize) -> Option<Waker> {
        self.crew.remove(place);
        // Others at the gate look whether there is anything left for them.
        self.ledger.wake_waiter();
        if !self.ledger.is_over() {
            return None;
        }
        self.ledger.wake_consumer();
        self.supervisor.take()
    }

    /// Whether the work that is left pays for a second worker.
    pub(super) fn pay_for_others(&mut self) -> bool {
        self.sizer.set_workers(self.workers);
        let paying = self.sizer.paying_workers(self.ledger.remaining());
        self.sizer.set_workers(NonZeroUsize::MIN);
        paying.is_some_and(|workers| workers.get() > 1)
    }

    /// Chunks are shares for all workers from now on.
    pub(super) fn size_for_all(&mut self) {
        self.sizer.set_workers(self.workers);
    }

    pub(super) fn workers(&self) -> usize {
        self.crew.len()
    }
}

/// How many workers can compute at the same time.
pub(super) fn workers<I, O: Operate<I>>(concurrency: usize, runtime: &Handle) -> NonZeroUsize {
    let threads = O::threads(runtime).max(1);
    NonZeroUsize::new(concurrency.min(threads)).unwrap_or(NonZeroUsize::MIN)
}

/// Tells threads apart; never 0.
#[inline]
fn this_thread() -> usize {
    thread_local!(static HERE: u8 = const { 0 });
    HERE.with(|here| std::ptr::from_ref(here) as usize)
}

/// Adds a worker whenever something is pushed.
struct Grow<X>(Weak<X>);

impl<S, O, C, A, T, E> Wake for Grow<Shared<S, O, C, A, T, E>>
where
    S: Source<Item: Send + 'static> + Send + 'static,
    O: Operate<S::Item, Value = T, Error = E>,
    C: Classes<S::Item, Key: Send + 'static> + Send + 'static,
    A: Attempts<S::Item, E> + Send + Sync + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if let Some(shared) = self.0.upgrade() {
            shared.look_for_pushed();
        }
    }
}
