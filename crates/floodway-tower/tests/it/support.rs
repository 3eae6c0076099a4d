//! What the tests of this crate share.

use std::{convert::Infallible, pin::pin, time::Duration};

use floodway::{Clock, Limiter, LimiterBuilder, Outcome, Permit, Registry};
use floodway_metrics::{HistogramValue, Metric, catalogue::limiter as metrics};
use futures::poll;
use tokio::time::timeout;
use tower_test::mock::{Handle, SendResponse};

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A limiter called `test` with a registry of its own, both on tokio's clock.
pub(crate) struct Bench {
    pub(crate) limiter: Limiter,
    pub(crate) registry: Registry,
}

impl Bench {
    pub(crate) fn new(describe: impl FnOnce(LimiterBuilder) -> LimiterBuilder) -> Self {
        let registry = Registry::new();
        let builder = Limiter::builder("test").registry(&registry).clock(Clock::tokio());
        let limiter = describe(builder).build().expect("a valid description");
        Self { limiter, registry }
    }

    pub(crate) fn number(&self, metric: &'static Metric, labels: &[&str]) -> f64 {
        let labels = [&["test"], labels].concat();
        let number = self.registry.snapshot().number(metric, &labels);
        number.unwrap_or_else(|| panic!("{} {labels:?} is not there", metric.name))
    }

    pub(crate) fn histogram(&self, metric: &'static Metric) -> HistogramValue {
        let snapshot = self.registry.snapshot();
        snapshot.histogram(metric, &["test"]).expect("the histogram is there").clone()
    }

    /// A permit that is free.
    pub(crate) fn take(&self) -> Permit {
        self.limiter.try_acquire().expect("a permit is free")
    }

    /// Permits out, callers waiting.
    #[track_caller]
    pub(crate) fn check(&self, in_flight: u32, queued: usize) {
        let limiter = &self.limiter;
        assert_eq!(
            (limiter.in_flight(), limiter.queued()),
            (in_flight, queued),
            "in flight, queued"
        );
    }

    /// Nothing is out, and this many permits came back as success, overload and ignored.
    #[track_caller]
    pub(crate) fn check_completed(&self, expected: [u32; 3]) {
        self.check(0, 0);
        let outcomes = ["success", "overload", "ignore"];
        let found = outcomes.map(|outcome| self.number(&metrics::COMPLETED, &[outcome]));
        assert_eq!(found, expected.map(f64::from), "{outcomes:?}");
    }

    /// Nothing is out, and one permit came back, with this outcome.
    #[track_caller]
    pub(crate) fn check_only(&self, outcome: Outcome) {
        self.check_completed(Outcome::ALL.map(|one| u32::from(one == outcome)));
    }
}

pub(crate) async fn is_pending<F: Future + Unpin>(future: &mut F) -> bool {
    poll!(pin!(future)).is_pending()
}

/// The next request that reaches a mock service; panics instead of waiting for ever.
pub(crate) async fn next_request<T, U>(handle: &mut Handle<T, U>) -> (T, SendResponse<U>) {
    let a_day = ms(24 * 60 * 60 * 1_000);
    let request = timeout(a_day, handle.next_request()).await;
    request.expect("a request reaches the service").expect("the service is there")
}

/// Answers at once; for `service_fn`.
pub(crate) async fn served((): ()) -> Result<&'static str, Infallible> {
    Ok("served")
}
