//! Storages that compute elsewhere, or with a part of what there is, come to what the ledger comes to.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use floodway_control::fleet::{LeaseRequest, Ledger};
use floodway_fleet::{LeaseReply, LeaseStore, StoreError};
use proptest::{
    collection::vec,
    prelude::*,
    sample::select,
    test_runner::{Config, TestCaseResult, TestRunner},
};
use tokio::runtime::Runtime;

const REPLICAS: [&str; 6] = ["a", "a\u{1}", "ab", "b", "ü", "it's \\"];
/// Seconds, and more than any lease lasts.
const STEPS: [u64; 8] = [0, 100, 900, 1_000, 1_100, 3_000, 10_500, 70_000];

#[derive(Clone, Debug)]
enum Happens {
    Renewal(Box<Renewal>),
    /// Time passes for everybody, and the wall clock is stepped by so much.
    Time(u64, i64),
    /// Everything left behind that can be closed is, every second one or all.
    Fenced(bool),
    Set(Option<(u32, u32)>),
    Evicted(usize),
}

/// What of a request is not the replica's state.
#[derive(Clone, Debug)]
struct Renewal {
    replica: usize,
    way: Way,
    want: u32,
    held: Option<u32>,
    weight: u32,
    floor: u32,
    ttl: u64,
    reuse: u64,
    floor_ttl: u64,
    linger: u64,
    refresh: u64,
    budget: (u32, u32),
    fenced: bool,
    fencer: bool,
    seen: u32,
    run: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Answered,
    Unanswered,
    Repeated,
    Late,
    Leaving,
    Restarted,
}

fn renewal() -> impl Strategy<Value = Renewal> {
    use Way::{Answered, Late, Leaving, Repeated, Restarted, Unanswered};
    let ways = vec![Answered, Answered, Answered, Unanswered, Repeated, Late, Leaving, Restarted];
    let load = (
        0..REPLICAS.len(),
        select(ways),
        select(vec![0, 1, 5, 17, 100, u32::MAX]),
        prop::option::weighted(0.3, 0..30_u32),
        select(vec![0, 1, 1, 2, 7, 5_000]),
        select(vec![0, 0, 1, 2, 9]),
    );
    let terms = (
        select(vec![1, 400, 4_000, 4_003]),
        select(vec![0, 0, 2_000]),
        select(vec![0, 5_000, 60_000]),
        select(vec![0, 1_000]),
        select(vec![0, 1, 1_000]),
        select(vec![(42, 2), (42, 2), (42, 2), (40, 0), (3, 0), (5, 9), (100_000, 17)]),
    );
    let rest = (
        any::<bool>(),
        any::<bool>(),
        select(vec![0, 1, 3, 20_000]),
        select(vec!["one", "one", "one", "one", "one", "two"]),
    );
    (load, terms, rest).prop_map(|(load, terms, rest)| {
        let (replica, way, want, held, weight, floor) = load;
        let (ttl, reuse, floor_ttl, linger, refresh, budget) = terms;
        let (fenced, fencer, seen, run) = rest;
        Renewal {
            replica,
            way,
            want,
            held,
            weight,
            floor,
            ttl,
            reuse,
            floor_ttl,
            linger,
            refresh,
            budget,
            fenced,
            fencer,
            seen,
            run,
        }
    })
}

fn happens() -> impl Strategy<Value = Happens> {
    let set = prop::option::of(select(vec![(10, 1), (60, 3), (2, 5)]));
    prop_oneof![
        12 => renewal().prop_map(|renewal| Happens::Renewal(Box::new(renewal))),
        5 => (select(STEPS.to_vec()), select(vec![0, 0, 0, 300_000, -300_000]))
            .prop_map(|(passes, step)| Happens::Time(passes, step)),
        1 => any::<bool>().prop_map(Happens::Fenced),
        1 => set.prop_map(Happens::Set),
        1 => (0..REPLICAS.len()).prop_map(Happens::Evicted),
    ]
}

/// A storage that tells what its wall clock showed.
pub(crate) trait Telling: LeaseStore {
    async fn renew_and_tell(
        &self,
        budget: &str,
        request: LeaseRequest,
    ) -> Result<(LeaseReply, u64), StoreError>;
}

/// Both sides, and what the replicas know.
struct Pair<S> {
    store: S,
    budget: String,
    ledger: Ledger,
    replicas: Vec<LeaseRequest>,
    /// The request before the last, of each.
    before: Vec<LeaseRequest>,
    now: u64,
    shift: i64,
}

impl<S: Telling> Pair<S> {
    fn new(store: S, budget: String) -> Self {
        let replicas: Vec<_> = REPLICAS.iter().zip(0..).map(|(name, at)| first(name, at)).collect();
        let (before, ledger) = (replicas.clone(), Ledger::default());
        Self { store, budget, ledger, replicas, before, now: 5_000, shift: 0 }
    }

    async fn happens(&mut self, what: &Happens) -> TestCaseResult {
        match what {
            Happens::Renewal(renewal) => self.renew(renewal).await?,
            Happens::Time(passes, step) => {
                self.now += passes;
                self.shift += passes.cast_signed() + step;
                self.store.shift_clock(self.shift);
            }
            Happens::Fenced(all) => {
                let unfenced: Vec<_> = self.ledger.unfenced().cloned().collect();
                prop_assert_eq!(&self.store.unfenced(&self.budget).await.unwrap(), &unfenced);
                let every = if *all { 1 } else { 2 };
                let closed = unfenced.into_iter().step_by(every);
                let closed: Vec<_> = closed.collect();
                self.ledger.fenced(&closed);
                self.store.fenced(&self.budget, closed).await.unwrap();
            }
            Happens::Set(set) => {
                self.ledger.set_budget(*set);
                self.store.set_budget(&self.budget, *set).await.unwrap();
            }
            Happens::Evicted(replica) => {
                let evicted = self.store.evict(&self.budget, REPLICAS[*replica]).await.unwrap();
                prop_assert_eq!(evicted, self.ledger.evict(REPLICAS[*replica]));
            }
        }
        let found = self.store.status(&self.budget).await.unwrap();
        prop_assert_eq!(found.unwrap_or_default(), self.ledger.status());
        Ok(())
    }

    async fn renew(&mut self, renewal: &Renewal) -> TestCaseResult {
        let at = renewal.replica;
        let known = &mut self.replicas[at];
        if renewal.way == Way::Restarted {
            *known = first(REPLICAS[at], known.incarnation + 1);
        }
        let request = match renewal.way {
            Way::Repeated => known.clone(),
            Way::Late => self.before[at].clone(),
            _ => {
                self.before[at] = known.clone();
                known.seq += 1;
                known.sent = self.now;
                say(known, renewal);
                known.clone()
            }
        };
        let (reply, wall) = self.store.renew_and_tell(&self.budget, request.clone()).await.unwrap();
        let expected = self.ledger.renew(wall, &request);
        prop_assert_eq!(&reply, &expected);
        if renewal.way == Way::Answered && !reply.superseded {
            let known = &mut self.replicas[at];
            (known.epoch, known.applied) = (reply.epoch, reply.grant);
            known.floor_applied = reply.floor;
        }
        Ok(())
    }
}

fn first(name: &str, incarnation: u64) -> LeaseRequest {
    LeaseRequest {
        replica: name.to_owned(),
        // Beyond what a double holds exactly.
        incarnation: incarnation | 1 << 60,
        epoch: 0,
        seq: 0,
        sent: 0,
        want: 0,
        held: 0,
        applied: 0,
        floor_applied: 0,
        weight: 0,
        floor: 0,
        ttl: 0,
        reuse: 0,
        floor_ttl: 0,
        linger: 0,
        refresh: 0,
        budget: 0,
        margin: 0,
        fenced: false,
        fencer: false,
        seen_members: 0,
        seen_floors: 0,
        engine: "one".to_owned(),
        leaving: false,
    }
}

fn say(request: &mut LeaseRequest, renewal: &Renewal) {
    request.want = renewal.want;
    request.held = renewal.held.unwrap_or(request.applied);
    (request.weight, request.floor) = (renewal.weight, renewal.floor);
    (request.ttl, request.reuse) = (renewal.ttl, renewal.reuse);
    (request.floor_ttl, request.linger) = (renewal.floor_ttl, renewal.linger);
    request.refresh = renewal.refresh;
    (request.budget, request.margin) = renewal.budget;
    (request.fenced, request.fencer) = (renewal.fenced, renewal.fencer);
    (request.seen_members, request.seen_floors) = (renewal.seen, renewal.seen);
    renewal.run.clone_into(&mut request.engine);
    request.leaving = renewal.way == Way::Leaving;
    if request.leaving {
        (request.applied, request.floor_applied) = (0, 0);
    }
}

/// Lets random things happen to budgets in `store` and in a ledger, `cases` times.
pub(crate) fn check<S: Telling>(cases: u32, connect: impl AsyncFn() -> S) {
    let runtime = Runtime::new().unwrap();
    let budgets = AtomicU32::new(0);
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&vec(happens(), 1..120), |sequence| {
        runtime.block_on(async {
            let budget = format!("it's {}", budgets.fetch_add(1, Relaxed));
            let mut pair = Pair::new(connect().await, budget);
            for what in &sequence {
                pair.happens(what).await?;
            }
            Ok(())
        })
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
}
