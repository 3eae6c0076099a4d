//! Requests that come when they come, however long those before them take.

use std::{thread, time::Duration};

use tokio::{runtime::Runtime, task::JoinSet, time::Instant};

use super::arms::Ended;

/// How many requests come, and for how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    /// A second, on average; the gaps between them are exponentially distributed.
    pub(super) rate: f64,
    /// Before it counts.
    pub(super) warm: Duration,
    pub(super) counted: Duration,
    /// The same one gives the same moments.
    pub(super) seed: u64,
}

/// What became of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    /// How much later than planned it was handed to the runtime.
    pub(super) lag: Duration,
    /// From the planned moment to the end, so that a late start is not forgiven.
    pub(super) latency: Duration,
    /// From the call to its end.
    pub(super) inside: Duration,
    pub(super) ended: Ended,
}

/// Gives what became of those that count, after all have ended.
///
/// The calling thread keeps the schedule, so that a busy runtime does not slow its own load down.
pub(super) fn offer<F>(runtime: &Runtime, load: Load, request: impl Fn() -> F) -> Vec<Record>
where
    F: Future<Output = Ended> + Send + 'static,
{
    // Requests may make timers as soon as they are called.
    let _entered = runtime.enter();
    let mut random = fastrand::Rng::with_seed(load.seed);
    let mut running = JoinSet::new();
    let start = Instant::now();
    let (from, until) = (start + load.warm, start + load.warm + load.counted);
    let mut planned = start;
    loop {
        planned += Duration::from_secs_f64(-(1.0 - random.f64()).ln() / load.rate);
        if planned >= until {
            break;
        }
        let early = planned.saturating_duration_since(Instant::now());
        if !early.is_zero() {
            #[expect(clippy::disallowed_methods, reason = "this thread belongs to no runtime")]
            thread::sleep(early);
        }
        let lag = planned.elapsed();
        let request = request();
        let counts = planned >= from;
        let record = async move {
            let called = Instant::now();
            let ended = request.await;
            let now = Instant::now();
            let (latency, inside) = (now - planned, now - called);
            counts.then_some(Record { lag, latency, inside, ended })
        };
        running.spawn_on(record, runtime.handle());
    }
    runtime.block_on(running.join_all()).into_iter().flatten().collect()
}
