//! Permits from several limiters, in one order, for as long as it takes.

use std::time::Duration;

use tokio::time::sleep;

use crate::{
    Acquire, Limiter, Outcome as Load, Permit, Priority, RejectReason, Rejected, limiter::Lender,
};

/// The limiters that a fan-out or a batcher runs under.
///
/// All ask them in the same order, so that none holds what another waits for while it
/// waits for what that one holds.
pub(crate) struct Admission {
    limiters: Vec<Source>,
    priority: Priority,
}

struct Source {
    limiter: Limiter,
    /// The operation of that limiter inside which it was started, if there is one.
    lender: Option<Lender>,
}

impl Admission {
    /// Asks who lends here and now: call it where the work was started.
    pub(crate) fn new(mut limiters: Vec<Limiter>, priority: Priority) -> Self {
        limiters.sort_by_key(Limiter::address);
        limiters.dedup_by_key(|limiter| limiter.address());
        let limiters = limiters.into_iter().map(|limiter| {
            let lender = limiter.lender();
            Source { limiter, lender }
        });
        Self { limiters: limiters.collect(), priority }
    }

    /// Nothing has to be asked for.
    pub(crate) const fn is_open(&self) -> bool {
        self.limiters.is_empty()
    }

    /// The lowest limit now; `None` without limiters.
    pub(crate) fn limit(&self) -> Option<u32> {
        self.limiters.iter().map(|one| one.limiter.limit()).min()
    }

    fn request(&self, weight: u32) -> Acquire {
        Acquire::new().weight(weight).priority(self.priority)
    }

    /// Permits that are free, if nobody waits for them. `None` is not counted as a rejection.
    #[inline]
    pub(crate) fn try_admit(&self, weight: u32) -> Option<Permits> {
        match &self.limiters[..] {
            [] => Some(Permits::None),
            [one] => one.try_admit(self.request(weight)).map(Permits::One),
            many => {
                let request = self.request(weight);
                let all: Option<_> = many.iter().map(|one| one.try_admit(request)).collect();
                all.map(Permits::Many)
            }
        }
    }

    /// Waits for the permits as long as it takes. Whoever calls this is the one waiter of the
    /// fan-out or batcher.
    ///
    /// A limiter that is only busy is asked again: its queue is for callers that cannot wait, and
    /// these can. What remains is a refusal that will not change.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives back what was granted.
    pub(crate) async fn admit(&self, weight: u32) -> Result<Permits, Rejected> {
        match &self.limiters[..] {
            [] => Ok(Permits::None),
            [one] => Ok(Permits::One(one.admit(self.request(weight)).await?)),
            many => {
                let mut permits = Vec::with_capacity(many.len());
                for one in many {
                    permits.push(one.admit(self.request(weight)).await?);
                }
                Ok(Permits::Many(permits))
            }
        }
    }
}

impl Source {
    #[inline]
    fn try_admit(&self, request: Acquire) -> Option<Permit> {
        self.limiter.admit_now(request, self.lender.as_ref())
    }

    async fn admit(&self, request: Acquire) -> Result<Permit, Rejected> {
        loop {
            let rejected = match self.limiter.admit(request, self.lender.as_ref()).await {
                Ok(permit) => return Ok(permit),
                Err(rejected) => rejected,
            };
            match rejected.reason {
                RejectReason::Weight | RejectReason::Nested | RejectReason::Closed => {
                    return Err(rejected);
                }
                // It has waited as long as the queue lets it: back to its end.
                RejectReason::Deadline => tokio::task::yield_now().await,
                _ => sleep(rejected.retry_after.max(Duration::from_millis(1))).await,
            }
        }
    }
}

/// The permits of one operation.
#[derive(Debug, Default)]
pub(crate) enum Permits {
    #[default]
    None,
    One(Permit),
    Many(Vec<Permit>),
}

impl Permits {
    /// Polls something inside all permits, so that they are lent to what is nested in it.
    #[inline]
    pub(crate) fn within<R>(&mut self, run: impl FnOnce() -> R) -> R {
        match self {
            Self::None => run(),
            Self::One(permit) => {
                let _entered = permit.enter();
                run()
            }
            Self::Many(permits) => within_all(permits, run),
        }
    }

    /// Gives all back.
    #[inline]
    pub(crate) fn complete(&mut self, load: Load) {
        match std::mem::take(self) {
            Self::None => {}
            Self::One(permit) => permit.complete(load),
            Self::Many(permits) => permits.into_iter().for_each(|permit| permit.complete(load)),
        }
    }
}

fn within_all<R>(permits: &mut [Permit], run: impl FnOnce() -> R) -> R {
    // Guards are dropped from the innermost out, as on a stack.
    let mut entered: Vec<_> = permits.iter_mut().map(Permit::enter).collect();
    let output = run();
    while entered.pop().is_some() {}
    output
}
