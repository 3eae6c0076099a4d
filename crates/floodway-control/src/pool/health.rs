//! How many operations may try to get a connection while connecting fails.

use std::time::Duration;

/// Failures in a row that are no accident any more. A restarting database refuses each of many
/// callers, so three come within milliseconds; a single connection that was reset does not stop
/// anybody.
const FAILURES: u32 = 3;

/// The first pause, before jitter: a fraction of the wait that a queue allows, so that an outage of
/// a moment costs only a moment.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause, before jitter: who was refused for the whole of an outage of hours is served
/// a second after it ends, and a probe a second is no load.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How many operations may try to get a connection while connecting fails.
///
/// Without it every caller opens a connection of its own against a database that refuses them, and
/// all of them at once when it is back. So one is let through to probe, the others are not, and once
/// a probe succeeds, allowance grows as the window of a TCP connection does in its slow start
/// ([RFC 5681], 3.1): by one with every success, which doubles it with every round.
///
/// ```text
///            third failure in a row           asked for at its end
///  Healthy -------------------------> Paused ----------------------> Limited to 1
///  (no limit)                          (0) \-----------------------> Limited to 2
///     ^                                 ^            success
///     |                                 |
///     |                                 +-- failure at n = 1, the next pause is twice as long
///     |                                 |
///     |   n reaches max                 |    success: n + 1
///     +---------------------------- Limited to n <----------+
///                                       |    failure: n / 2 |
///                                       +-------------------+
/// ```
///
/// A success during a pause counts as that of a probe. Back-off is forgotten with the way to `Healthy`
/// alone, so a database that comes and goes is probed less and less often.
///
/// A pause is between half and the whole of 100 ms, 200 ms, 400 ms, 800 ms, and then of 1 s: the
/// "equal jitter" of M. Brooker, [Exponential Backoff And Jitter], which keeps many instances of a
/// service from probing in step, and never probes again at once. Failures during a pause are those of
/// attempts that began before it: they count as failures in a row, and leave the pause as it is.
///
/// Pure: time and chance come in.
///
/// ```
/// use std::time::Duration;
/// use floodway_control::ConnectHealth;
///
/// let mut health = ConnectHealth::new();
/// let now = Duration::from_secs(60);
/// for _ in 0..3 {
///     assert_eq!(health.allowance(now), u32::MAX);
///     health.failed(now, 0.5);
/// }
/// assert_eq!(health.allowance(now), 0);
/// // One may try again after the pause, and two once it has succeeded.
/// let later = health.resumes_at().unwrap();
/// assert_eq!(later - now, Duration::from_millis(75));
/// assert_eq!(health.allowance(later), 1);
/// health.succeeded(10);
/// assert_eq!(health.allowance(later), 2);
/// ```
///
/// [RFC 5681]: https://www.rfc-editor.org/rfc/rfc5681
/// [Exponential Backoff And Jitter]: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
#[derive(Clone, Debug)]
pub struct ConnectHealth {
    state: State,
    /// In a row.
    failures: u32,
    /// When the first of the failures in a row came that led away from `Healthy`, or may yet.
    since: Duration,
    /// The next pause, before jitter.
    pause: Duration,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Healthy,
    Limited { allowance: u32 },
    Paused { until: Duration },
}

impl Default for ConnectHealth {
    fn default() -> Self {
        Self::new()
    }
}

impl ConnectHealth {
    /// All is well as long as nothing is known.
    #[must_use]
    pub const fn new() -> Self {
        Self { state: State::Healthy, failures: 0, since: Duration::ZERO, pause: FIRST_PAUSE }
    }

    /// How many attempts to obtain a connection may run at once at `now` (since any fixed origin): [`u32::MAX`] while all is
    /// well, 0 in a pause after a failed probe, 1 and up while probing and recovering.
    ///
    /// A pause is over only when this was asked at its [end](Self::resumes_at) or later, so each is
    /// followed by a probe, however many failures of older attempts come in.
    pub fn allowance(&mut self, now: Duration) -> u32 {
        if let State::Paused { until } = self.state
            && now >= until
        {
            self.state = State::Limited { allowance: 1 };
        }
        match self.state {
            State::Healthy => u32::MAX,
            State::Limited { allowance } => allowance,
            State::Paused { .. } => 0,
        }
    }

    /// A connection was obtained; `max` is the most that the pool may hand out, at which recovery is
    /// over.
    pub fn succeeded(&mut self, max: u32) {
        self.failures = 0;
        let allowance = match self.state {
            State::Healthy => return,
            State::Limited { allowance } => allowance.saturating_add(1),
            State::Paused { .. } => 2,
        };
        if allowance >= max {
            *self = Self::new();
        } else {
            self.state = State::Limited { allowance };
        }
    }

    /// No connection could be obtained. `chance` in 0..1 is random: how much of the jitter a pause
    /// gets, if this starts one.
    pub fn failed(&mut self, now: Duration, chance: f64) {
        if self.failures == 0 && !self.is_failing() {
            self.since = now;
        }
        self.failures = self.failures.saturating_add(1);
        match self.state {
            State::Healthy if self.failures < FAILURES => {}
            // An attempt from before the pause, which says nothing new.
            State::Paused { .. } => {}
            // Some connections can be had, and only fewer at once.
            State::Limited { allowance: allowance @ 2.. } => {
                self.state = State::Limited { allowance: allowance / 2 };
            }
            State::Healthy | State::Limited { .. } => self.start_pause(now, chance),
        }
    }

    /// Whether connections are held back, because connecting fails or did a moment ago.
    #[must_use]
    pub const fn is_failing(&self) -> bool {
        !matches!(self.state, State::Healthy)
    }

    /// Failures since the last success.
    #[must_use]
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// When the first failure came, until recovery is over; `None` while all is well.
    #[must_use]
    pub const fn failing_since(&self) -> Option<Duration> {
        if self.is_failing() { Some(self.since) } else { None }
    }

    /// When the present pause ends; `None` outside of one. In the past if nobody has asked for the
    /// [allowance](Self::allowance) since.
    #[must_use]
    pub const fn resumes_at(&self) -> Option<Duration> {
        match self.state {
            State::Paused { until } => Some(until),
            State::Healthy | State::Limited { .. } => None,
        }
    }

    fn start_pause(&mut self, now: Duration, chance: f64) {
        // What is no chance is none, so that a pause is never longer than it may be.
        let chance = if (0.0..1.0).contains(&chance) { chance } else { 0.0 };
        let pause = self.pause.mul_f64(0.5 + chance / 2.0);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        self.state = State::Paused { until: now.saturating_add(pause) };
    }
}
