//! Every interleaving of a few callers: run with `cargo xtask loom`.

use std::{
    future::poll_fn,
    sync::{
        Arc as StdArc, LazyLock,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    task::{Poll, Waker},
};

use floodway_control::{Controller, Fixed};
use loom::{future::block_on, model::Builder, sync::Arc, thread};
use tokio::runtime::Runtime;

use super::{
    super::{
        cells::{Cells, Instrumentation},
        mode::Mode,
        nested::Nesting,
        partition::Partitions,
        permit::Granted,
        queue::{Fate, Queue},
        rejected::RejectReason,
    },
    Admission, Control, Core, Want,
};
use crate::{Clock, Outcome};

fn core(limit: u32) -> Arc<Core> {
    Arc::new(core_of(limit))
}

fn core_of(limit: u32) -> Core {
    let control = Control {
        controller: Controller::new(Box::new(Fixed::new(limit)), (1, 8)),
        bounded: true,
        ceilings: Vec::new(),
        mode: Mode::Enforce,
    };
    let cells = StdArc::new(Cells::new(Instrumentation::Counts));
    let partitions = Partitions::default();
    Core::new("loom".into(), &Queue::fifo(), partitions, cells, Clock::tokio(), control)
}

/// Joins the queue as a waiter on a runtime that nobody drives: deadlines are not explored here.
fn enqueue(core: &Core, want: Want, waker: &Waker) -> Admission {
    static RUNTIME: LazyLock<Runtime> =
        LazyLock::new(|| tokio::runtime::Builder::new_current_thread().build().expect("a runtime"));
    let admission = core.enqueue(want, None, RUNTIME.handle().id(), waker);
    if let Admission::Queued { .. } = &admission {
        core.hand_off_if_room();
    }
    admission
}

/// What `Acquiring` does, without its timer.
async fn acquire(core: &Core, want: Want) -> Result<Granted, RejectReason> {
    let mut ticket = None;
    poll_fn(|context| {
        let Some(known) = ticket else {
            if let Ok(granted) = core.try_acquire(want) {
                return Poll::Ready(Ok(granted));
            }
            return match enqueue(core, want, context.waker()) {
                Admission::Granted(granted) => Poll::Ready(Ok(granted)),
                Admission::Refused(reason) => Poll::Ready(Err(reason)),
                Admission::Queued { ticket: queued, .. } => {
                    ticket = Some(queued);
                    Poll::Pending
                }
            };
        };
        match core.poll_waiter(known, context.waker()).0 {
            Fate::Waiting => Poll::Pending,
            Fate::Granted(granted, _) => Poll::Ready(Ok(granted)),
            Fate::Refused(reason) => Poll::Ready(Err(reason)),
        }
    })
    .await
}

/// Acquires, checks that at most `limit` do so at once, and releases.
fn operate(core: &Core, running: &AtomicU32, limit: u32) {
    let granted = block_on(acquire(core, Want::ONE)).expect("nothing closes");
    let now = running.fetch_add(1, SeqCst) + 1;
    assert!(now <= limit, "{now} under a limit of {limit}");
    thread::yield_now();
    running.fetch_sub(1, SeqCst);
    core.release(granted, 0, Outcome::Success);
}

#[track_caller]
fn at_rest(core: &Core) {
    let state = core.state();
    assert_eq!((state.in_flight(), state.is_queued(), core.queued()), (0, false, 0));
    assert_eq!(core.operations(), 0);
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
                match enqueue(&core, Want::ONE, &waker) {
                    Admission::Granted(granted) => core.release(granted, 0, Outcome::Ignore),
                    Admission::Queued { ticket, .. } => core.abandon_waiter(ticket),
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
        let held = core.try_acquire(Want::ONE).expect("free");
        let waiting = {
            let core = Arc::clone(&core);
            thread::spawn(move || match block_on(acquire(&core, Want::ONE)) {
                Ok(granted) => core.release(granted, 0, Outcome::Success),
                Err(reason) => assert_eq!(reason, RejectReason::Closed),
            })
        };
        let closing = {
            let core = Arc::clone(&core);
            thread::spawn(move || core.close())
        };
        core.release(held, 0, Outcome::Success);
        closing.join().expect("no panic");
        waiting.join().expect("no panic");
        at_rest(&core);
    });
}

#[test]
fn a_heavy_waiter_blocks_and_unblocks_the_light_ones_behind_it() {
    explore(2, || {
        let core = core(2);
        let held = core.try_acquire(Want::ONE).expect("free");
        let heavy = {
            let core = Arc::clone(&core);
            thread::spawn(move || {
                let want = Want { weight: 2, ..Want::ONE };
                match enqueue(&core, want, &futures::task::noop_waker()) {
                    Admission::Granted(granted) => core.release(granted, 0, Outcome::Ignore),
                    // Leaves as a caller does that lost patience: who waits behind it may pass.
                    Admission::Queued { ticket, .. } => core.abandon_waiter(ticket),
                    Admission::Refused(reason) => panic!("{reason}"),
                }
            })
        };
        let light = {
            let core = Arc::clone(&core);
            thread::spawn(move || {
                let granted = block_on(acquire(&core, Want::ONE)).expect("nothing closes");
                core.release(granted, 0, Outcome::Success);
            })
        };
        heavy.join().expect("no panic");
        light.join().expect("no panic");
        core.release(held, 0, Outcome::Success);
        at_rest(&core);
    });
}

#[test]
fn a_switch_of_the_mode_admits_who_waits_and_keeps_count() {
    explore(3, || {
        let core = core(1);
        let held = core.try_acquire(Want::ONE).expect("free");
        let waiting = {
            let core = Arc::clone(&core);
            thread::spawn(move || {
                let granted = block_on(acquire(&core, Want::ONE)).expect("nothing closes");
                core.release(granted, 0, Outcome::Success);
            })
        };
        core.set_mode(Mode::Off);
        core.set_mode(Mode::Enforce);
        core.release(held, 0, Outcome::Success);
        waiting.join().expect("no panic");
        at_rest(&core);
    });
}

/// A loan may end before, after or while the permit that it came from does.
#[test]
fn what_was_lent_comes_back_once() {
    explore(3, || {
        let core = StdArc::new(core_of(1));
        let granted = core.try_acquire(Want::ONE).expect("free");
        let (lender, borrowed) = Nesting::lend(&core, granted, 1);
        let nested = {
            let core = StdArc::clone(&core);
            thread::spawn(move || borrowed.1.end(&core, borrowed.0, Outcome::Success))
        };
        let next = {
            let core = StdArc::clone(&core);
            thread::spawn(move || {
                let granted = block_on(acquire(&core, Want::ONE)).expect("nothing closes");
                core.release(granted, 0, Outcome::Success);
            })
        };
        lender.end(&core, granted, Outcome::Success);
        nested.join().expect("no panic");
        next.join().expect("no panic");
        at_rest(&core);
    });
}
