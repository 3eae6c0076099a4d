//! Permits that are kept for claims, so that one that waits for another connection can go on.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use super::gate::SHORTLY;
use crate::{
    Acquire, Limiter, Outcome, Permit, RejectReason, Rejected,
    limiter::{Loose, Site},
};

/// As many permits as the largest claim may take beyond its first, for as long as there are claims.
///
/// One claim at a time may use them, and gives them back once it holds no more than it has permits
/// of its own for. Who has the turn waits for nobody, so it always comes to the next: claims
/// cannot wait for each other for ever, however the limit moves meanwhile. The permits are out all
/// the time, so use of them is within the limit.
pub(super) struct Spare {
    limiter: Limiter,
    kept: Mutex<Kept>,
    turn: Arc<Semaphore>,
}

#[derive(Default)]
struct Kept {
    /// What each of the claims may take beyond its first connection, in no order.
    claims: Vec<u32>,
    size: u32,
    loose: Vec<Loose>,
}

impl Kept {
    /// Takes away what no claim needs that is left.
    fn shrink(&mut self) -> Vec<Loose> {
        let needed = self.claims.iter().copied().max().unwrap_or(0);
        let mut surplus = Vec::new();
        while self.size > needed
            && let Some(mut loose) = self.loose.pop()
        {
            let weight = loose.weight().min(self.size - needed);
            self.size -= weight;
            surplus.extend(loose.split_off(weight));
            if loose.weight() > 0 {
                self.loose.push(loose);
            }
        }
        surplus
    }
}

impl Spare {
    pub(super) fn new(limiter: Limiter) -> Arc<Self> {
        Arc::new(Self { limiter, kept: Mutex::default(), turn: Arc::new(Semaphore::new(1)) })
    }

    /// Waits for the permit of a claim that may take `beyond` connections after its first, and for
    /// what the spare lacks for it, at once: who waits here holds no permit of the limiter.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the queue.
    pub(super) async fn join(
        self: &Arc<Self>,
        beyond: u32,
        deadline: Instant,
        site: Site,
    ) -> Result<(Permit, Membership), Rejected> {
        let mut missing = beyond.saturating_sub(self.kept().size);
        loop {
            let request = Acquire::new().weight(1 + missing).deadline(deadline);
            let mut permit = self.limiter.acquire_with(request).on_behalf_of(site).await?;
            let loose = match missing {
                0 => None,
                // What is lent cannot be kept: it has to go back with who lent it.
                _ => Some(permit.split_off(missing).ok_or_else(|| {
                    self.limiter.uncounted_refusal(RejectReason::Nested, SHORTLY)
                })?),
            };
            if let Some(membership) = self.admit(beyond, loose) {
                return Ok((permit, membership));
            }
            // The claims that the spare was kept for have gone, and it with them. Another time for
            // everything.
            permit.complete(Outcome::Ignore);
            missing = beyond;
        }
    }

    /// Counts a claim and keeps what the spare lacks for it, unless that is not enough.
    fn admit(self: &Arc<Self>, beyond: u32, loose: Option<Loose>) -> Option<Membership> {
        // Dropped outside the lock: what comes free wakes others.
        let mut surplus = loose;
        let mut kept = self.kept();
        let lacking = beyond.saturating_sub(kept.size);
        if lacking > 0 {
            let needed = surplus.as_mut()?.split_off(lacking)?;
            kept.size += lacking;
            kept.loose.push(needed);
        }
        kept.claims.push(beyond);
        drop(kept);
        Some(Membership { spare: Arc::clone(self), beyond })
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One claim that the spare is kept for.
pub(super) struct Membership {
    spare: Arc<Spare>,
    beyond: u32,
}

impl Membership {
    /// Waits for the turn to use the spare; it ends when what is returned is dropped.
    pub(super) async fn turn(&self) -> OwnedSemaphorePermit {
        let turn = Arc::clone(&self.spare.turn).acquire_owned();
        turn.await.expect("never closed")
    }
}

/// What nobody needs who is left goes back. Who has the turn is still a member, so nothing of it is
/// in use.
impl Drop for Membership {
    fn drop(&mut self) {
        let mut kept = self.spare.kept();
        if let Some(index) = kept.claims.iter().position(|beyond| *beyond == self.beyond) {
            kept.claims.swap_remove(index);
        }
        let surplus = kept.shrink();
        // Outside the lock: it wakes others.
        drop(kept);
        drop(surplus);
    }
}
