//! A limiter in front of a pool whose every move is under control, and what can be said of both.

mod fake;

use floodway::{
    Claim, Clock, PoolCause, PoolLimiter, PoolLimiterBuilder, Pooled, Queue, Registry, Weight,
};
use floodway_metrics::{Metric, catalogue::pool as metrics};
use tokio::{task::yield_now, time::Instant};

pub(crate) use self::fake::{Failure, FakePool, Trim};
use crate::support::ms;

pub(crate) type ConnectionError = floodway::ConnectionError<Failure>;
pub(crate) type Asked<T = Pooled<FakePool>> = Result<T, ConnectionError>;

pub(crate) struct Bench {
    pub(crate) pool: FakePool,
    pub(crate) limiter: PoolLimiter<FakePool>,
    pub(crate) registry: Registry,
}

impl Bench {
    pub(crate) fn new(max: u32, reserved: u32) -> Self {
        Self::with(FakePool::new(max), |builder| builder.reserved(reserved))
    }

    pub(crate) fn with(
        pool: FakePool,
        describe: impl FnOnce(PoolLimiterBuilder<FakePool>) -> PoolLimiterBuilder<FakePool>,
    ) -> Self {
        let registry = Registry::new();
        let builder = PoolLimiter::builder("db", pool.clone())
            .queue(Queue::fifo().max_wait(ms(5_000)))
            .registry(&registry)
            .clock(Clock::tokio());
        let limiter = describe(builder).build().expect("a valid description");
        Self { pool, limiter, registry }
    }

    /// With a tenth of a second to spare.
    #[track_caller]
    pub(crate) fn connection(&self) -> impl Future<Output = Asked> + Send + use<> {
        self.limiter.connection(soon())
    }

    #[track_caller]
    pub(crate) fn claim(
        &self,
        weight: Weight,
    ) -> impl Future<Output = Asked<Claim<FakePool>>> + Send + use<> {
        self.limiter.claim(weight, soon())
    }

    pub(crate) fn number(&self, metric: &'static Metric, labels: &[&str]) -> f64 {
        let labels = [&["db"], labels].concat();
        let number = self.registry.snapshot().number(metric, &labels);
        number.unwrap_or_else(|| panic!("{} {labels:?} is not there", metric.name))
    }

    /// How many were refused for that cause.
    pub(crate) fn refused(&self, cause: &str) -> f64 {
        self.number(&metrics::REJECTIONS, &[cause])
    }

    #[track_caller]
    pub(crate) fn check(&self, limit: u32, in_flight: u32, used: u32) {
        let inner = self.limiter.limiter();
        let actual = (inner.limit(), inner.in_flight(), self.pool.numbers().used);
        assert_eq!(actual, (limit, in_flight, used), "limit, in flight, used");
    }

    /// Nothing is out, nobody waits, nothing is remembered of who was here.
    #[track_caller]
    pub(crate) fn check_at_rest(&self) {
        let inner = self.limiter.limiter();
        assert_eq!((inner.in_flight(), inner.queued()), (0, 0), "in flight, queued");
        assert_eq!(self.pool.numbers().used, 0, "used");
        for metric in [&metrics::CLAIMS, &metrics::OLDEST_HOLD, &metrics::PENDING_REQUESTS] {
            assert_eq!(self.number(metric, &[]), 0.0, "{}", metric.name);
        }
    }
}

pub(crate) fn within(millis: u64) -> Instant {
    Instant::now() + ms(millis)
}

pub(crate) fn soon() -> Instant {
    within(100)
}

/// As good as never: under paused time a wait that does not end is seen by this passing.
pub(crate) fn far() -> Instant {
    within(3_600_000)
}

/// Why a caller was turned away.
#[track_caller]
pub(crate) fn cause<T>(asked: Asked<T>) -> PoolCause {
    match asked.map(drop) {
        Err(ConnectionError::Rejected(rejected)) => rejected.cause,
        other => panic!("not turned away: {other:?}"),
    }
}

/// Three callers in a row are refused by the database.
pub(crate) async fn fail(bench: &Bench) {
    bench.pool.change(|n| n.fails = Some(Failure::Refused));
    for _ in 0..3 {
        assert!(matches!(bench.connection().await, Err(ConnectionError::Pool(_))));
    }
    bench.pool.change(|n| n.fails = None);
}

/// Lets spawned tasks run to where they wait.
pub(crate) async fn settle() {
    for _ in 0..20 {
        yield_now().await;
    }
}
