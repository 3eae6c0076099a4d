//! What becomes of callers while a database, the network to it or its pool fails: each has one
//! answer, in time and with the right cause, and all is well again soon after.

mod flapping;
mod load;
mod nesting;
mod report;
mod scenarios;
mod subject;

use std::{env, time::Duration};

use floodway::{PoolLimiter, Queue, Registry};
use floodway_metrics::catalogue::{limiter as limiter_metrics, pool as metrics};
use floodway_test_support::{Postgres, Proxy};
use tokio::time::sleep;

use self::{
    load::{DEADLINE, Load},
    report::{Report, Span},
    subject::Subject,
};
use crate::support::{at_rest, ms};

/// Connections of each pool.
const POOL: u32 = 10;
/// How long all is well before a fault, and observed after it.
const WELL: Duration = ms(500);
/// How long recovery may take.
const RECOVERY: Duration = ms(2_000);
/// This part of what was served before has to be served again. Nine tenths are, on a machine that
/// has nothing else to do, and are looked for when somebody runs a test by hand.
const RECOVERED: f64 = 0.5;
/// How much later than its deadline a caller may have its answer, on a machine that is busy with
/// other tests.
const SLACK: Duration = ms(2_000);
/// In the first moment of a fault nobody has waited for long, so some are told another cause.
const ONSET: Duration = ms(1_000);

/// How long a fault lasts: a few seconds, or what the variable says for a run by hand.
fn fault_duration() -> Duration {
    let seconds = env::var("FLOODWAY_FAULT_SECONDS").ok();
    let seconds = seconds.map(|text| text.parse().expect("FLOODWAY_FAULT_SECONDS is a number"));
    Duration::from_secs_f64(seconds.unwrap_or(2.5))
}

/// A pool behind a limiter, over a database behind a proxy, under load.
struct Bench<P: Subject> {
    database: Postgres,
    proxy: Proxy,
    registry: Registry,
    limiter: PoolLimiter<P>,
    load: Load,
}

/// What is expected of the callers whom a fault kept from a connection.
struct Expected {
    cause: &'static str,
    /// Whether the pool works again after the fault.
    heals: bool,
}

/// Checks that callers are answered as they should be, before, during and after a fault.
///
/// `inflict` returns when the fault is over.
async fn check<P: Subject>(
    name: &str,
    expected: Expected,
    inflict: impl AsyncFnOnce(&mut Bench<P>),
) {
    let Some(database) = Postgres::start() else {
        return;
    };
    let proxy = Proxy::start(database.address());
    let pool = P::open(&database.url_through(&proxy), POOL).await;
    let registry = Registry::new();
    let limiter = PoolLimiter::builder("db", pool)
        .queue(Queue::fifo().capacity(64).max_wait(ms(250)))
        .registry(&registry)
        .build()
        .expect("a valid description");
    let load = Load::start(limiter.clone());
    let mut bench = Bench { database, proxy, registry, limiter, load };

    // The pool opens its connections first.
    sleep(WELL / 2).await;
    let well = bench.load.now();
    sleep(WELL).await;
    let began = bench.load.now();
    inflict(&mut bench).await;
    let ended = bench.load.now();
    sleep(RECOVERY + WELL).await;
    let Bench { limiter, registry, load, .. } = bench;
    let over = load.now();
    let calls = load.stop().await;
    at_rest(&limiter).await;

    let report = Report::new(calls);
    let before = report.goodput(Span { from: well, to: began });
    let name = format!("{name}, {}", P::NAME);
    report.print(&name, Span { from: began, to: ended }, before);

    check_books(&registry, &report);
    assert!(report.longest() <= DEADLINE + SLACK, "a caller waited for {:?}", report.longest());
    let until = began + fault_duration();
    let (_, told) = report.refused(Span { from: began, to: until }, expected.cause);
    assert!(told >= 10, "{told} were told {}", expected.cause);
    let (refused, told) = report.refused(Span { from: began + ONSET, to: until }, expected.cause);
    let others = (refused - told) as f64;
    assert!(others <= 10.0 + 0.1 * refused as f64, "{told} of {refused}: {}", expected.cause);
    if expected.heals {
        let recovery = report.recovery(ended, RECOVERED * before);
        assert!(recovery.is_some_and(|recovery| recovery <= RECOVERY), "{recovery:?}");
        let end = Span { from: ended + RECOVERY, to: over };
        let (_, still) = report.refused(end, expected.cause);
        // A machine that stands still for a moment looks like a database that does.
        let few = 0.2 * before * (end.to - end.from).as_secs_f64();
        assert!(still as f64 <= few, "{still} were told {} after the fault", expected.cause);
    }
}

/// Checks that the metrics say the same as the callers were told.
fn check_books(registry: &Registry, report: &Report) {
    let snapshot = registry.snapshot();
    let sum = |metric, labels: &[&str]| snapshot.number(metric, labels).expect("there from birth");
    let acquired = sum(&limiter_metrics::ACQUIRED, &["db"]);
    let refused = sum(&limiter_metrics::REJECTED, &["db"]);
    assert_eq!(acquired, sum(&limiter_metrics::COMPLETED, &["db"]));
    assert_eq!(acquired + refused, report.calls() as f64, "every caller is counted once");
    assert_eq!(sum(&limiter_metrics::CANCELLED, &["db"]), 0.0);
    for (cause, told) in report.causes() {
        let counted = sum(&metrics::REJECTIONS, &["db", cause]);
        assert_eq!(counted, told as f64, "{cause}");
    }
    let told: usize = report.causes().map(|(_, told)| told).sum();
    assert_eq!(sum(&metrics::REJECTIONS, &["db"]), told as f64);
}
