//! The right of one operation to hold several connections.

mod claimed;
mod up_to;

use std::{any::Any, fmt, sync::Arc};

use tokio::{task_local, time::Instant};

pub(super) use self::claimed::{Claimed, Live, NoPlace, Share};
use super::{ConnectionError, Pool, Pooled, gate::Gate};
use crate::limiter::Site;

/// The right of one operation to hold up to a number of connections at a time, obtained before it
/// holds any. Made by [`PoolLimiter::claim`](crate::PoolLimiter::claim).
///
/// Take connections with [`connection`](Self::connection); or run the operation in
/// [`scope`](Self::scope), inside which [`PoolLimiter::connection`](crate::PoolLimiter::connection)
/// takes them from the claim.
///
/// Connections may outlive the claim they were taken from. What it set aside comes back with the
/// last of them.
#[must_use = "a claim that is dropped at once was obtained for nothing"]
pub struct Claim<P: Pool> {
    gate: Arc<Gate<P>>,
    claimed: Arc<Claimed>,
}

impl<P: Pool> Claim<P> {
    pub(super) fn new(gate: Arc<Gate<P>>, claimed: Arc<Claimed>) -> Self {
        Self { gate, claimed }
    }

    /// Waits for a connection until `deadline`.
    ///
    /// # Errors
    ///
    /// [`ConnectionError::NestedAcquire`] at once if the claim holds as many as it may; otherwise
    /// as for [`PoolLimiter::connection`](crate::PoolLimiter::connection).
    ///
    /// # Cancel safety
    ///
    /// As for [`PoolLimiter::connection`](crate::PoolLimiter::connection).
    #[track_caller]
    pub fn connection(
        &self,
        deadline: Instant,
    ) -> impl Future<Output = Result<Pooled<P>, ConnectionError<P::Error>>> + Send + use<P> {
        let (gate, claimed) = (Arc::clone(&self.gate), Arc::clone(&self.claimed));
        let site = Site::here();
        async move { gate.connection_of(claimed, deadline, site).await }
    }

    /// Runs `operation` inside this claim: where it asks the same pool limiter for a connection, in
    /// the same task, it gets one of the claim's.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops `operation`.
    pub fn scope<F: Future>(&self, operation: F) -> impl Future<Output = F::Output> + use<P, F> {
        let (gate, claimed) = (Arc::clone(&self.gate), Arc::clone(&self.claimed));
        async move {
            // Asked for where it runs: it may be made outside of the scope that it runs in.
            let outer = SCOPE.try_with(Arc::clone).ok();
            let frame = Frame { gate, claimed, outer };
            SCOPE.scope(Arc::new(frame), operation).await
        }
    }

    /// How many connections may be held at a time.
    #[must_use]
    pub fn weight(&self) -> u32 {
        self.claimed.weight()
    }

    /// How many are held, or being obtained, now.
    #[must_use]
    pub fn held(&self) -> u32 {
        self.claimed.held()
    }
}

impl<P: Pool> fmt::Debug for Claim<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim")
            .field("limiter", &self.gate.limiter.name())
            .field("weight", &self.weight())
            .field("held", &self.held())
            .finish()
    }
}

task_local! {
    static SCOPE: Arc<Frame>;
}

/// A claim that the task runs inside of.
struct Frame {
    /// Kept alive, so that nothing else comes to have its address.
    gate: Arc<dyn Any + Send + Sync>,
    claimed: Arc<Claimed>,
    outer: Option<Arc<Self>>,
}

fn address(gate: &Arc<dyn Any + Send + Sync>) -> usize {
    Arc::as_ptr(gate).cast::<()>() as usize
}

/// The claim on the pool limiter at `gate` that the calling code runs inside of, if it does.
pub(super) fn current(gate: usize) -> Option<Arc<Claimed>> {
    SCOPE
        .try_with(|frame| {
            let mut frames = std::iter::successors(Some(frame), |frame| frame.outer.as_ref());
            frames
                .find(|frame| address(&frame.gate) == gate)
                .map(|frame| Arc::clone(&frame.claimed))
        })
        .ok()
        .flatten()
}
