//! What a claim has, and who of its connections uses what of it.

use std::{
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, AtomicU32, Ordering},
    },
};

use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

use super::{
    super::{NestedAcquire, spare::Membership},
    up_to::UpTo,
};
use crate::{Limiter, Outcome, Permit, Rejected, limiter::Site};

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

/// Counts a claim while it is held.
pub(in crate::pool) struct Live(Arc<AtomicU32>);

impl Live {
    pub(in crate::pool) fn new(count: &Arc<AtomicU32>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

/// On every way out, so that a claim that failed to begin is not counted for ever.
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
        let up_to = UpTo::new(membership, counted);
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
        site: Site,
    ) -> Result<Share, Rejected> {
        if let Some(up_to) = &self.claimed.up_to {
            up_to.obtain(self.claimed.weight, limiter, deadline, site).await?;
        }
        Ok(Share { place: self, outcome: Outcome::Ignore })
    }
}

/// Whatever became of the connection; tells those who wait for a place.
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
