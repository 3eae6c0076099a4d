//! What a claim has, and who of its connections uses what of it.

use std::{
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, AtomicU32, Ordering},
    },
};

use tokio::{
    sync::{Notify, OwnedSemaphorePermit},
    time::{Instant, timeout_at},
};

use super::super::{NestedAcquire, gate::SHORTLY, spare::Membership};
use crate::{Acquire, Limiter, Outcome, Permit, Priority, RejectReason, Rejected, limiter::Site};

/// What a claim and its connections share; over when the last of them is gone.
pub(in crate::pool) struct Claimed {
    weight: u32,
    /// All permits of an exact claim; of the others the one behind their first connection. `None`
    /// only while it is dropped.
    own: Option<Permit>,
    places: Mutex<Places>,
    /// A place has become free.
    freed: Notify,
    up_to: Option<UpTo>,
    /// How the worst use of a connection ended: see [`Claimed::learn`].
    worst: AtomicU8,
    _live: Live,
    site: Site,
}

/// Connections that are being obtained, held, or returned.
#[derive(Default)]
struct Places {
    taken: u32,
    /// Of them those that the pool takes back just now.
    returning: u32,
}

struct UpTo {
    membership: Membership,
    /// Of the limiter that counts claims.
    _counted: Permit,
    /// One connection is obtained after the other, so that it is known what is behind those that
    /// there are.
    order: tokio::sync::Mutex<()>,
    means: Mutex<Means>,
}

/// What is behind the connections of a claim that has one permit of its own.
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

/// Counts a claim while it is held.
pub(in crate::pool) struct Live(Arc<AtomicU32>);

impl Live {
    pub(in crate::pool) fn new(count: &Arc<AtomicU32>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Why a claim has no place for another connection.
pub(in crate::pool) enum NoPlace {
    /// It holds as many as it may.
    Exceeded(NestedAcquire),
    /// The pool did not take back in time what came back from it.
    Late,
}

impl Claimed {
    pub(in crate::pool) fn exact(weight: u32, permit: Permit, live: Live, site: Site) -> Arc<Self> {
        Self::new(weight, permit, None, live, site)
    }

    pub(in crate::pool) fn up_to(
        weight: u32,
        (permit, membership): (Permit, Membership),
        counted: Permit,
        live: Live,
        site: Site,
    ) -> Arc<Self> {
        let up_to = UpTo {
            membership,
            _counted: counted,
            order: tokio::sync::Mutex::default(),
            means: Mutex::default(),
        };
        Self::new(weight, permit, Some(up_to), live, site)
    }

    fn new(weight: u32, permit: Permit, up_to: Option<UpTo>, live: Live, site: Site) -> Arc<Self> {
        Arc::new(Self {
            weight,
            own: Some(permit),
            places: Mutex::default(),
            freed: Notify::new(),
            up_to,
            worst: AtomicU8::new(0),
            _live: live,
            site,
        })
    }

    pub(super) const fn weight(&self) -> u32 {
        self.weight
    }

    pub(super) fn held(&self) -> u32 {
        self.places().taken
    }

    /// The error of who asks for more than the claim has.
    pub(in crate::pool) fn exceeded(&self, site: Site) -> NestedAcquire {
        NestedAcquire { weight: self.weight, outer: self.site.location(), inner: site.location() }
    }

    /// A place for a connection; waits for one that is on its way back to the pool.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves nothing behind.
    pub(in crate::pool) async fn place(
        self: Arc<Self>,
        deadline: Instant,
        site: Site,
    ) -> Result<Place, NoPlace> {
        loop {
            let mut freed = pin!(self.freed.notified());
            // From here on nothing is missed.
            freed.as_mut().enable();
            {
                let mut places = self.places();
                if places.taken < self.weight {
                    places.taken += 1;
                    drop(places);
                    return Ok(Place { claimed: Arc::clone(&self), returning: false });
                }
                if places.returning == 0 {
                    return Err(NoPlace::Exceeded(self.exceeded(site)));
                }
            }
            timeout_at(deadline, freed).await.map_err(|_| NoPlace::Late)?;
        }
    }

    /// Remembers the worst of the outcomes: that is what the permits of the claim come back with.
    /// Nothing is learnt from a claim without connections.
    fn learn(&self, outcome: Outcome) {
        let badness = match outcome {
            Outcome::Success => 1,
            Outcome::Overload => 2,
            _ => 0,
        };
        self.worst.fetch_max(badness, Ordering::Relaxed);
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says how its use ended, which a permit that is merely dropped does not.
impl Drop for Claimed {
    fn drop(&mut self) {
        let outcome = match *self.worst.get_mut() {
            0 => Outcome::Ignore,
            1 => Outcome::Success,
            _ => Outcome::Overload,
        };
        if let Some(own) = self.own.take() {
            own.complete(outcome);
        }
    }
}

/// One connection of a claim, counted.
pub(in crate::pool) struct Place {
    claimed: Arc<Claimed>,
    returning: bool,
}

impl Place {
    /// Waits for the right to one connection.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives back what it has got.
    pub(in crate::pool) async fn right(
        self,
        limiter: &Limiter,
        deadline: Instant,
    ) -> Result<Share, Rejected> {
        if let Some(up_to) = &self.claimed.up_to {
            up_to.obtain(self.claimed.weight, limiter, deadline).await?;
        }
        Ok(Share { place: self, outcome: Outcome::Ignore })
    }
}

impl UpTo {
    async fn obtain(
        &self,
        weight: u32,
        limiter: &Limiter,
        deadline: Instant,
    ) -> Result<(), Rejected> {
        let late = || limiter.uncounted_refusal(RejectReason::Deadline, SHORTLY);
        let _order = timeout_at(deadline, self.order.lock()).await.map_err(|_| late())?;
        if self.means().take(weight) {
            return Ok(());
        }
        // Who holds a connection goes before those who hold none, and need not wait for the queue
        // if its turn comes.
        let request = Acquire::new().deadline(deadline).priority(Priority::High);
        let mut turn = pin!(timeout_at(deadline, self.membership.turn()));
        let turn = tokio::select! {
            biased;
            permit = limiter.acquire_with(request) => match permit {
                Ok(permit) => {
                    let mut means = self.means();
                    means.extra.push(permit);
                    means.used += 1;
                    return Ok(());
                }
                Err(rejected) if rejected.reason == RejectReason::Closed => return Err(rejected),
                Err(_) => turn.await,
            },
            turn = &mut turn => turn,
        };
        let turn = turn.map_err(|_| late())?;
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
    fn give_back(&self, outcome: Outcome) {
        let mut means = self.means();
        means.used -= 1;
        if means.spare == 0 {
            let extra = means.extra.pop();
            // Outside the lock: it wakes others.
            drop(means);
            if let Some(extra) = extra {
                extra.complete(outcome);
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

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = self.claimed.places();
        places.taken -= 1;
        places.returning -= u32::from(self.returning);
        drop(places);
        self.claimed.freed.notify_waiters();
    }
}

/// The right to one connection of a claim.
pub(in crate::pool) struct Share {
    place: Place,
    outcome: Outcome,
}

impl Share {
    /// The pool takes the connection back from here on.
    pub(in crate::pool) fn returning(&mut self) {
        self.place.returning = true;
        self.place.claimed.places().returning += 1;
    }

    /// Gives the right back and says how its use ended.
    pub(in crate::pool) fn complete(mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

/// On every path: the place would otherwise be taken for ever.
impl Drop for Share {
    fn drop(&mut self) {
        let claimed = &self.place.claimed;
        claimed.learn(self.outcome);
        if let Some(up_to) = &claimed.up_to {
            up_to.give_back(self.outcome);
        }
    }
}
