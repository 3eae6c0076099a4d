//! Connections that are kept for claims, so that one that waits for another connection can go on.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};

use super::gate::SHORTLY;
use crate::{Acquire, Limiter, Outcome, Permit, RejectReason, Rejected};

/// As many permits as the largest claim may take beyond its first, for as long as there are claims.
///
/// One claim at a time may use them, and gives them back once it holds a single connection. Who
/// has the turn waits for nobody, so it always comes to the next: claims cannot wait for each other
/// for ever, however the limit moves meanwhile. The permits are out all the time, so use of them
/// is within the limit.
pub(super) struct Spare {
    limiter: Limiter,
    kept: Mutex<Kept>,
    /// Held while the spare grows, so that not two claims wait for what one of them needs.
    growing: Semaphore,
    turn: Arc<Semaphore>,
}

#[derive(Default)]
struct Kept {
    claims: u32,
    size: u32,
    permits: Vec<Permit>,
}

impl Spare {
    pub(super) fn new(limiter: Limiter) -> Arc<Self> {
        Arc::new(Self {
            limiter,
            kept: Mutex::default(),
            growing: Semaphore::new(1),
            turn: Arc::new(Semaphore::new(1)),
        })
    }

    /// Makes sure that a claim of `beyond` connections after its first can go on, as long as the
    /// membership lives.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives back what it has got.
    pub(super) async fn join(
        self: &Arc<Self>,
        beyond: u32,
        deadline: Instant,
    ) -> Result<Membership, Rejected> {
        // Counted first: while somebody joins, nothing of it goes away.
        self.kept().claims += 1;
        let membership = Membership(Arc::clone(self));
        if self.kept().size >= beyond {
            return Ok(membership);
        }
        let late = || self.limiter.uncounted_refusal(RejectReason::Deadline, SHORTLY);
        let growing = timeout_at(deadline, self.growing.acquire()).await.map_err(|_| late())?;
        let _growing = growing.expect("never closed");
        let missing = beyond.saturating_sub(self.kept().size);
        if missing > 0 {
            let request = Acquire::new().weight(missing).deadline(deadline);
            let permit = self.limiter.acquire_with(request).await?;
            let mut kept = self.kept();
            kept.size += missing;
            kept.permits.push(permit);
        }
        Ok(membership)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One claim that the spare is kept for.
pub(super) struct Membership(Arc<Spare>);

impl Membership {
    /// Waits for the turn to use the spare; it ends when what is returned is dropped.
    pub(super) async fn turn(&self) -> OwnedSemaphorePermit {
        let turn = Arc::clone(&self.0.turn).acquire_owned();
        turn.await.expect("never closed")
    }
}

/// The last one gives the permits back.
impl Drop for Membership {
    fn drop(&mut self) {
        let given_back = {
            let mut kept = self.0.kept();
            kept.claims -= 1;
            if kept.claims > 0 {
                return;
            }
            kept.size = 0;
            std::mem::take(&mut kept.permits)
        };
        // Outside the lock: it wakes others.
        for permit in given_back {
            permit.complete(Outcome::Ignore);
        }
    }
}
