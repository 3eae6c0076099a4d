//! What callers are told who get no connection.

use std::{fmt::Display, sync::PoisonError, time::Duration};

use tokio::time::Instant;

use super::{
    super::{ConnectionError, NestedAcquire, PoolCause, PoolRejected, cause::NESTED},
    Gate, Pool,
    asking::Asking,
};
use crate::{RejectReason, Rejected};

/// One line in the log for so long, however many are refused.
const LOG_INTERVAL: Duration = Duration::from_secs(1);

/// One in so many connections that are out for longer than a caller could wait are to blame; docs
/// decision 13.
const MANY: u32 = 4;

/// When the log was told last, and how many were refused since.
#[derive(Default)]
pub(super) struct Told {
    at: Option<Duration>,
    refused: u64,
}

impl<P: Pool> Gate<P> {
    /// Says why a caller that wanted one connection, outside of a claim, got none.
    #[cold]
    pub(super) fn refuse(&self, rejected: Rejected, asking: Asking) -> ConnectionError<P::Error> {
        let cause = self.cause(&rejected, asking);
        let crowded = matches!(cause, PoolCause::Deadline | PoolCause::PoolHeld { .. });
        let outer = match rejected.reason {
            // Inside a permit of the limiter itself.
            RejectReason::Nested => None,
            // It waited in vain while its own task held a connection, and nothing else explains it.
            RejectReason::Deadline if crowded => match self.holds.of_this_task() {
                Some(outer) => outer.location(),
                None => return self.refuse_for(cause, rejected),
            },
            _ => return self.refuse_for(cause, rejected),
        };
        let inner = asking.site.location();
        self.refuse_nested(NestedAcquire { weight: 1, outer, inner })
    }

    /// Says why a claim got no connection within its weight.
    #[cold]
    pub(super) fn refuse_share(
        &self,
        rejected: Rejected,
        asking: Asking,
    ) -> ConnectionError<P::Error> {
        let cause = self.cause(&rejected, asking);
        self.refuse_for(cause, rejected)
    }

    /// Says why a claim of `weight` connections was refused.
    #[cold]
    pub(super) fn refuse_claim(
        &self,
        rejected: Rejected,
        weight: u32,
        asking: Asking,
    ) -> ConnectionError<P::Error> {
        let error = self.refuse(rejected, asking);
        match error {
            ConnectionError::Rejected(PoolRejected { cause: PoolCause::Weight { .. }, .. }) => {
                let cause = PoolCause::Weight { weight, most: rejected.limit };
                ConnectionError::Rejected(PoolRejected { cause, rejected })
            }
            error => error,
        }
    }

    pub(super) fn refuse_for(
        &self,
        cause: PoolCause,
        rejected: Rejected,
    ) -> ConnectionError<P::Error> {
        self.cells.rejections.increment(cause.index());
        self.tell(&cause);
        ConnectionError::Rejected(PoolRejected { cause, rejected })
    }

    pub(super) fn refuse_nested(&self, nested: NestedAcquire) -> ConnectionError<P::Error> {
        self.cells.rejections.increment(NESTED);
        self.tell(&nested);
        ConnectionError::NestedAcquire(nested)
    }

    pub(super) fn cause(&self, rejected: &Rejected, asking: Asking) -> PoolCause {
        let now = self.clock.now();
        if rejected.reason == RejectReason::Closed {
            return PoolCause::Closed;
        }
        let (failures, since, limit, foreign) = {
            let tracker = self.tracker();
            let since = tracker.health.failing_since();
            (tracker.health.failures(), since, tracker.limit, tracker.ceiling.foreign())
        };
        // Once a probe has succeeded there are none: recovery may go on for long where few callers
        // come, and what keeps them then is something else.
        if let Some(since) = since.filter(|_| failures > 0) {
            let since = Duration::from_nanos(now).saturating_sub(since);
            return PoolCause::ConnectFailing { failures, since };
        }
        let waited = Duration::from_nanos(now.saturating_sub(asking.since));
        let patience = match rejected.reason {
            RejectReason::Deadline | RejectReason::Shed => waited,
            _ => {
                let left = asking.deadline.saturating_duration_since(Instant::now());
                waited + left.min(self.max_wait)
            }
        };
        let overdue = self.holds.overdue(now, patience);
        let many = rejected.limit.div_ceil(MANY).max(1);
        if overdue.stuck >= many && overdue.stuck > overdue.held {
            return PoolCause::ConnectFailing { failures: 0, since: overdue.oldest_stuck };
        }
        if foreign > 0 && foreign >= limit {
            return PoolCause::Foreign { connections: foreign };
        }
        if overdue.held >= many {
            let (p99_hold, oldest) = (self.cells.p99_hold(), overdue.oldest);
            return PoolCause::PoolHeld { p99_hold, oldest };
        }
        let outer = self.outer_limit();
        if outer < limit {
            return PoolCause::Ceiling { limit: outer };
        }
        match rejected.reason {
            RejectReason::Weight => PoolCause::Weight { weight: 1, most: rejected.limit },
            RejectReason::QueueFull | RejectReason::NoPermit | RejectReason::Displaced => {
                PoolCause::QueueFull
            }
            _ => PoolCause::Deadline,
        }
    }

    /// Leaves a line in the log, unless there has just been one.
    pub(super) fn tell(&self, cause: &dyn Display) {
        let now = self.clock.elapsed();
        let refused = {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            told.refused += 1;
            if told.at.is_some_and(|at| now.saturating_sub(at) < LOG_INTERVAL) {
                return;
            }
            told.at = Some(now);
            std::mem::take(&mut told.refused)
        };
        tracing::warn!(
            limiter = self.limiter.name(),
            refused,
            cause = %cause,
            "callers got no connection; this is what kept the last of them from it"
        );
    }
}
