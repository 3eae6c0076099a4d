//! Any schedule of callers, changes and time keeps the books.

use floodway::{Acquire, Acquiring, Ceiling, Clock, Mode, Permit, Priority};
use proptest::prelude::*;
use tokio::time::advance;

use super::*;
use crate::support::outcome;

#[derive(Clone, Debug)]
enum Step {
    Arrive { weight: u32, priority: usize, partition: usize, wait: u64 },
    Try(u32),
    PollWaiter(usize),
    DropWaiter(usize),
    DropPermit(usize),
    Lend(usize, u32),
    SetLimit(u32),
    Ceiling(u32),
    Mode(usize),
    Queue(usize),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let arrive = (0u32..5, 0usize..4, 0usize..3, 1u64..200).prop_map(
        |(weight, priority, partition, wait)| Step::Arrive { weight, priority, partition, wait },
    );
    prop_oneof![
        8 => arrive,
        1 => (0u32..5).prop_map(Step::Try),
        6 => any::<usize>().prop_map(Step::PollWaiter),
        3 => any::<usize>().prop_map(Step::DropWaiter),
        6 => any::<usize>().prop_map(Step::DropPermit),
        3 => (any::<usize>(), 0u32..4).prop_map(|(permit, weight)| Step::Lend(permit, weight)),
        2 => (1u32..8).prop_map(Step::SetLimit),
        1 => (0u32..8).prop_map(Step::Ceiling),
        1 => (0usize..6).prop_map(Step::Mode),
        1 => (0usize..3).prop_map(Step::Queue),
        2 => (1u64..80).prop_map(Step::Pass),
    ]
}

/// A limiter with everything that it can have, and whoever deals with it.
struct World {
    bench: Bench,
    parts: [Limiter; 3],
    ceiling: Ceiling,
    queue: Queue,
    waiters: Vec<Acquiring>,
    permits: Vec<Permit>,
    arrivals: u64,
    /// Nested callers that would have had to wait, and went.
    gone: u64,
}

impl World {
    fn new() -> Self {
        let (ceiling, registry) = (Ceiling::new(6), Registry::new());
        let queue = Queue::fifo().capacity(8).max_wait(ms(100));
        let limiter = Limiter::builder("test")
            .limit(4)
            .ceiling(ceiling.clone())
            .queue(queue)
            .partition("web", 0.5)
            .partition("batch", 0.2)
            .registry(&registry)
            .clock(Clock::tokio())
            .build()
            .expect("a valid description");
        let parts = ["default", "web", "batch"].map(|name| limiter.partition(name).expect("known"));
        let bench = Bench { limiter, registry };
        let (waiters, permits) = (Vec::new(), Vec::new());
        Self { bench, parts, ceiling, queue, waiters, permits, arrivals: 0, gone: 0 }
    }

    async fn take(&mut self, step: Step) {
        let handle = self.bench.limiter.handle();
        match step {
            Step::Arrive { weight, priority, partition, wait } => {
                self.arrivals += 1;
                let request = Acquire::new()
                    .weight(weight)
                    .priority(Priority::ALL[priority])
                    .deadline(tokio::time::Instant::now() + ms(wait));
                let mut waiter = self.parts[partition].acquire_with(request);
                match outcome(&mut waiter).await {
                    Some(answer) => self.permits.extend(answer.ok()),
                    None => self.waiters.push(waiter),
                }
            }
            Step::Try(weight) => {
                self.arrivals += 1;
                let request = Acquire::new().weight(weight);
                self.permits.extend(self.bench.limiter.try_acquire_with(request).ok());
            }
            Step::PollWaiter(nth) if !self.waiters.is_empty() => {
                let nth = nth % self.waiters.len();
                if let Some(answer) = outcome(&mut self.waiters[nth]).await {
                    drop(self.waiters.remove(nth));
                    self.permits.extend(answer.ok());
                }
            }
            Step::DropWaiter(nth) if !self.waiters.is_empty() => {
                drop(self.waiters.remove(nth % self.waiters.len()));
            }
            Step::DropPermit(nth) if !self.permits.is_empty() => {
                let permit = self.permits.swap_remove(nth % self.permits.len());
                permit.complete(Outcome::ALL[nth % Outcome::ALL.len()]);
            }
            Step::Lend(nth, weight) if !self.permits.is_empty() => {
                self.arrivals += 1;
                let nth = nth % self.permits.len();
                let mut nested = self.bench.limiter.acquire_with(Acquire::new().weight(weight));
                let entered = self.permits[nth].enter();
                let answer = (&mut nested).now_or_never();
                drop(entered);
                match answer {
                    Some(answer) => self.permits.extend(answer.ok()),
                    None => self.gone += 1,
                }
            }
            Step::SetLimit(limit) => handle.set_limit(limit).expect("in bounds"),
            Step::Ceiling(limit) => self.ceiling.set(limit),
            // Mostly enforced: else nobody ever waits.
            Step::Mode(nth) => handle.set_mode(*Mode::ALL.get(nth).unwrap_or(&Mode::Enforce)),
            Step::Queue(nth) => {
                self.queue = [Queue::fifo(), Queue::lifo(), Queue::codel()][nth]
                    .capacity(8)
                    .max_wait(ms(100));
                handle.set_queue(self.queue).expect("a valid queue");
            }
            Step::Pass(millis) => {
                advance(ms(millis)).await;
                // The watch looks at the deadlines.
                for _ in 0..8 {
                    yield_now().await;
                }
            }
            _ => {}
        }
    }

    /// What holds after every step; `before` were in flight before it.
    fn check(&self, before: u32) {
        let handle = self.bench.limiter.handle();
        let (in_flight, limit) = (handle.in_flight(), handle.limit());
        if handle.mode() == Mode::Enforce {
            assert!(in_flight <= limit.max(before), "{in_flight}, {before} before, of {limit}");
        } else {
            assert_eq!(handle.queued(), 0, "nobody waits where nothing is enforced");
        }
        let longest = self.permits.iter().map(Permit::weight).max().unwrap_or(0);
        assert!(longest <= in_flight, "a permit weighs {longest}, {in_flight} are in flight");
        // Whoever is next does not fit: a hand-off changes nothing.
        let queued = handle.queued();
        handle.set_queue(self.queue).expect("as it was");
        assert_eq!((handle.in_flight(), handle.queued()), (in_flight, queued), "somebody fitted");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_schedule_keeps_the_books(steps in prop::collection::vec(step(), 1..150)) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time().start_paused(true).build().expect("a runtime");
        runtime.block_on(async {
            let mut world = World::new();
            for step in steps {
                let before = world.bench.limiter.in_flight();
                world.take(step).await;
                world.check(before);
            }
            world.waiters.clear();
            world.permits.clear();
            let lent = world.bench.number(&metrics::NESTED, &["lent"]) as u64;
            check_at_rest(&world.bench, world.arrivals - world.gone - lent);
            // Every partition's permits are back: each can have all again.
            world.ceiling.set(6);
            let all = Acquire::new().weight(world.bench.limiter.limit());
            for part in &world.parts {
                drop(part.try_acquire_with(all).expect("everything is free"));
            }
        });
    }
}
