//! The right to run one operation.

use std::{fmt, future::poll_fn, pin::pin, sync::Arc};

use super::{
    core::Core,
    misuse::Site,
    nested::{Entered, Nesting},
};
use crate::Outcome;

/// The right to run one operation, until it is completed or dropped.
///
/// A permit that is merely dropped (because the caller was cancelled, timed out or panicked)
/// comes back with [`Outcome::Ignore`], which moves no limit. It owns its share of the limiter,
/// so it may be sent to another task and outlive every [`Limiter`](crate::Limiter) handle.
///
/// # Nested use
///
/// An operation that asks the limiter it runs under for another permit could wait for itself.
/// [`Limiter::run`](crate::Limiter::run), [`scope`](Self::scope) and the layers of
/// `floodway-tower` prevent that: inside, the permit is lent.
#[must_use = "a permit that is dropped at once bounds nothing"]
pub struct Permit {
    core: Arc<Core>,
    /// As granted, unless it has lent or borrowed: then `at` says where the rest is kept.
    granted: Granted,
    site: Site,
    #[cfg(debug_assertions)]
    _holder: super::misuse::Holder,
}

/// An admission that was counted and not yet released.
#[derive(Clone, Copy, Debug)]
pub(super) struct Granted {
    /// When, in nanoseconds of the limiter's clock; 0 where durations are not measured.
    pub(super) at: u64,
    /// How many permits, to which partition, and how the operation ended.
    ///
    /// ```text
    /// 63       62    50 49     48 47         32 31        0
    /// | nested | 0 .. 0 | outcome | partition  |  weight  |
    /// ```
    ///
    /// In one word, because a permit is moved more often than it is read.
    share: u64,
}

const PARTITION_SHIFT: u32 = 32;
const OUTCOME_SHIFT: u32 = 48;
const NESTED: u64 = 1 << 63;

impl Granted {
    #[inline]
    pub(super) const fn new(at: u64, weight: u32, partition: u16) -> Self {
        Self { at, share: (partition as u64) << PARTITION_SHIFT | weight as u64 }
    }

    #[inline]
    pub(super) const fn weight(self) -> u32 {
        self.share as u32
    }

    #[inline]
    pub(super) const fn partition(self) -> u16 {
        (self.share >> PARTITION_SHIFT) as u16
    }

    /// With `weight` permits less.
    const fn without(self, weight: u32) -> Self {
        Self { at: self.at, share: self.share - weight as u64 }
    }

    #[inline]
    const fn outcome(self) -> Outcome {
        match (self.share >> OUTCOME_SHIFT) & 3 {
            0 => Outcome::Ignore,
            1 => Outcome::Success,
            _ => Outcome::Overload,
        }
    }

    #[inline]
    const fn ended(self, outcome: Outcome) -> Self {
        let bits = match outcome {
            Outcome::Success => 1,
            Outcome::Overload => 2,
            // What a permit that is merely dropped comes back with.
            _ => 0,
        };
        Self { share: self.share | bits << OUTCOME_SHIFT, ..self }
    }
}

impl Permit {
    #[inline]
    pub(super) fn new(core: Arc<Core>, granted: Granted, site: Site) -> Self {
        Self {
            #[cfg(debug_assertions)]
            _holder: super::misuse::Holder::new(&core, site),
            core,
            granted,
            site,
        }
    }

    /// A permit that was lent, if there is a `nesting`.
    #[inline]
    pub(super) fn nested(
        core: Arc<Core>,
        granted: Granted,
        nesting: Option<Nesting>,
        site: Site,
    ) -> Self {
        let mut permit = Self::new(core, granted, site);
        if let Some(nesting) = nesting {
            permit.set_nesting(nesting);
        }
        permit
    }

    pub(super) const fn core(&self) -> &Arc<Core> {
        &self.core
    }

    pub(super) const fn site(&self) -> Site {
        self.site
    }

    /// As it was granted, and what it has to do with others, if anything.
    #[inline]
    pub(super) fn take_nesting(&mut self) -> (Granted, Option<Nesting>) {
        let share = self.granted.share;
        if share & NESTED == 0 {
            return (self.granted, None);
        }
        let (at, nesting) = self.core.take_nesting(self.granted.at);
        self.granted = Granted { at, share: share & !NESTED };
        (self.granted, Some(nesting))
    }

    /// Puts aside what nearly no permit has.
    pub(super) fn set_nesting(&mut self, nesting: Nesting) {
        let Granted { at, share } = self.granted;
        self.granted = Granted { at: self.core.keep_nesting(at, nesting), share: share | NESTED };
    }

    /// Gives the permit back and says how the operation ended.
    #[inline]
    pub fn complete(mut self, outcome: Outcome) {
        self.granted = self.granted.ended(outcome);
    }

    /// Takes `weight` of its permits, less than it has, to come back by themselves; `None` if it has
    /// lent or was lent any.
    pub(crate) fn split_off(&mut self, weight: u32) -> Option<Loose> {
        if self.granted.share & NESTED != 0 || weight >= self.weight() {
            return None;
        }
        self.granted = self.granted.without(weight);
        let (core, partition) = (Arc::clone(&self.core), self.granted.partition());
        Some(Loose { core, weight, partition })
    }

    /// How many permits this one counts for.
    #[must_use]
    pub const fn weight(&self) -> u32 {
        self.granted.weight()
    }

    /// Runs `operation` inside this permit: where it asks the same limiter for a permit, in the
    /// same task, it is lent this one instead of waiting for another.
    ///
    /// As many permits are lent at a time as this one counts for; who asks for more at once waits
    /// until they are back, and who asks for more than this one has is refused with
    /// [`Nested`](crate::RejectReason::Nested). An operation that was lent to is not counted as
    /// admitted nor measured: it is a part of this one.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops `operation`; the permit stays with the caller.
    pub async fn scope<F: Future>(&mut self, operation: F) -> F::Output {
        let mut operation = pin!(operation);
        poll_fn(|context| {
            let _entered = self.enter();
            operation.as_mut().poll(context)
        })
        .await
    }

    /// Lends this permit to whoever asks the same limiter on this thread until the guard is dropped.
    ///
    /// For hand-written futures, to be called around each poll of the operation;
    /// [`scope`](Self::scope) does it for the others.
    #[inline]
    pub fn enter(&mut self) -> Entered<'_> {
        Entered::new(self)
    }
}

/// A release on every path is what keeps `acquired = completed + in flight` true.
impl Drop for Permit {
    #[inline]
    fn drop(&mut self) {
        let outcome = self.granted.outcome();
        match self.take_nesting() {
            (granted, None) => self.core.release(granted, 0, outcome),
            (granted, Some(nesting)) => nesting.end(&self.core, granted, outcome),
        }
    }
}

/// Permits that are out and belong to no operation, until they are dropped.
pub(crate) struct Loose {
    core: Arc<Core>,
    weight: u32,
    partition: u16,
}

impl Loose {
    pub(crate) const fn weight(&self) -> u32 {
        self.weight
    }

    /// Takes `weight` of them; `None` if there are fewer.
    pub(crate) fn split_off(&mut self, weight: u32) -> Option<Self> {
        self.weight = self.weight.checked_sub(weight)?;
        Some(Self { core: Arc::clone(&self.core), weight, partition: self.partition })
    }
}

/// A release on every path. In the books they are permits beyond the one of their operation, before
/// it ends and after.
impl Drop for Loose {
    fn drop(&mut self) {
        if self.weight > 0 {
            self.core.release_lent(self.weight, self.partition);
        }
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("limiter", &self.core.name())
            .field("weight", &self.weight())
            .finish_non_exhaustive()
    }
}
