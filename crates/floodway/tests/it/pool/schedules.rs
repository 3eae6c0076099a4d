//! No schedule makes claims, or claims and plain callers, wait for each other for ever.
//!
//! Loom and shuttle replace the primitives that a model uses; what is looked at here is how claims,
//! the limiter's queue, tokio's semaphores and its timers fit together, so the real code runs on
//! tokio's runtime and a seed decides who is polled next. Under paused time a deadlock is a clock
//! that runs ahead.

mod order;

use std::{cell::Cell, rc::Rc, time::Duration};

use floodway::{Ceiling, Claim, Queue, RejectReason, Weight};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::{
    runtime::Builder,
    task::yield_now,
    time::{Instant, sleep, timeout},
};

use self::order::RandomOrder;
use super::kit::*;
use crate::support::ms;

/// How many schedules are tried where nobody says.
const SCHEDULES: u64 = 700;

/// Longer than all that the callers of a schedule wait for.
const STUCK: Duration = Duration::from_secs(600);

/// What may happen in a schedule.
#[derive(Clone, Copy)]
struct Weather {
    /// How far a ceiling may fall; 0: as far as the largest claim.
    lowest: u32,
    exact: bool,
    foreign: bool,
    failures: u32,
    cancels: bool,
}

/// What a schedule is about.
struct World {
    bench: Bench,
    ceiling: Ceiling,
    weather: Weather,
    max: u32,
    /// The lowest limit that there may have been so far.
    lowest: Cell<u32>,
    peak_foreign: Cell<u32>,
}

impl World {
    fn new(weather: Weather, rng: &mut StdRng) -> Self {
        let max = rng.random_range(2..=8);
        let ceiling = Ceiling::new(max);
        let bench = Bench::with(FakePool::new(max), |builder| {
            builder.ceiling(ceiling.clone()).queue(Queue::fifo().max_wait(ms(3_600_000)))
        });
        let (lowest, peak_foreign) = (Cell::new(max), Cell::new(0));
        Self { bench, ceiling, weather, max, lowest, peak_foreign }
    }

    fn check(&self) {
        let limiter = self.bench.limiter.limiter();
        let limit = limiter.limit();
        let n = self.bench.pool.numbers();
        let in_flight = limiter.in_flight();
        assert!(n.used <= in_flight, "{} used, {in_flight} permits out", n.used);
        let least = self.ceiling.limit().min(self.max - self.peak_foreign.get());
        assert!(limit >= least, "a limit of {limit}: others are seen who are not there");
    }

    /// Moves what is around the callers.
    async fn weather(self: Rc<Self>, largest: u32, mut rng: StdRng) {
        let lowest = if self.weather.lowest == 0 { largest } else { self.weather.lowest };
        for _ in 0..rng.random_range(0..8) {
            match rng.random_range(0..4) {
                0 => {
                    let limit = rng.random_range(lowest.min(self.max)..=self.max);
                    self.lowest.set(self.lowest.get().min(limit));
                    self.ceiling.set(limit);
                }
                1 if self.weather.foreign => self.bench.pool.change(|n| {
                    n.foreign = rng.random_range(0..=n.max - n.used - n.closing);
                    self.peak_foreign.set(self.peak_foreign.get().max(n.foreign));
                    self.lowest.set(self.lowest.get().min(n.max - n.foreign));
                }),
                2 => sleep(ms(rng.random_range(0..500))).await,
                _ => {}
            }
            dawdle(&mut rng).await;
        }
        self.bench.pool.change(|n| n.foreign = 0);
    }

    /// One caller, with the weight of its claim if it has one.
    async fn caller(self: Rc<Self>, weight: Option<Weight>, mut rng: StdRng) {
        dawdle(&mut rng).await;
        let Some(weight) = weight else {
            let held = self.bench.limiter.connection(far()).await;
            dawdle(&mut rng).await;
            return self.accept(held.map(drop), 1);
        };
        match self.bench.limiter.claim(weight, far()).await {
            Ok(claim) => self.use_up(claim, rng).await,
            Err(error) => self.accept(Err(error), weight.most()),
        }
    }

    /// Takes connections and gives them back in some order, and has all of them once.
    async fn use_up(&self, claim: Claim<FakePool>, mut rng: StdRng) {
        let weight = claim.weight();
        let mut held: Vec<_> = Vec::new();
        let detours = rng.random_range(0..4);
        for step in 0.. {
            dawdle(&mut rng).await;
            if step < detours && !held.is_empty() && rng.random() {
                drop(held.swap_remove(rng.random_range(0..held.len())));
                continue;
            }
            if held.len() == weight as usize {
                break;
            }
            // One may come back while another is waited for.
            let leaving = held.pop_if(|_| step < detours && rng.random());
            let mut leaves = StdRng::seed_from_u64(rng.random());
            let goes = async {
                dawdle(&mut leaves).await;
                drop(leaving);
            };
            match futures::join!(claim.connection(far()), goes).0 {
                Ok(connection) => held.push(connection),
                Err(error) => return self.accept(Err(error), weight),
            }
        }
        if rng.random() {
            drop(claim);
            dawdle(&mut rng).await;
        }
        while !held.is_empty() {
            drop(held.swap_remove(rng.random_range(0..held.len())));
            dawdle(&mut rng).await;
        }
    }

    /// Whether that may be how a caller ends who has all the time in the world.
    fn accept(&self, end: Asked<()>, weight: u32) {
        match end {
            Ok(()) => {}
            Err(ConnectionError::Pool(Failure::Refused)) if self.weather.failures > 0 => {}
            Err(ConnectionError::Rejected(refused))
                if refused.rejected.reason == RejectReason::Weight
                    && weight > self.lowest.get() => {}
            Err(error) => panic!("a claim of {weight}: {error:?}"),
        }
    }
}

async fn dawdle(rng: &mut StdRng) {
    for _ in 0..rng.random_range(0..5) {
        yield_now().await;
    }
}

/// Runs the schedule of `seed`.
fn run(seed: u64, weather: Weather) {
    let mut rng = StdRng::seed_from_u64(seed);
    let runtime =
        Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    runtime.block_on(async {
        let world = Rc::new(World::new(weather, &mut rng));
        let fresh = |rng: &mut StdRng| StdRng::seed_from_u64(rng.random());
        let mut tasks: Vec<std::pin::Pin<Box<dyn Future<Output = ()>>>> = Vec::new();
        let mut largest = 1;
        for _ in 0..rng.random_range(2..=12) {
            let most = rng.random_range(1..=world.max);
            let weight = match rng.random_range(0..4) {
                0 => None,
                1 if weather.exact => Some(Weight::Exact(most)),
                _ => Some(Weight::UpTo(most)),
            };
            largest = weight.map_or(largest, |weight| largest.max(weight.most()));
            let caller = Rc::clone(&world).caller(weight, fresh(&mut rng));
            let patience = rng.random_range(1..200);
            tasks.push(match weather.cancels && rng.random_ratio(1, 4) {
                true => Box::pin(async move { drop(timeout(ms(patience), caller).await) }),
                false => Box::pin(caller),
            });
        }
        tasks.push(Box::pin(Rc::clone(&world).weather(largest, fresh(&mut rng))));
        world.bench.pool.change(|n| n.failing = weather.failures);
        let checked = Rc::clone(&world);
        let began = Instant::now();
        let mut all = RandomOrder::new(tasks, fresh(&mut rng), move || checked.check());
        let bench = &world.bench;
        assert!(
            timeout(STUCK, &mut all).await.is_ok(),
            "stuck with {:?}, ceiling {:?}",
            bench.limiter,
            world.ceiling
        );
        assert!(began.elapsed() < STUCK);
        settle().await;
        bench.check_at_rest();
    });
}

/// `FLOODWAY_SCHEDULES` says how many, `FLOODWAY_SEED` where to begin:
///
/// ```text
/// FLOODWAY_SCHEDULES=1000000 cargo test --release -p floodway --test it pool::schedules
/// ```
#[expect(clippy::print_stdout, reason = "who asks for a million wants to know that they ran")]
fn check(name: &str, weather: Weather) {
    let number = |name| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let first = number("FLOODWAY_SEED").unwrap_or(1);
    let count = number("FLOODWAY_SCHEDULES").unwrap_or(SCHEDULES);
    for seed in first..first + count {
        let ran = std::panic::catch_unwind(|| run(seed, weather));
        assert!(ran.is_ok(), "{name}: seed {seed}, the {}th", seed - first + 1);
    }
    println!("{name}: {count} schedules");
}

/// Who waits for a claim of two goes on waiting while the limit is one.
const LOW: u32 = 2;

const CALM: Weather =
    Weather { lowest: 0, exact: false, foreign: false, failures: 0, cancels: false };

#[test]
fn claims_alone_always_end() {
    check("claims", CALM);
}
#[test]
fn claims_of_all_kinds_always_end() {
    check("exact", Weather { exact: true, ..CALM });
}

#[test]
fn claims_end_though_many_leave() {
    check("cancels", Weather { exact: true, cancels: true, ..CALM });
}

#[test]
fn claims_end_however_low_the_limit_falls() {
    check("low", Weather { exact: true, lowest: LOW, ..CALM });
}

#[test]
fn claims_end_though_others_come_and_go() {
    check("foreign", Weather { exact: true, foreign: true, ..CALM });
}

#[test]
fn claims_end_though_connecting_fails_for_a_while() {
    check("failures", Weather { exact: true, failures: 5, ..CALM });
}

#[test]
fn claims_end_whatever_happens() {
    check("all", Weather { lowest: LOW, exact: true, foreign: true, failures: 5, cancels: true });
}
