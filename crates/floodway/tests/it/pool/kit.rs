//! A limiter in front of a pool whose every move is under control, and what can be said of both.

mod fake;

use floodway::{
    Claim, Clock, PoolCause, PoolLimiter, PoolLimiterBuilder, Pooled, Queue, Registry, Weight,
};
use floodway_metrics::{Metric, catalogue::pool as metrics};
use tokio::{task::yield_now, time::Instant};

pub(super) use self::fake::{Failure, FakePool, Trim};
use crate::support::ms;

pub(super) type ConnectionError = floodway::ConnectionError<Failure>;
pub(super) type Asked<T = Pooled<FakePool>> = Result<T, ConnectionError>;

pub(super) struct Bench {
    pub(super) pool: FakePool,
    pub(super) limiter: PoolLimiter<FakePool>,
    pub(super) registry: Registry,
}

impl Bench {
    pub(super) fn new(max: u32, reserved: u32) -> Self {
        Self::with(FakePool::new(max), |builder| builder.reserved(reserved))
    }

    pub(super) fn with(
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
    pub(super) fn connection(&self) -> impl Future<Output = Asked> + Send + use<> {
        self.limiter.connection(soon())
    }

    #[track_caller]
    pub(super) fn claim(
        &self,
        weight: Weight,
    ) -> impl Future<Output = Asked<Claim<FakePool>>> + Send + use<> {
        self.limiter.claim(weight, soon())
    }

    pub(super) fn number(&self, metric: &'static Metric, labels: &[&str]) -> f64 {
        let labels = [&["db"], labels].concat();
        let number = self.registry.snapshot().number(metric, &labels);
        number.unwrap_or_else(|| panic!("{} {labels:?} is not there", metric.name))
    }

    /// How many were refused for that cause.
    pub(super) fn refused(&self, cause: &str) -> f64 {
        self.number(&metrics::REJECTIONS, &[cause])
    }

    #[track_caller]
    pub(super) fn check(&self, limit: u32, in_flight: u32, used: u32) {
        let inner = self.limiter.limiter();
        let actual = (inner.limit(), inner.in_flight(), self.pool.numbers().used);
        assert_eq!(actual, (limit, in_flight, used), "limit, in flight, used");
    }

    /// Nothing is out, nobody waits, nothing is remembered of who was here.
    #[track_caller]
    pub(super) fn check_at_rest(&self) {
        let inner = self.limiter.limiter();
        assert_eq!((inner.in_flight(), inner.queued()), (0, 0), "in flight, queued");
        assert_eq!(self.pool.numbers().used, 0, "used");
        for metric in [&metrics::CLAIMS, &metrics::OLDEST_HOLD, &metrics::PENDING_REQUESTS] {
            assert_eq!(self.number(metric, &[]), 0.0, "{}", metric.name);
        }
    }
}

pub(super) fn within(millis: u64) -> Instant {
    Instant::now() + ms(millis)
}

pub(super) fn soon() -> Instant {
    within(100)
}

/// As good as never: under paused time a wait that does not end is seen by this passing.
pub(super) fn far() -> Instant {
    within(3_600_000)
}

/// Why a caller was turned away.
#[track_caller]
pub(super) fn cause<T>(asked: Asked<T>) -> PoolCause {
    match asked.map(drop) {
        Err(ConnectionError::Rejected(rejected)) => rejected.cause,
        other => panic!("not turned away: {other:?}"),
    }
}

/// Three callers in a row are refused by the database.
pub(super) async fn fail(bench: &Bench) {
    bench.pool.change(|n| n.fails = Some(Failure::Refused));
    for _ in 0..3 {
        assert!(matches!(bench.connection().await, Err(ConnectionError::Pool(_))));
    }
    bench.pool.change(|n| n.fails = None);
}

/// Lets spawned tasks run to where they wait.
pub(super) async fn settle() {
    for _ in 0..20 {
        yield_now().await;
    }
}
