//! An attempt to obtain a connection that nobody can interrupt.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use super::{Pool, gate::Gate};
use crate::{Outcome, Permit};

type Attempt<P> = dyn Future<Output = Result<<P as Pool>::Connection, <P as Pool>::Error>> + Send;

/// Polls the pool's `acquire` in place; if dropped before it is ready, moves it to a task of its
/// own.
///
/// A task from the start would be simpler and cost a spawn per connection, while almost every
/// attempt is ready before anybody can lose patience.
pub(super) struct Detached<P: Pool> {
    gate: Arc<Gate<P>>,
    /// `None` once the attempt is over. The permit goes where the connection goes.
    pending: Option<(Pin<Box<Attempt<P>>>, Permit)>,
}

impl<P: Pool> Detached<P> {
    pub(super) fn new(gate: Arc<Gate<P>>, permit: Permit) -> Self {
        let attempt = Box::pin(gate.pool.acquire());
        Self { gate, pending: Some((attempt, permit)) }
    }
}

impl<P: Pool> Future for Detached<P> {
    type Output = (Result<P::Connection, P::Error>, Permit);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let (attempt, _) = self.pending.as_mut().expect("polled after completion");
        let Poll::Ready(result) = attempt.as_mut().poll(context) else {
            return Poll::Pending;
        };
        self.gate.note(&result);
        let (_, permit) = self.pending.take().expect("just polled");
        Poll::Ready((result, permit))
    }
}

/// Goes on in the background, because dropping the pool's future halfway closes the connection in
/// many pools.
impl<P: Pool> Drop for Detached<P> {
    fn drop(&mut self) {
        let Some((attempt, permit)) = self.pending.take() else {
            return;
        };
        let gate = Arc::clone(&self.gate);
        self.gate.runtime.spawn(async move {
            let result = attempt.await;
            gate.note(&result);
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
            gate.give_back(permit, outcome);
        });
    }
}
