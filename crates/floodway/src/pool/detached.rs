//! An attempt to obtain a connection that nobody can interrupt.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use super::{
    Pool,
    gate::{Blocked, Gate, Probe, Right},
    holds::Phase,
};
use crate::{Outcome, limiter::Site};

type Attempt<P> =
    Pin<Box<dyn Future<Output = Result<<P as Pool>::Connection, <P as Pool>::Error>> + Send>>;

/// Polls the pool's `acquire` in place; if dropped before it is ready, moves it to a task of its
/// own.
///
/// A task from the start would be simpler and cost a spawn per connection, while almost every
/// attempt is ready before anybody can lose patience.
pub(super) struct Detached<P: Pool> {
    /// `None` while it is polled, so that one that panics is not polled again, and once it is over.
    pending: Option<(Attempt<P>, Attempting<P>)>,
    site: Site,
}

/// What an attempt has taken, to be given back however it ends. The right to it goes where the
/// connection goes.
struct Attempting<P: Pool> {
    /// Both `None` once they have gone on.
    gate: Option<Arc<Gate<P>>>,
    right: Option<Right>,
    /// Among what is out, once it was not ready at once.
    hold: Option<usize>,
    /// Keeps others from asking while connecting fails.
    probe: Option<Probe<P>>,
    blocked: Option<Blocked<P>>,
    outcome: Outcome,
}

impl<P: Pool> Detached<P> {
    pub(super) fn new(
        gate: Arc<Gate<P>>,
        right: Right,
        probe: Option<Probe<P>>,
        blocked: Option<Blocked<P>>,
        site: Site,
    ) -> Self {
        let attempt: Attempt<P> = Box::pin(gate.pool.acquire());
        let (gate, right) = (Some(gate), Some(right));
        let outcome = Outcome::Ignore;
        let attempting = Attempting { gate, right, hold: None, probe, blocked, outcome };
        Self { pending: Some((attempt, attempting)), site }
    }

    pub(super) fn gate(&self) -> &Arc<Gate<P>> {
        let (_, attempting) = self.pending.as_ref().expect("asked while the attempt goes on");
        attempting.gate()
    }

    /// Whether it waits in the pool for what others use.
    pub(super) fn is_blocked(&self) -> bool {
        self.pending.as_ref().is_some_and(|(_, attempting)| attempting.blocked.is_some())
    }
}

impl<P: Pool> Future for Detached<P> {
    type Output = (Result<P::Connection, P::Error>, Arc<Gate<P>>, Right);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // In one piece, so that after a panic the attempt goes before its permit.
        let mut pending = self.pending.take().expect("polled after completion");
        let (attempt, attempting) = &mut pending;
        let Poll::Ready(result) = attempt.as_mut().poll(context) else {
            attempting.takes_long(Phase::Obtaining, self.site);
            self.pending = Some(pending);
            return Poll::Pending;
        };
        attempting.note(&result);
        let (gate, right) = attempting.gate.take().zip(attempting.right.take()).expect("once");
        Poll::Ready((result, gate, right))
    }
}

/// Goes on in the background, because dropping the pool's future halfway closes the connection in
/// many pools.
impl<P: Pool> Drop for Detached<P> {
    fn drop(&mut self) {
        let Some((attempt, mut attempting)) = self.pending.take() else {
            return;
        };
        attempting.gate().cells.abandoned.increment(0);
        let (site, runtime) = (self.site, attempting.gate().runtime.clone());
        runtime.spawn(async move {
            let result = attempt.await;
            attempting.note(&result);
            match result {
                // Nobody used it: neither a success nor a use to be measured.
                Ok(connection) => {
                    if let Some(release) = attempting.gate().pool.release(connection) {
                        attempting.takes_long(Phase::Returning, site);
                        release.await;
                    }
                }
                Err(_) => attempting.failed(),
            }
        });
    }
}

impl<P: Pool> Attempting<P> {
    fn gate(&self) -> &Arc<Gate<P>> {
        self.gate.as_ref().expect("there while the attempt goes on")
    }

    #[cold]
    fn takes_long(&mut self, phase: Phase, site: Site) {
        if self.hold.is_none() {
            let gate = self.gate();
            let (hold, _) = gate.holds.begin(gate.clock.now(), phase, site);
            self.hold = Some(hold);
        }
    }

    fn note(&mut self, result: &Result<P::Connection, P::Error>) {
        // It holds a connection from here on, or is over.
        self.blocked = None;
        self.gate().note(result);
        self.probe = None;
        self.end_hold();
    }

    const fn failed(&mut self) {
        self.outcome = Outcome::Overload;
    }

    fn end_hold(&mut self) {
        if let Some(hold) = self.hold.take() {
            self.gate().holds.end(hold);
        }
    }
}

/// What was not passed on: after an error, a panic, or the end of the runtime.
impl<P: Pool> Drop for Attempting<P> {
    fn drop(&mut self) {
        // Before the permit: what counts as blocked has one.
        self.blocked = None;
        self.end_hold();
        if let (Some(gate), Some(right)) = (self.gate.take(), self.right.take()) {
            gate.give_back(right, self.outcome, gate.clock.now());
        }
    }
}
