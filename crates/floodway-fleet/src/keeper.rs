//! Keeps a lease: looks at what is needed, renews, and lets it end.

use std::{pin::Pin, sync::Arc, time::Duration};

use floodway::Ceiling;
use floodway_control::fleet::{Cap, Demand, HolderState, LeaseReply};
use tokio::{
    select,
    time::{Instant, sleep, timeout},
};

use crate::{
    Fleet, Holder, LeaseStore, StoreError, cells, demand::Peak, fence::application_name,
    shared::Shared, sweep,
};

/// How often demand is looked at, and the clock, in milliseconds. A machine that slept goes on with a
/// lease that has ended for this long at most: the counter by which limiters notice may stop meanwhile.
const LOOK_EVERY: u64 = 50;

type Running<T> = Option<Pin<Box<dyn Future<Output = T> + Send>>>;

pub(crate) struct Keeper<H> {
    pub(crate) fleet: Fleet,
    pub(crate) shared: Arc<Shared>,
    pub(crate) ceiling: Ceiling,
    pub(crate) holder: Arc<H>,
    peak: Peak,
    cap: Cap,
    attempt: Running<Attempt>,
    sweep: Running<()>,
    disagrees: bool,
}

/// How an attempt to renew ended, and how long it took.
struct Attempt {
    outcome: Option<Result<LeaseReply, StoreError>>,
    took: Duration,
}

impl<H: Holder> Keeper<H> {
    pub(crate) fn new(fleet: Fleet, shared: Arc<Shared>, ceiling: Ceiling, holder: Arc<H>) -> Self {
        let cap = shared.cap();
        let (peak, attempt, sweep) = (Peak::default(), None, None);
        Self { fleet, shared, ceiling, holder, peak, cap, attempt, sweep, disagrees: false }
    }

    /// Never ends.
    pub(crate) async fn run(mut self) {
        let refresh = self.shared.known().lease.terms().refresh;
        let look_every = Duration::from_millis(LOOK_EVERY.min(refresh / 4).max(1));
        // Replicas that were started together stay together less.
        sleep(look_every.mul_f64(fastrand::f64())).await;
        loop {
            self.look();
            let Self { attempt, sweep, .. } = &mut self;
            select! {
                ended = finish(attempt) => self.answered(ended),
                () = finish(sweep) => {}
                () = sleep(look_every) => {}
            }
        }
    }

    /// Looks at what is needed, and renews if it is time.
    fn look(&mut self) {
        let now = self.shared.clock.now();
        let holder = &self.holder;
        let needs = holder.in_use().saturating_add(holder.queued()).min(holder.most());
        let demand = Demand { want: self.peak.observe(now, needs), held: holder.held() };
        let request = {
            let mut known = self.shared.known();
            known.demand = demand;
            let due = now >= known.lease.next_for(now, demand);
            let may = self.attempt.is_none() && !known.lease.cap(now).state.is_final();
            (due && may).then(|| known.lease.request(now, demand))
        };
        if let Some(request) = request {
            // Half an interval, so that the next attempt comes no later than the next renewal.
            let patience = Duration::from_millis((request.refresh / 2).max(10));
            let (fleet, shared) = (self.fleet.clone(), Arc::clone(&self.shared));
            self.attempt = Some(Box::pin(async move {
                let begun = Instant::now();
                let renewal = fleet.0.store.renew(&shared.name, request);
                let outcome = timeout(patience, renewal).await.ok();
                Attempt { outcome, took: begun.elapsed() }
            }));
        }
        self.follow();
    }

    /// An attempt to renew has ended.
    fn answered(&mut self, ended: Attempt) {
        let Attempt { outcome, took } = ended;
        let shared = &self.shared;
        let now = shared.clock.now();
        let cells = &shared.cells;
        let jitter = fastrand::f64();
        match outcome {
            Some(Ok(reply)) => {
                cells.duration.record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
                self.take(now, reply, jitter);
            }
            failed => {
                let timed_out = failed.is_none();
                cells.renewals.increment(if timed_out { cells::TIMED_OUT } else { cells::FAILED });
                let failure = failed.and_then(Result::err);
                let mut known = shared.known();
                known.lease.failed(now, jitter);
                let first = !known.failing;
                (known.failing, known.failure) = (true, failure.clone());
                drop(known);
                if first {
                    let error = failure.as_ref().map(tracing::field::display);
                    tracing::warn!(budget = shared.name, error, "a lease was not renewed");
                }
            }
        }
        self.follow();
        self.shared.news.notify_waiters();
    }

    fn take(&mut self, now: u64, reply: LeaseReply, jitter: f64) {
        let shared = &self.shared;
        let (before, was_failing) = {
            let mut known = shared.known();
            let was_failing = std::mem::take(&mut known.failing);
            known.failure = None;
            (known.lease.epoch(), was_failing)
        };
        if was_failing {
            tracing::info!(budget = shared.name, "the engine answers again");
        }
        // Before the lease can be used: connections that are opened under it have to have its name.
        if reply.epoch != before
            && !reply.superseded
            && let Some(on_lease) = &shared.on_lease
        {
            on_lease(&application_name(&shared.name, reply.epoch, self.fleet.replica()));
        }
        let refused = reply.superseded;
        if reply.superseded {
            tracing::error!(
                budget = shared.name,
                replica = self.fleet.replica(),
                "another process has taken the name of this replica, which uses nothing from now on"
            );
        }
        if reply.disagree != self.disagrees {
            self.disagrees = reply.disagree;
            let (budget, margin) = (reply.budget, reply.margin);
            if reply.disagree {
                tracing::warn!(
                    budget = shared.name,
                    in_force = budget,
                    margin,
                    "replicas declare different budgets, the lowest is in force"
                );
            }
        }
        let sweep = reply.sweep;
        let counted = shared.known().lease.reply(now, reply, jitter);
        shared.cells.renewals.increment(match (counted, refused) {
            (false, _) => cells::IGNORED,
            (true, true) => cells::REFUSED,
            (true, false) => cells::GRANTED,
        });
        if sweep
            && self.sweep.is_none()
            && let Some(fence) = shared.fence.clone()
        {
            let (fleet, shared) = (self.fleet.clone(), Arc::clone(shared));
            self.sweep = Some(Box::pin(sweep::run(fleet, shared, fence)));
        }
    }

    /// Lets the limiter know if what it may use has changed.
    fn follow(&mut self) {
        let before = self.cap;
        let cap = self.shared.cap();
        if cap == before {
            return;
        }
        self.cap = cap;
        let cells = &self.shared.cells;
        if cap.permits > before.permits {
            cells.changes.increment(cells::UP);
        } else if cap.permits < before.permits {
            cells.changes.increment(cells::DOWN);
        }
        let ran = |state| matches!(state, HolderState::Leased | HolderState::Learning);
        if ran(before.state) && !ran(cap.state) {
            cells.lapses.increment(0);
            tracing::warn!(
                budget = self.shared.name,
                permits = cap.permits,
                state = cap.state.as_str(),
                "a lease has lapsed"
            );
        }
        self.ceiling.refresh();
    }
}

/// Waits for what runs, if anything does, and forgets it.
async fn finish<T>(running: &mut Running<T>) -> T {
    match running {
        Some(future) => {
            let ended = future.await;
            *running = None;
            ended
        }
        None => std::future::pending().await,
    }
}
