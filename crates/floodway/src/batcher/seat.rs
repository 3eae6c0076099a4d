//! Where a caller waits for the answer to its item.

use std::{
    mem,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use tokio::sync::Notify;

use crate::sync::{Mutex, MutexGuard, PoisonError};

/// The place of one caller, shared by the caller and whoever has its item: the queue, then a batch.
///
/// ```text
/// Queued --board--> Aboard --answer--> Answered --poll--> Empty
///    |                 |                   |                ^
///    +----- leave -----+------ leave ------+----------------+
/// ```
///
/// An item that is refused in the queue goes from `Queued` to `Answered`.
pub(super) struct Seat<A>(Mutex<State<A>>);

enum State<A> {
    Queued(Option<Waker>),
    Aboard(Option<Waker>, Option<Arc<Riders>>),
    Answered(A),
    Empty,
}

/// How far an item had come whose caller went away.
pub(super) enum Left {
    /// It waited, and will not be sent.
    Queued,
    /// It was sent, or had its answer.
    Sent,
}

impl<A> Seat<A> {
    pub(super) fn new() -> Self {
        Self(Mutex::new(State::Queued(None)))
    }

    /// The caller's side: the answer, once.
    pub(super) fn poll(&self, context: &Context<'_>) -> Poll<A> {
        let mut state = self.lock();
        match &mut *state {
            State::Queued(waker) | State::Aboard(waker, _) => {
                match waker {
                    Some(waker) => waker.clone_from(context.waker()),
                    None => *waker = Some(context.waker().clone()),
                }
                Poll::Pending
            }
            State::Answered(_) => {
                let answered = mem::replace(&mut *state, State::Empty);
                drop(state);
                let State::Answered(answer) = answered else { unreachable!("it was answered") };
                Poll::Ready(answer)
            }
            State::Empty => panic!("polled after it gave its answer"),
        }
    }

    /// The caller's side: it goes away. An answer that nobody took is dropped.
    pub(super) fn leave(&self) -> Left {
        let left = mem::replace(&mut *self.lock(), State::Empty);
        match left {
            State::Queued(_) => Left::Queued,
            State::Aboard(_, riders) => {
                if let Some(riders) = riders {
                    riders.leave();
                }
                Left::Sent
            }
            State::Answered(_) | State::Empty => Left::Sent,
        }
    }

    /// Takes the item's caller into a batch, unless it has gone: from now on the item is sent.
    pub(super) fn board(&self, riders: Option<&Arc<Riders>>) -> bool {
        let mut state = self.lock();
        let State::Queued(waker) = &mut *state else {
            return false;
        };
        let waker = waker.take();
        if let Some(riders) = riders {
            riders.join();
        }
        *state = State::Aboard(waker, riders.cloned());
        true
    }

    /// Leaves the answer; whoever calls this has to wake the caller, outside all locks. An answer
    /// for nobody is dropped.
    pub(super) fn answer(&self, answer: A) -> Option<Waker> {
        let mut state = self.lock();
        let (State::Queued(waker) | State::Aboard(waker, _)) = &mut *state else {
            return None;
        };
        let waker = waker.take();
        let before = mem::replace(&mut *state, State::Answered(answer));
        drop(state);
        drop(before);
        waker
    }

    /// As [`answer`](Self::answer), for one who still waits in the queue; tells whether it did.
    pub(super) fn refuse(&self, answer: A) -> (bool, Option<Waker>) {
        let mut state = self.lock();
        let State::Queued(waker) = &mut *state else {
            return (false, None);
        };
        let waker = waker.take();
        *state = State::Answered(answer);
        (true, waker)
    }

    /// Whether its caller waits in the queue.
    pub(super) fn waits(&self) -> bool {
        matches!(*self.lock(), State::Queued(_))
    }

    /// Who waits in the queue, for a wake without an answer.
    pub(super) fn waker(&self) -> Option<Waker> {
        match &*self.lock() {
            State::Queued(waker) => waker.clone(),
            _ => None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<A>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many callers of a batch are still there, for one that ends when all have gone.
#[derive(Debug)]
pub(super) struct Riders {
    /// And one for the batch, until all are aboard.
    left: AtomicUsize,
    gone: Notify,
}

impl Riders {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { left: AtomicUsize::new(1), gone: Notify::new() })
    }

    fn join(&self) {
        // Relaxed: it only counts.
        self.left.fetch_add(1, Ordering::Relaxed);
    }

    /// One has left; also said once by the batch when all are aboard.
    pub(super) fn leave(&self) {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.gone.notify_one();
        }
    }

    /// Resolves when nobody is left.
    pub(super) async fn all_gone(&self) {
        self.gone.notified().await;
    }
}

/// Every interleaving: run with `cargo xtask loom`.
#[cfg(all(test, floodway_loom))]
mod loom_tests {
    use std::future::poll_fn;

    use loom::{future::block_on, model::Builder, sync::Arc, thread};

    use super::*;

    fn explore(model: impl Fn() + Send + Sync + 'static) {
        let mut builder = Builder::new();
        builder.preemption_bound = Some(3);
        builder.check(model);
    }

    #[test]
    fn an_answer_reaches_the_caller() {
        explore(|| {
            let seat = Arc::new(Seat::new());
            let batch = Arc::clone(&seat);
            let batch = thread::spawn(move || {
                assert!(batch.board(None));
                if let Some(waker) = batch.answer(7) {
                    waker.wake();
                }
            });
            assert_eq!(block_on(poll_fn(|context| seat.poll(context))), 7);
            batch.join().unwrap();
        });
    }

    #[test]
    fn who_leaves_before_the_batch_is_not_sent_and_who_leaves_later_is() {
        explore(|| {
            let seat = Arc::new(Seat::<u32>::new());
            let batch = Arc::clone(&seat);
            let batch = thread::spawn(move || {
                let sent = batch.board(None);
                if sent {
                    batch.answer(7);
                }
                sent
            });
            let left = matches!(seat.leave(), Left::Queued);
            assert_eq!(batch.join().unwrap(), !left);
        });
    }

    #[test]
    fn a_refusal_and_a_batch_never_both_have_a_caller() {
        explore(|| {
            let seat = Arc::new(Seat::new());
            let batch = Arc::clone(&seat);
            let batch = thread::spawn(move || batch.board(None) && batch.answer(1).is_none());
            let (refused, _) = seat.refuse(2);
            let sent = batch.join().unwrap();
            assert_ne!(refused, sent);
            let answer = block_on(poll_fn(|context| seat.poll(context)));
            assert_eq!(answer, if refused { 2 } else { 1 });
        });
    }
}
