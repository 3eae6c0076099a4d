//! Callers of all kinds, and the tally of how their calls end.

use std::{
    panic::resume_unwind,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use floodway::{Outcome, PoolLimiter, Weight};
use rand::{RngExt, rngs::StdRng};
use tokio::time::{Instant, sleep};

use super::super::kit::*;
use crate::support::ms;

/// How the calls for a connection or a claim ended.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) asked: AtomicU64,
    pub(super) connections: AtomicU64,
    pub(super) claims: AtomicU64,
    /// Turned away, nested, or not served by the pool in time.
    pub(super) refused: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) cancelled: AtomicU64,
}

/// One call; cancelled unless it says otherwise.
struct Call<'a>(&'a Tally, Option<&'a AtomicU64>);

impl<'a> Call<'a> {
    fn new(tally: &'a Tally) -> Self {
        tally.asked.fetch_add(1, Ordering::Relaxed);
        Self(tally, None)
    }

    fn end<T>(mut self, asked: Asked<T>, well: impl Fn(&'a Tally) -> &'a AtomicU64) -> Option<T> {
        self.1 = Some(match &asked {
            Ok(_) => well(self.0),
            Err(ConnectionError::Pool(_)) => &self.0.failed,
            Err(_) => &self.0.refused,
        });
        asked.ok()
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.1.unwrap_or(&self.0.cancelled).fetch_add(1, Ordering::Relaxed);
    }
}

impl Tally {
    /// Every call has ended, in one way.
    pub(super) fn check(&self) {
        let value = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let ends = [&self.connections, &self.claims, &self.refused, &self.failed, &self.cancelled];
        assert_eq!(value(&self.asked), ends.into_iter().map(value).sum());
    }
}

/// Somebody who wants connections.
pub(super) struct Caller {
    pub(super) limiter: PoolLimiter<FakePool>,
    pub(super) tally: Arc<Tally>,
    pub(super) rng: StdRng,
}

impl Caller {
    fn deadline(&mut self) -> Instant {
        Instant::now() + ms(self.rng.random_range(0..400))
    }

    async fn dawdle(&mut self) {
        sleep(ms(self.rng.random_range(0..30))).await;
    }

    /// Without a line on the console.
    fn panic_at_times(&mut self) {
        if self.rng.random_ratio(1, 16) {
            resume_unwind(Box::new("as told"));
        }
    }

    /// Asks for one connection, holds it for a while and gives it back, or panics.
    pub(super) async fn one(mut self) {
        let call = self.tally.clone();
        let call = Call::new(&call);
        let deadline = self.deadline();
        let asked = self.limiter.connection(deadline).await;
        let Some(mut held) = call.end(asked, |tally| &tally.connections) else {
            return;
        };
        self.dawdle().await;
        held.set_outcome(Outcome::ALL[self.rng.random_range(0..Outcome::ALL.len())]);
        self.panic_at_times();
    }

    /// Claims connections and takes some, in a scope or from the claim itself.
    pub(super) async fn several(mut self, weight: Weight) {
        let tally = self.tally.clone();
        let deadline = self.deadline();
        let call = Call::new(&tally);
        let asked = self.limiter.claim(weight, deadline).await;
        let Some(claim) = call.end(asked, |tally| &tally.claims) else {
            return;
        };
        let mut held = Vec::new();
        // One more than it has, every now and then.
        let steps = self.rng.random_range(0..=2 * claim.weight());
        let scoped = self.rng.random::<bool>();
        for _ in 0..steps {
            if !held.is_empty() && self.rng.random_ratio(1, 3) {
                drop(held.swap_remove(self.rng.random_range(0..held.len())));
                continue;
            }
            let deadline = self.deadline();
            let call = Call::new(&tally);
            let asked = match scoped {
                true => claim.scope(self.limiter.connection(deadline)).await,
                false => claim.connection(deadline).await,
            };
            held.extend(call.end(asked, |tally| &tally.connections));
            self.dawdle().await;
        }
        self.panic_at_times();
        if self.rng.random() {
            drop(claim);
            self.dawdle().await;
        }
    }
}
