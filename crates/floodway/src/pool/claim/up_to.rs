//! What is behind the connections of a claim that has one permit of its own.

use std::{
    pin::pin,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::{
    sync::{Notify, OwnedSemaphorePermit},
    time::{Instant, timeout_at},
};

use super::super::{gate::SHORTLY, spare::Membership};
use crate::{Acquire, Limiter, Outcome, Permit, Priority, RejectReason, Rejected, limiter::Site};

/// What is behind the connections of a claim that has one permit of its own.
pub(super) struct UpTo {
    /// One of the claim's permits is behind no connection any more.
    freed: Notify,
    membership: Membership,
    /// Of the limiter that counts claims.
    _counted: Permit,
    /// One connection is obtained after the other, so that it is known what is behind those that
    /// there are.
    order: tokio::sync::Mutex<()>,
    means: Mutex<Means>,
}

/// Which of the permits are used, and by how many connections.
///
/// Those that come back give up the spare first, then what was waited for in the queue. So the
/// spare, one less than the claim, is always enough for what its own permit is not.
#[derive(Default)]
struct Means {
    used: u32,
    extra: Vec<Permit>,
    spare: u32,
    /// While `spare` is not 0.
    turn: Option<OwnedSemaphorePermit>,
}

impl Means {
    /// Uses one of the permits that there are.
    fn take(&mut self, weight: u32) -> bool {
        if self.used < 1 + self.extra.len() as u32 + self.spare {
            self.used += 1;
            return true;
        }
        let more = self.turn.is_some() && self.spare < weight - 1;
        if more {
            self.spare += 1;
            self.used += 1;
        }
        more
    }
}

impl UpTo {
    pub(super) fn new(membership: Membership, counted: Permit) -> Self {
        Self {
            freed: Notify::new(),
            membership,
            _counted: counted,
            order: tokio::sync::Mutex::default(),
            means: Mutex::default(),
        }
    }

    /// Waits for a permit behind one more connection.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives back what it has got.
    pub(super) async fn obtain(
        &self,
        weight: u32,
        limiter: &Limiter,
        deadline: Instant,
        site: Site,
    ) -> Result<(), Rejected> {
        let late = || limiter.uncounted_refusal(RejectReason::Deadline, SHORTLY);
        let _order = timeout_at(deadline, self.order.lock()).await.map_err(|_| late())?;
        if self.means().take(weight) {
            return Ok(());
        }
        // Who holds a connection goes before those who hold none, and need not wait for the queue
        // if its turn comes, or one of its own permits is free again.
        let request = Acquire::new().deadline(deadline).priority(Priority::High);
        let mut queued = pin!(limiter.acquire_with(request).on_behalf_of(site));
        let mut turn = pin!(timeout_at(deadline, self.membership.turn()));
        let mut refused = false;
        let turn = loop {
            let mut freed = pin!(self.freed.notified());
            // From here on nothing is missed.
            freed.as_mut().enable();
            if self.means().take(weight) {
                return Ok(());
            }
            tokio::select! {
                biased;
                () = freed => {}
                permit = &mut queued, if !refused => match permit {
                    Ok(permit) => {
                        let mut means = self.means();
                        means.extra.push(permit);
                        means.used += 1;
                        return Ok(());
                    }
                    Err(rejected) if rejected.reason == RejectReason::Closed => {
                        return Err(rejected);
                    }
                    Err(_) => refused = true,
                },
                turn = &mut turn => break turn.map_err(|_| late())?,
            }
        };
        let mut means = self.means();
        means.turn = Some(turn);
        let took = means.take(weight);
        debug_assert!(took, "who has the turn waits for nothing");
        // One of its own has come back meanwhile, and the spare is not needed.
        let unused = if means.spare == 0 { means.turn.take() } else { None };
        drop(means);
        drop(unused);
        Ok(())
    }

    /// One of the connections is the pool's again.
    pub(super) fn give_back(&self, outcome: Outcome) {
        let mut means = self.means();
        means.used -= 1;
        if means.spare == 0 {
            let extra = means.extra.pop();
            // Outside the lock: it wakes others.
            drop(means);
            if let Some(extra) = extra {
                extra.complete(outcome);
            } else {
                self.freed.notify_waiters();
            }
            return;
        }
        means.spare -= 1;
        let turn = if means.spare == 0 { means.turn.take() } else { None };
        drop(means);
        drop(turn);
    }

    fn means(&self) -> MutexGuard<'_, Means> {
        self.means.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
