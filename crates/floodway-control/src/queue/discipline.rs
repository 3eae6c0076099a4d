//! In which order waiters of the same class are served.

use std::time::Duration;

use crate::InvalidParameter;

/// In which order waiters of the same priority are served, and which of them are shed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Discipline {
    /// First come, first served: fair, and the right choice while waits are well below what
    /// callers tolerate.
    #[default]
    Fifo,
    /// Last come, first served. Under overload the newest caller is the one most likely to still
    /// be there; the oldest, who may have gone, wait until their deadline or until a newcomer takes
    /// their place in a full queue.
    Lifo,
    /// First come, first served, until the queue has not been empty for `interval`. From then on
    /// last come, first served, and newcomers wait for at most `max_wait`, until the queue has
    /// been empty once.
    ///
    /// Source: B. Maurer, "Fail at Scale", ACM Queue 13(8), 2015
    /// (<https://queue.acm.org/detail.cfm?id=2839461>), there with 100 ms and 5 ms.
    AdaptiveLifo {
        /// How long the queue must not have been empty.
        interval: Duration,
        /// How long who arrives after that waits at most.
        max_wait: Duration,
    },
    /// First come, first served. If within `interval` nobody waited less than `target`, the queue
    /// is not absorbing a burst but standing: until that changes, whoever has waited for more
    /// than twice the target when their turn comes is shed.
    ///
    /// Source: `folly::Codel`
    /// (<https://github.com/facebook/folly/blob/main/folly/executors/Codel.cpp>), there with
    /// 100 ms and 5 ms, after K. Nichols and V. Jacobson, "Controlling Queue Delay", ACM Queue
    /// 10(5), 2012.
    CoDel {
        /// The wait that is acceptable for as long as load lasts.
        target: Duration,
        /// Over how long the shortest wait is taken; longer than bursts that are to be absorbed.
        interval: Duration,
    },
}

impl Discipline {
    /// Whether the durations make sense.
    ///
    /// # Errors
    ///
    /// The first that does not: each must be more than 0 and at most an hour.
    pub fn check(&self) -> Result<(), InvalidParameter> {
        let positive = |field, duration: Duration| {
            InvalidParameter::check(field, duration.as_secs_f64(), 1e-9, 3_600.0)
        };
        match *self {
            Self::Fifo | Self::Lifo => Ok(()),
            Self::AdaptiveLifo { interval, max_wait } => {
                positive("queue adaptive_lifo interval (seconds)", interval)?;
                positive("queue adaptive_lifo max_wait (seconds)", max_wait)
            }
            Self::CoDel { target, interval } => {
                positive("queue codel target (seconds)", target)?;
                positive("queue codel interval (seconds)", interval)
            }
        }
    }
}
