//! Callers that come at a steady rate, whatever became of those before them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use floodway::{ConnectionError, PoolLimiter};
use tokio::{
    sync::oneshot,
    task::{JoinHandle, JoinSet},
    time::{Instant, interval, timeout_at},
};

use super::subject::Subject;
use crate::support::ms;

/// Calls per second: two thirds of what ten connections serve.
const RATE: u32 = 300;
/// From the beginning of a call to its answer.
pub(super) const DEADLINE: Duration = ms(300);
/// How long a connection is held, by most and by a few.
const QUERY: &str = "SELECT pg_sleep(0.02)";
const SLOW_QUERY: &str = "SELECT pg_sleep(2)";
pub(super) const SLOW: Duration = ms(2_000);
/// One in so many is slow, while some are.
const SLOW_ONES: u32 = 100;

/// One call and what became of it.
pub(super) struct Call {
    /// When it came, since the load began.
    pub(super) at: Duration,
    /// How long it took beyond what its query had to.
    pub(super) took: Duration,
    pub(super) outcome: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Served,
    /// The limiter said why there was no connection.
    Refused(&'static str),
    /// The pool did not deliver in time.
    NotDelivered,
    /// The pool said that it had failed.
    PoolFailed,
    /// The query failed.
    QueryFailed,
    /// The query had no answer in time.
    QueryLate,
}

pub(super) struct Load {
    began: Instant,
    some_slow: Arc<AtomicBool>,
    stop: oneshot::Sender<()>,
    calls: JoinHandle<Vec<Call>>,
}

impl Load {
    pub(super) fn start<P: Subject>(limiter: PoolLimiter<P>) -> Self {
        let began = Instant::now();
        let some_slow = Arc::new(AtomicBool::new(false));
        let (stop, stopped) = oneshot::channel();
        let calls = tokio::spawn(run(limiter, began, Arc::clone(&some_slow), stopped));
        Self { began, some_slow, stop, calls }
    }

    /// The time since the load began.
    pub(super) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Lets a few queries take long from now on, or none.
    pub(super) fn set_some_slow(&self, some: bool) {
        self.some_slow.store(some, Ordering::Relaxed);
    }

    /// Lets nobody come any more, and waits for what becomes of those who came.
    pub(super) async fn stop(self) -> Vec<Call> {
        self.stop.send(()).expect("the load runs");
        self.calls.await.expect("the load does not panic")
    }
}

async fn run<P: Subject>(
    limiter: PoolLimiter<P>,
    began: Instant,
    some_slow: Arc<AtomicBool>,
    mut stopped: oneshot::Receiver<()>,
) -> Vec<Call> {
    let mut started = 0_u32;
    let mut calls = JoinSet::new();
    // Who comes late because the machine is busy is made up for, so that the rate stays.
    let mut arrivals = interval(Duration::from_secs(1) / RATE);
    loop {
        tokio::select! {
            biased;
            _ = &mut stopped => break,
            _ = arrivals.tick() => {
                started += 1;
                let slow = some_slow.load(Ordering::Relaxed) && started.is_multiple_of(SLOW_ONES);
                calls.spawn(call(limiter.clone(), began, slow));
            }
        }
    }
    calls.join_all().await
}

async fn call<P: Subject>(limiter: PoolLimiter<P>, began: Instant, slow: bool) -> Call {
    let at = began.elapsed();
    let deadline = Instant::now() + DEADLINE;
    let (query, due) = if slow { (SLOW_QUERY, SLOW) } else { (QUERY, Duration::ZERO) };
    let outcome = match limiter.connection(deadline).await {
        Ok(mut connection) => {
            match timeout_at(deadline + due, P::query(&mut connection, query)).await {
                Ok(Ok(())) => Outcome::Served,
                Ok(Err(_)) => Outcome::QueryFailed,
                Err(_) => Outcome::QueryLate,
            }
        }
        Err(ConnectionError::Rejected(rejected)) => Outcome::Refused(rejected.cause.as_str()),
        Err(ConnectionError::Deadline { .. }) => Outcome::NotDelivered,
        Err(ConnectionError::Pool(_)) => Outcome::PoolFailed,
        Err(error) => panic!("{error}"),
    };
    Call { at, took: (began.elapsed() - at).saturating_sub(due), outcome }
}
