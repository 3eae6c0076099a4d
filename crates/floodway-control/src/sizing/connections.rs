//! How many connections a pool should have to begin with.

use std::{num::NonZeroUsize, time::Duration};

use super::pool_size;
use crate::InvalidParameter;

/// Connections to a database to begin with, over all instances that use it.
///
/// Values to start with, from rules that others have found to hold, and not for long:
/// [`PoolReport`](crate::PoolReport) says what was seen of the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolSuggestion {
    /// As many as keep the database's cores busy: [`pool_size`], cores × (1 + wait ÷ compute). The
    /// better one if both times are known, and the only one that knows of round trips: a
    /// transaction of many short statements holds its connection while nothing runs.
    ///
    /// Source: Goetz et al., *Java Concurrency in Practice*, 8.2.
    pub busy: NonZeroUsize,
    /// Cores × 2 + disks that turn, for transactions without pauses. Measured with PostgreSQL before
    /// 9.2 and on disks; cores are real ones, and a disk counts as far as data is not in memory:
    /// none here, see [`with_spindles`](Self::with_spindles).
    ///
    /// Sources: HikariCP, [About Pool Sizing], after PostgreSQL's [Number Of Database Connections].
    ///
    /// [About Pool Sizing]: https://github.com/brettwooldridge/HikariCP/wiki/About-Pool-Sizing
    /// [Number Of Database Connections]: https://wiki.postgresql.org/wiki/Number_Of_Database_Connections
    pub hikari: NonZeroUsize,
}

impl PoolSuggestion {
    /// With so many disks that turn beside the two connections a core.
    #[must_use]
    pub const fn with_spindles(self, spindles: usize) -> Self {
        Self { hikari: self.hikari.saturating_add(spindles), ..self }
    }

    /// What each of so many instances may open, so that all of them together keep to it; one at
    /// least.
    #[must_use]
    pub fn per_instance(self, instances: NonZeroUsize) -> Self {
        let share = |all: NonZeroUsize| {
            NonZeroUsize::new(all.get() / instances).unwrap_or(NonZeroUsize::MIN)
        };
        Self { busy: share(self.busy), hikari: share(self.hikari) }
    }
}

/// What others would begin with in front of a database with so many `cores`, whose transactions
/// compute in it for `compute` and let it wait for `wait`: for disks, for locks, and for the next
/// statement.
///
/// # Errors
///
/// If `compute` is zero: who only waits keeps no core busy.
///
/// ```
/// use std::{num::NonZeroUsize, time::Duration};
/// use floodway_control::sizing::suggest_connections;
///
/// let cores = NonZeroUsize::new(4).unwrap();
/// let all = suggest_connections(cores, Duration::from_millis(6), Duration::from_millis(2))?;
/// assert_eq!((all.busy.get(), all.hikari.get()), (16, 8));
/// // HikariCP's example: four cores and one disk.
/// assert_eq!(all.with_spindles(1).hikari.get(), 9);
/// let each = all.per_instance(NonZeroUsize::new(3).unwrap());
/// assert_eq!((each.busy.get(), each.hikari.get()), (5, 2));
/// # Ok::<_, floodway_control::InvalidParameter>(())
/// ```
pub fn suggest_connections(
    cores: NonZeroUsize,
    wait: Duration,
    compute: Duration,
) -> Result<PoolSuggestion, InvalidParameter> {
    Ok(PoolSuggestion {
        busy: pool_size(cores, wait, compute)?,
        hikari: cores.saturating_mul(NonZeroUsize::MIN.saturating_add(1)),
    })
}

/// Connections in use on average, if `rate` transactions begin per second and each holds one for
/// `hold`: Little's law, L = λW.
///
/// A mean: a pool of no more than that has a queue that grows. With L + 2√L connections three callers
/// in a hundred wait, if they come at random.
///
/// Sources: [Little, 1961](https://doi.org/10.1287/opre.9.3.383); [Halfin and Whitt,
/// 1981](https://doi.org/10.1287/opre.29.3.567).
///
/// # Errors
///
/// If `rate` is no number of 0 or more.
///
/// ```
/// use std::time::Duration;
/// use floodway_control::sizing::connections_needed;
///
/// assert_eq!(connections_needed(400.0, Duration::from_millis(20))?, 8.0);
/// # Ok::<_, floodway_control::InvalidParameter>(())
/// ```
pub fn connections_needed(rate: f64, hold: Duration) -> Result<f64, InvalidParameter> {
    InvalidParameter::check("rate", rate, 0.0, f64::MAX)?;
    Ok(rate * hold.as_secs_f64())
}

/// The fewest connections with which so many `operations` at once can never wait for one another for
/// ever, if each takes up to `each` of them, one after the other, and gives none back before it has
/// all: operations × (each − 1) + 1.
///
/// With all but one of each operation's out there is still one left, and whoever gets it finishes.
/// Enough to go on, and not to go fast.
///
/// Source: HikariCP, [About Pool Sizing](https://github.com/brettwooldridge/HikariCP/wiki/About-Pool-Sizing),
/// "pool-locking".
///
/// ```
/// use std::num::NonZeroUsize;
/// use floodway_control::sizing::connections_for_nested;
///
/// let [eight, four] = [8, 4].map(|n| NonZeroUsize::new(n).unwrap());
/// assert_eq!(connections_for_nested(eight, four).get(), 25);
/// ```
#[must_use]
pub const fn connections_for_nested(operations: NonZeroUsize, each: NonZeroUsize) -> NonZeroUsize {
    let held = operations.get().saturating_mul(each.get() - 1);
    NonZeroUsize::MIN.saturating_add(held)
}
