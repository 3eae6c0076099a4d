//! An attempt to obtain a connection that nobody can interrupt.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use super::{
    Pool,
    gate::{Gate, Probe, Right},
    holds::Phase,
};
use crate::{Outcome, limiter::Site};

type Attempt<P> = dyn Future<Output = Result<<P as Pool>::Connection, <P as Pool>::Error>> + Send;

/// Polls the pool's `acquire` in place; if dropped before it is ready, moves it to a task of its
/// own.
///
/// A task from the start would be simpler and cost a spawn per connection, while almost every
/// attempt is ready before anybody can lose patience.
pub(super) struct Detached<P: Pool> {
    gate: Arc<Gate<P>>,
    site: Site,
    /// Among what is out, once it was not ready at once.
    hold: Option<usize>,
    /// Keeps others from asking while connecting fails.
    probe: Option<Probe<P>>,
    /// `None` once the attempt is over. The right to it goes where the connection goes.
    pending: Option<(Pin<Box<Attempt<P>>>, Right)>,
}

impl<P: Pool> Detached<P> {
    pub(super) fn new(
        gate: Arc<Gate<P>>,
        right: Right,
        probe: Option<Probe<P>>,
        site: Site,
    ) -> Self {
        let attempt = Box::pin(gate.pool.acquire());
        Self { gate, site, hold: None, probe, pending: Some((attempt, right)) }
    }

    pub(super) const fn gate(&self) -> &Arc<Gate<P>> {
        &self.gate
    }
}

impl<P: Pool> Future for Detached<P> {
    type Output = (Result<P::Connection, P::Error>, Right);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let (attempt, _) = this.pending.as_mut().expect("polled after completion");
        let Poll::Ready(result) = attempt.as_mut().poll(context) else {
            let gate = &this.gate;
            this.hold.get_or_insert_with(|| {
                gate.holds.begin(gate.clock.now(), Phase::Obtaining, this.site).0
            });
            return Poll::Pending;
        };
        if let Some(hold) = this.hold.take() {
            this.gate.holds.end(hold);
        }
        this.gate.note(&result);
        this.probe = None;
        let (_, right) = this.pending.take().expect("just polled");
        Poll::Ready((result, right))
    }
}

/// Goes on in the background, because dropping the pool's future halfway closes the connection in
/// many pools.
impl<P: Pool> Drop for Detached<P> {
    fn drop(&mut self) {
        let Some((attempt, right)) = self.pending.take() else {
            return;
        };
        let gate = Arc::clone(&self.gate);
        let (hold, probe) = (self.hold.take(), self.probe.take());
        gate.cells.abandoned.increment(0);
        self.gate.runtime.spawn(async move {
            let result = attempt.await;
            gate.note(&result);
            drop(probe);
            let outcome = match result {
                // Nobody used it: neither a success nor a use to be measured.
                Ok(connection) => {
                    if let Some(release) = gate.pool.release(connection) {
                        release.await;
                    }
                    Outcome::Ignore
                }
                Err(_) => Outcome::Overload,
            };
            if let Some(hold) = hold {
                gate.holds.end(hold);
            }
            gate.give_back(right, outcome);
        });
    }
}
