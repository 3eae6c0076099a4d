//! Every interleaving of a few callers: run with `cargo xtask loom`.

use std::{
    future::poll_fn,
    sync::atomic::{AtomicU32, Ordering::SeqCst},
    task::Poll,
};

use floodway_control::Fixed;
use loom::{future::block_on, model::Builder, sync::Arc, thread};

use super::{
    super::{
        cells::{Cells, Instrumentation},
        permit::Granted,
        queue::{Fate, Queue},
        rejected::RejectReason,
    },
    Admission, Control, Core,
};
use crate::{Clock, Outcome};

fn core(limit: u32) -> Arc<Core> {
    let control = Control {
        algorithm: Box::new(Fixed::new(limit)),
        windows: None,
        bounds: None,
        ceilings: Vec::new(),
    };
    let cells = Cells::new(Instrumentation::Counts);
    Arc::new(Core::new("loom".into(), Queue::fifo(), cells, Clock::tokio(), control))
}

/// What `Acquiring` does, without its timer.
async fn acquire(core: &Core) -> Result<Granted, RejectReason> {
    let mut slot = None;
    poll_fn(|context| {
        let slot = match slot {
            Some(slot) => slot,
            None => {
                if let Ok(granted) = core.try_acquire() {
                    return Poll::Ready(Ok(granted));
                }
                match core.enqueue(None, context.waker()) {
                    Admission::Granted(granted) => return Poll::Ready(Ok(granted)),
                    Admission::Refused(reason) => return Poll::Ready(Err(reason)),
                    Admission::Queued { slot: queued, .. } => *slot.insert(queued),
                }
            }
        };
        match core.poll_waiter(slot, context.waker()) {
            Fate::Waiting => return Poll::Pending,
            Fate::Granted(_) | Fate::Refused(_) => {}
        }
        Poll::Ready(match core.remove_waiter(slot) {
            Fate::Granted(granted) => Ok(granted),
            Fate::Refused(reason) => Err(reason),
            Fate::Waiting => unreachable!("its fate was sealed"),
        })
    })
    .await
}

/// Acquires, checks that at most `limit` do so at once, and releases.
fn operate(core: &Core, running: &AtomicU32, limit: u32) {
    let granted = block_on(acquire(core)).expect("nothing closes");
    let now = running.fetch_add(1, SeqCst) + 1;
    assert!(now <= limit, "{now} under a limit of {limit}");
    thread::yield_now();
    running.fetch_sub(1, SeqCst);
    core.release(granted, Outcome::Success);
}

#[track_caller]
fn at_rest(core: &Core) {
    let state = core.state();
    assert_eq!((state.in_flight(), state.is_queued(), core.queued()), (0, false, 0));
    assert_eq!(core.cells.acquired.total(), core.cells.completed.total());
}

/// Explores with at most `preemptions` switches that no operation asked for: two find nearly all
/// bugs (M. Musuvathi and S. Qadeer, PLDI 2007) and every exploration ends within a minute.
fn explore(preemptions: usize, scenario: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(scenario);
}

#[test]
fn three_callers_share_one_permit() {
    explore(2, || {
        let (core, running) = (core(1), Arc::new(AtomicU32::new(0)));
        let others: Vec<_> = (0..2)
            .map(|_| {
                let (core, running) = (Arc::clone(&core), Arc::clone(&running));
                thread::spawn(move || operate(&core, &running, 1))
            })
            .collect();
        operate(&core, &running, 1);
        for other in others {
            other.join().expect("no panic");
        }
        at_rest(&core);
    });
}

#[test]
fn a_waiter_that_leaves_passes_its_permit_on() {
    explore(3, || {
        let (core, running) = (core(1), Arc::new(AtomicU32::new(0)));
        let leaving = {
            let core = Arc::clone(&core);
            thread::spawn(move || {
                let waker = futures::task::noop_waker();
                match core.enqueue(None, &waker) {
                    Admission::Granted(granted) => core.release(granted, Outcome::Ignore),
                    Admission::Queued { slot, .. } => core.abandon_waiter(slot),
                    Admission::Refused(reason) => panic!("{reason}"),
                }
            })
        };
        let other = {
            let (core, running) = (Arc::clone(&core), Arc::clone(&running));
            thread::spawn(move || operate(&core, &running, 1))
        };
        operate(&core, &running, 1);
        leaving.join().expect("no panic");
        other.join().expect("no panic");
        at_rest(&core);
    });
}

#[test]
fn a_limit_that_moves_loses_no_waiter() {
    explore(3, || {
        let (core, running) = (core(1), Arc::new(AtomicU32::new(0)));
        let other = {
            let (core, running) = (Arc::clone(&core), Arc::clone(&running));
            thread::spawn(move || operate(&core, &running, 2))
        };
        let operator = {
            let core = Arc::clone(&core);
            thread::spawn(move || {
                core.set_limit(2).expect("in bounds");
                core.set_limit(1).expect("in bounds");
            })
        };
        operate(&core, &running, 2);
        other.join().expect("no panic");
        operator.join().expect("no panic");
        at_rest(&core);
    });
}

#[test]
fn closing_reaches_every_waiter() {
    explore(3, || {
        let core = core(1);
        let held = core.try_acquire().expect("free");
        let waiting = {
            let core = Arc::clone(&core);
            thread::spawn(move || match block_on(acquire(&core)) {
                Ok(granted) => core.release(granted, Outcome::Success),
                Err(reason) => assert_eq!(reason, RejectReason::Closed),
            })
        };
        let closing = {
            let core = Arc::clone(&core);
            thread::spawn(move || core.close())
        };
        core.release(held, Outcome::Success);
        closing.join().expect("no panic");
        waiting.join().expect("no panic");
        at_rest(&core);
    });
}
