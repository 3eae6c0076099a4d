//! Whether an item that failed is tried again, and whether a slow one gets a rival.

use std::{
    fmt,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use super::ItemError;
use crate::InvalidParameter;

/// How often an item is tried: [`FanOut::attempts`](super::FanOut::attempts).
pub trait Attempts<I, E> {
    /// Whether there can be more than one attempt.
    #[doc(hidden)]
    const MANY: bool;

    /// A copy of an item that begins, for another attempt.
    #[doc(hidden)]
    fn keep(&self, item: &I) -> Option<I>;

    /// A copy for yet another attempt.
    #[doc(hidden)]
    fn keep_again(&self, item: &I) -> Option<I>;

    /// How long to wait before another attempt, after so many; `None` if there is to be none.
    #[doc(hidden)]
    fn retry(&self, attempts: u32, error: &ItemError<E>) -> Option<Duration>;

    /// After how long a rival is started.
    #[doc(hidden)]
    fn hedge_after(&self) -> Option<Duration>;

    /// Whether the budget has an attempt left; takes it.
    #[doc(hidden)]
    fn withdraw(&self) -> bool;
}

/// Every item is tried once.
#[derive(Clone, Copy, Debug, Default)]
pub struct Once;

impl<I, E> Attempts<I, E> for Once {
    const MANY: bool = false;

    fn keep(&self, _: &I) -> Option<I> {
        None
    }

    fn keep_again(&self, _: &I) -> Option<I> {
        None
    }

    fn retry(&self, _: u32, _: &ItemError<E>) -> Option<Duration> {
        None
    }

    fn hedge_after(&self) -> Option<Duration> {
        None
    }

    fn withdraw(&self) -> bool {
        false
    }
}

/// Tries items again: failed ones after a jittered wait, slow ones beside the first attempt.
///
/// Each attempt takes permits of its own. All extra attempts come out of one [`AttemptBudget`],
/// because retries without a budget turn an overload into an outage.
///
/// ```
/// use std::{num::NonZeroU32, time::Duration};
///
/// use floodway::fan_out::{AttemptBudget, Retry};
///
/// // Three attempts, the second after 10 to 20 ms, the third after 20 to 40; at most one in five
/// // items is tried again, beside the first ten.
/// let retry = Retry::up_to(NonZeroU32::new(3).expect("3 is not zero"))
///     .backoff(Duration::from_millis(20), Duration::from_secs(1))
///     .budget(&AttemptBudget::new(0.2, 10)?)
///     .when(|error: &std::io::Error| error.kind() == std::io::ErrorKind::TimedOut);
/// # let _ = retry;
/// # Ok::<(), floodway::InvalidParameter>(())
/// ```
#[derive(Clone)]
pub struct Retry<P> {
    attempts: NonZeroU32,
    first_backoff: Duration,
    longest_backoff: Duration,
    hedge_after: Option<Duration>,
    budget: AttemptBudget,
    after_timeouts: bool,
    when: P,
}

/// Whether a failure is worth another attempt.
pub trait RetryWhen<E> {
    #[doc(hidden)]
    fn is_worth_it(&self, error: &E) -> bool;
}

/// Every failure is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Always;

impl<E> RetryWhen<E> for Always {
    fn is_worth_it(&self, _: &E) -> bool {
        true
    }
}

impl<E, F: Fn(&E) -> bool> RetryWhen<E> for F {
    fn is_worth_it(&self, error: &E) -> bool {
        self(error)
    }
}

impl Retry<Always> {
    /// So many attempts at most, the first included; every error and timeout is worth another.
    /// Panics and rejections are not.
    #[must_use]
    pub fn up_to(attempts: NonZeroU32) -> Self {
        Self {
            attempts,
            first_backoff: Duration::from_millis(50),
            longest_backoff: Duration::from_secs(5),
            hedge_after: None,
            budget: AttemptBudget::default(),
            after_timeouts: true,
            when: Always,
        }
    }

    /// No second attempt for what failed, but one beside what runs for longer than `delay`:
    /// the first that succeeds wins and the other is dropped. A good delay is the 95th percentile
    /// of the latency (<https://research.google/pubs/the-tail-at-scale/>).
    ///
    /// The rival runs only if its permits are free at that moment.
    #[must_use]
    pub fn hedge(delay: Duration) -> Self {
        Self { hedge_after: Some(delay), ..Self::up_to(NonZeroU32::MIN) }
    }
}

impl<P> Retry<P> {
    /// How long to wait: a random half to whole of `first`, doubled with every attempt, and at
    /// most `longest`. By default 50 ms and 5 s. An item that waits when its fan-out stops ends with
    /// the error of its last attempt.
    #[must_use]
    pub fn backoff(mut self, first: Duration, longest: Duration) -> Self {
        (self.first_backoff, self.longest_backoff) = (first, longest);
        self
    }

    /// Starts a rival beside what runs for longer than `delay`; see [`hedge`](Retry::hedge).
    #[must_use]
    pub fn hedge_after(mut self, delay: Duration) -> Self {
        self.hedge_after = Some(delay);
        self
    }

    /// Where extra attempts come out of; shared by all who are given a clone. By default one of
    /// its own.
    #[must_use]
    pub fn budget(mut self, budget: &AttemptBudget) -> Self {
        self.budget = budget.clone();
        self
    }

    /// Takes a timeout for the last word: what was slow once is not asked again.
    #[must_use]
    pub fn not_after_timeouts(mut self) -> Self {
        self.after_timeouts = false;
        self
    }

    /// Tries again only after errors for which `when` says so, and after timeouts; see
    /// [`not_after_timeouts`](Self::not_after_timeouts).
    #[must_use]
    pub fn when<E, F: Fn(&E) -> bool>(self, when: F) -> Retry<F> {
        let Self { attempts, first_backoff, longest_backoff, hedge_after, budget, .. } = self;
        let after_timeouts = self.after_timeouts;
        Retry {
            attempts,
            first_backoff,
            longest_backoff,
            hedge_after,
            budget,
            after_timeouts,
            when,
        }
    }
}

impl<I: Clone, E, P: RetryWhen<E>> Attempts<I, E> for Retry<P> {
    const MANY: bool = true;

    fn keep(&self, item: &I) -> Option<I> {
        self.budget.deposit();
        self.keep_again(item)
    }

    fn keep_again(&self, item: &I) -> Option<I> {
        Some(item.clone())
    }

    fn retry(&self, attempts: u32, error: &ItemError<E>) -> Option<Duration> {
        let worth_it = match error {
            ItemError::Failed(error) => self.when.is_worth_it(error),
            ItemError::TimedOut => self.after_timeouts,
            _ => false,
        };
        if !worth_it || attempts >= self.attempts.get() || !self.budget.withdraw() {
            return None;
        }
        let doubled = 1_u32.checked_shl(attempts.saturating_sub(1)).unwrap_or(u32::MAX);
        let backoff = self.first_backoff.saturating_mul(doubled).min(self.longest_backoff);
        Some(backoff.mul_f64(0.5 + fastrand::f64() / 2.0))
    }

    fn hedge_after(&self) -> Option<Duration> {
        self.hedge_after
    }

    fn withdraw(&self) -> bool {
        self.budget.withdraw()
    }
}

impl<P> fmt::Debug for Retry<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retry")
            .field("attempts", &self.attempts)
            .field("backoff", &(self.first_backoff..=self.longest_backoff))
            .field("hedge_after", &self.hedge_after)
            .field("budget", &self.budget)
            .finish_non_exhaustive()
    }
}

/// How many extra attempts there may be: a share of all items, and a reserve.
///
/// A token bucket: every item puts in a share of a token, every extra attempt takes a whole one.
/// After Finagle's `RetryBudget` (<https://twitter.github.io/finagle/guide/Clients.html>), but
/// counted in items alone, because a fan-out knows no idle time.
#[derive(Clone, Debug)]
pub struct AttemptBudget(Arc<Bucket>);

#[derive(Debug)]
struct Bucket {
    /// Thousandths of a token.
    tokens: AtomicI64,
    per_item: i64,
    most: i64,
}

const TOKEN: i64 = 1_000;

impl AttemptBudget {
    /// One extra attempt for every 1 / `ratio` items (`ratio` from 0 to 10), and `reserve` more.
    ///
    /// # Errors
    ///
    /// If `ratio` is not a number from 0 to 10.
    pub fn new(ratio: f64, reserve: u32) -> Result<Self, InvalidParameter> {
        InvalidParameter::check("attempt budget ratio", ratio, 0.0, 10.0)?;
        Ok(Self::of((ratio * TOKEN as f64) as i64, reserve))
    }

    fn of(per_item: i64, reserve: u32) -> Self {
        let reserve = i64::from(reserve) * TOKEN;
        // What a good hour has saved must not fuel a storm: a hundred items' worth at most.
        let most = reserve.max(100 * per_item);
        Self(Arc::new(Bucket { tokens: AtomicI64::new(reserve), per_item, most }))
    }

    fn deposit(&self) {
        // Relaxed: a count that guards nothing else.
        let Bucket { tokens, per_item, most } = &*self.0;
        if tokens.load(Ordering::Relaxed) < *most {
            tokens.fetch_add(*per_item, Ordering::Relaxed);
        }
    }

    fn withdraw(&self) -> bool {
        let take = |tokens: i64| (tokens >= TOKEN).then_some(tokens - TOKEN);
        self.0.tokens.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }
}

/// One in five items, and ten more.
impl Default for AttemptBudget {
    fn default() -> Self {
        Self::of(TOKEN / 5, 10)
    }
}
