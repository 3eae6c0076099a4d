//! What the tests of this crate share.

use std::{pin::pin, task::Poll, time::Duration};

use floodway::{Clock, Limiter, LimiterBuilder, Permit, Registry, Rejected};
use floodway_metrics::{HistogramValue, Metric};
use futures::{future::poll_immediate, poll};

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

    /// Limit, permits out, callers waiting.
    #[track_caller]
    pub(crate) fn check(&self, limit: u32, in_flight: u32, queued: usize) {
        let limiter = &self.limiter;
        assert_eq!(
            (limiter.limit(), limiter.in_flight(), limiter.queued()),
            (limit, in_flight, queued),
            "limit, in flight, queued"
        );
    }

    /// What an acquire gives without waiting.
    pub(crate) async fn acquire_now(&self) -> Option<Result<Permit, Rejected>> {
        poll_immediate(self.limiter.acquire()).await
    }
}

/// The output of a future that is ready.
pub(crate) async fn ready<F: Future + Unpin>(future: &mut F) -> F::Output {
    match poll!(pin!(future)) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("still pending"),
    }
}

/// The output of a future, if it is ready.
pub(crate) async fn outcome<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    poll_immediate(future).await
}

pub(crate) async fn is_pending<F: Future + Unpin>(future: &mut F) -> bool {
    poll!(pin!(future)).is_pending()
}
