//! Whether a pool has the right size, and what to do if not.

mod judging;
mod size;
mod text;

use self::judging::verdict;
use super::PoolEvidence;

/// What the evidence says of a pool's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PoolVerdict {
    /// Callers wait or are refused, and the more connections were in use at once, the more was done:
    /// a larger pool does more.
    TooSmall,
    /// Nobody waits, and at least half of the connections are hardly ever used at once.
    TooLarge,
    /// Callers wait or are refused, and more connections at once did not get more done: the database
    /// is the bottleneck, and a larger pool only moves the queue into it.
    Saturated,
    /// Nobody waits to speak of, or not for this pool's size.
    Fits,
    /// Too few holds, or the pool was always about as full, so that there is nothing to compare.
    Unknown,
}

/// Whether a pool has the right size, by what was seen.
///
/// Callers *wait* here if one in a thousand is refused, or one in a hundred waits for longer than a
/// connection is held on average, which is as long as it takes somebody else to finish. If they do,
/// and the pool was full, the question is whether more connections would help, and that is what
/// [`bands`](PoolEvidence::bands) tell: the throughput with the pool full against the best one with
/// fewer connections in use. Of what more connections would have given in proportion, at least half
/// has to be there, or the database is taken for [saturated](PoolVerdict::Saturated). Bands are
/// compared if they are so far apart, and have so many holds, that chance could not well say the
/// opposite: 100 holds each where one has half of the other's connections in use, 500 at three
/// quarters, more if holds scatter widely.
///
/// Throughput is connections in use ÷ time of a hold, by Little's law. It grows in proportion while
/// the database has something idle, no further once its cores or disks are busy, and shrinks when its
/// users get in one another's way.
///
/// Sources: J. Little, [A Proof for the Queuing Formula L = λW], 1961; HikariCP, [About Pool
/// Sizing]: a small pool, saturated, with callers waiting for it; N. Gunther, [A General Theory of
/// Computational Scalability], 2008: contention makes throughput level off and coherency makes it
/// fall; S. Halfin and W. Whitt, [Heavy-Traffic Limits for Queues with Many Exponential Servers],
/// 1981: with a load of R connections, R + 2√R make three callers in a hundred wait.
///
/// It is as good as its evidence. The times at which the pool was less full have to be times of the
/// same work, and not of another, such as the night's. And a pool that is full at all times, or a
/// pool of one, gives nothing to compare: its verdict is [`Unknown`](PoolVerdict::Unknown).
///
/// ```
/// use std::time::Duration;
/// use floodway_control::{HoldBand, PoolEvidence, PoolReport, PoolVerdict};
///
/// // Twice as many connections in use, and each is held as long as before.
/// let half = HoldBand { holds: 1_000, in_use_sum: 5_000, held: Duration::from_secs(20) };
/// let full = HoldBand { holds: 9_000, in_use_sum: 90_000, held: Duration::from_secs(180) };
/// let mut evidence = PoolEvidence {
///     max: 10,
///     usable: 10,
///     elapsed: Duration::from_secs(20),
///     holds: 10_000,
///     refused: 2_000,
///     hold_mean: Duration::from_millis(20),
///     ..PoolEvidence::default()
/// };
/// evidence.bands[PoolEvidence::band(5, 10)] = half;
/// evidence.bands[PoolEvidence::band(10, 10)] = full;
/// let report = PoolReport::new(evidence);
/// assert_eq!((report.verdict, report.suggested), (PoolVerdict::TooSmall, Some(19)));
/// println!("{report}");
/// ```
///
/// [A Proof for the Queuing Formula L = λW]: https://doi.org/10.1287/opre.9.3.383
/// [About Pool Sizing]: https://github.com/brettwooldridge/HikariCP/wiki/About-Pool-Sizing
/// [A General Theory of Computational Scalability]: https://arxiv.org/abs/0808.1431
/// [Heavy-Traffic Limits for Queues with Many Exponential Servers]: https://doi.org/10.1287/opre.29.3.567
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct PoolReport {
    /// In a word.
    pub verdict: PoolVerdict,
    /// What it is drawn from.
    pub evidence: PoolEvidence,
    /// Holds per second.
    pub throughput: f64,
    /// Connections in use on average, for what was done: holds per second × seconds of a hold
    /// (Little's law).
    pub needed: f64,
    /// The most connections that the pool should be able to open, reserved and foreign ones
    /// included, where another number than now is called for. A step to take and to look again after:
    /// at most twice as many to hand out as now, at least half as many.
    pub suggested: Option<u32>,
}

impl PoolReport {
    /// Judges `evidence`.
    #[must_use]
    pub fn new(evidence: PoolEvidence) -> Self {
        let verdict = verdict(&evidence);
        let throughput = evidence.per_second(evidence.holds);
        let own = match verdict {
            PoolVerdict::TooSmall => Some(size::grown(&evidence)),
            PoolVerdict::TooLarge => Some(size::shrunk(&evidence)),
            PoolVerdict::Saturated => Some(size::sufficient(&evidence)),
            PoolVerdict::Fits | PoolVerdict::Unknown => None,
        };
        let others = evidence.max.saturating_sub(evidence.own());
        Self {
            verdict,
            evidence,
            throughput,
            needed: throughput * evidence.hold_mean.as_secs_f64(),
            suggested: own.map(|own| own.saturating_add(others)).filter(|max| *max != evidence.max),
        }
    }
}
