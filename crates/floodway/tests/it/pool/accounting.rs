//! Whatever callers, the pool and its neighbours do, nothing is lost and nothing is counted twice.

mod callers;

use std::sync::{Arc, atomic::Ordering};

use floodway::{Ceiling, Weight};
use floodway_metrics::catalogue::{limiter as limiter_metrics, pool as metrics};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::{
    runtime::Builder,
    task::{AbortHandle, JoinSet},
    time::{advance, sleep},
};

use self::callers::{Caller, Tally};
use super::kit::*;
use crate::support::ms;

const MAX: u32 = 6;
const RESERVED: u32 = 1;

#[derive(Clone, Debug)]
enum Step {
    One,
    Several(Weight),
    Cancel(usize),
    Others(u32),
    Ceiling(u32),
    Fails(usize),
    Connects(bool),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let exact = (0..=MAX).prop_map(|most| Step::Several(Weight::Exact(most)));
    let up_to = (0..=MAX).prop_map(|most| Step::Several(Weight::UpTo(most)));
    prop_oneof![
        8 => Just(Step::One),
        3 => exact,
        5 => up_to,
        4 => any::<usize>().prop_map(Step::Cancel),
        1 => (0..=MAX).prop_map(Step::Others),
        1 => (0..=MAX).prop_map(Step::Ceiling),
        1 => (0_usize..6).prop_map(Step::Fails),
        1 => any::<bool>().prop_map(Step::Connects),
        8 => (0_u64..60).prop_map(Step::Pass),
    ]
}

struct World {
    bench: Bench,
    ceiling: Ceiling,
    tally: Arc<Tally>,
    tasks: JoinSet<()>,
    handles: Vec<AbortHandle>,
    seeds: StdRng,
    /// The most that others have had.
    others: u32,
}

impl World {
    fn new(seed: u64) -> Self {
        let ceiling = Ceiling::new(MAX);
        let bench = Bench::with(FakePool::new(MAX), |builder| {
            builder.reserved(RESERVED).ceiling(ceiling.clone())
        });
        let seeds = StdRng::seed_from_u64(seed);
        let (tally, tasks, handles) = Default::default();
        Self { bench, ceiling, tally, tasks, handles, seeds, others: 0 }
    }

    fn caller(&mut self) -> Caller {
        let (limiter, tally) = (self.bench.limiter.clone(), self.tally.clone());
        Caller { limiter, tally, rng: StdRng::seed_from_u64(self.seeds.random()) }
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::One => {
                let caller = self.caller();
                self.handles.push(self.tasks.spawn(caller.one()));
            }
            Step::Several(weight) => {
                let caller = self.caller();
                self.handles.push(self.tasks.spawn(caller.several(weight)));
            }
            Step::Cancel(nth) if !self.handles.is_empty() => {
                self.handles.swap_remove(nth % self.handles.len()).abort();
            }
            Step::Cancel(_) => {}
            Step::Others(foreign) => {
                self.bench.pool.change(|n| n.foreign = foreign.min(n.max - n.used - n.closing));
                self.others = self.others.max(self.bench.pool.numbers().foreign);
            }
            Step::Ceiling(limit) => self.ceiling.set(limit),
            Step::Fails(how) => {
                let failures = [Failure::TimedOut, Failure::Refused];
                let fails = failures.get(how).copied();
                self.bench.pool.change(|n| n.fails = fails);
            }
            Step::Connects(connects) => {
                self.bench.pool.change(|n| n.connects = if connects { u32::MAX } else { 0 });
            }
            Step::Pass(millis) => advance(ms(millis)).await,
        }
        settle().await;
        while self.tasks.try_join_next().is_some() {}
    }

    /// What holds at all times; `before` were in flight, open and allowed before the step.
    fn check(&self, before: [u32; 3]) {
        let [in_flight_before, open_before, ceiling_before] = before;
        let [in_flight, open, ceiling] = self.levels();
        // Others may not have been noticed yet when somebody is admitted.
        let most = ceiling.max(ceiling_before).min(MAX - RESERVED).max(in_flight_before);
        assert!(in_flight <= most, "{in_flight} in flight, {before:?} before, of {ceiling}");
        let n = self.bench.pool.numbers();
        assert!(n.used <= in_flight, "{} used, {in_flight} permits out", n.used);
        assert!(n.used <= MAX - RESERVED, "{} used", n.used);
        // Who was admitted under a higher ceiling may still be on the way to open one.
        let most = (ceiling.max(ceiling_before).max(in_flight) + n.foreign).max(open_before);
        assert!(open <= most, "{open} open, {before:?} before, ceiling {ceiling}");
        drop(n);
        let foreign = self.bench.number(&metrics::CONNECTIONS_FOREIGN, &[]);
        assert!(foreign <= f64::from(self.others), "{foreign} of others, {} at most", self.others);
    }

    /// In flight, open, the ceiling.
    fn levels(&self) -> [u32; 3] {
        let open = self.bench.pool.numbers().open;
        [self.bench.limiter.limiter().in_flight(), open, self.ceiling.limit()]
    }

    /// Lets everybody end, and looks at what is left.
    async fn end(mut self) {
        self.bench.pool.change(|n| (n.fails, n.connects, n.foreign) = (None, u32::MAX, 0));
        self.ceiling.set(MAX);
        while self.tasks.join_next().await.is_some() {}
        settle().await;
        self.bench.check_at_rest();
        self.tally.check();
        let count = |metric| {
            let snapshot = self.bench.registry.snapshot();
            snapshot.histogram(metric, &["db"]).expect("it is there").count()
        };
        let tally = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
        assert_eq!(count(&metrics::WAIT_DURATION), tally(&self.tally.connections), "waits");
        assert_eq!(count(&metrics::USE_DURATION), tally(&self.tally.connections), "uses");
        let refused = metrics::CAUSE.values.iter().map(|cause| self.bench.refused(cause));
        assert_eq!(refused.sum::<f64>(), tally(&self.tally.refused) as f64, "refused");
        let errors =
            [&metrics::TIMEOUTS, &metrics::ERRORS].map(|metric| self.bench.number(metric, &[]));
        assert!(errors.iter().sum::<f64>() >= tally(&self.tally.failed) as f64, "errors");
        let sum = |metric| self.bench.number(metric, &[]);
        assert_eq!(sum(&limiter_metrics::ACQUIRED), sum(&limiter_metrics::COMPLETED));
        assert_eq!(self.bench.pool.numbers().interrupted, 0, "an attempt was interrupted");
        // Others and failures are forgotten, and all can be had again.
        sleep(ms(2_000)).await;
        for _ in 0..MAX {
            drop(self.bench.connection().await);
        }
        settle().await;
        let all = self.bench.claim(Weight::Exact(MAX - RESERVED)).await;
        assert!(all.is_ok(), "{all:?} of {:?}", self.bench.limiter);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn any_schedule_keeps_the_books(
        seed in any::<u64>(),
        steps in prop::collection::vec(step(), 1..1_000),
    ) {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("a runtime").block_on(async {
            let mut world = World::new(seed);
            for step in steps {
                let before = world.levels();
                world.take(step).await;
                world.check(before);
            }
            world.end().await;
        });
    }
}
