//! Items arrive, wait, and go in batches as a rule decides.

use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

use floodway_control::{BatchDecision, BatchQueue, BatchRun, Dispatch};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{
    Answer, Batcher, Pattern, Ran, Rule, Sent, Setting, cost::Downstream, nanos, ran::Tally,
};
use crate::random::{exponential, stream};

/// Timers fire at whole milliseconds, as those of tokio.
const TICK: u64 = 1_000_000;

/// How long bursts and the time from one to the next last, in times of an item alone.
const BURST: f64 = 20.0;
const CALM: f64 = 60.0;

/// When items come, for one seed; the same for every rule.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Nanoseconds; of callers, the first time that each comes.
    times: Vec<u64>,
    length: u64,
    seed: u64,
}

impl Plan {
    /// The arrivals of `seed`.
    #[must_use]
    pub fn new(setting: &Setting, seed: u64) -> Self {
        let length = setting.length();
        let mut random = stream(seed, 10);
        let times = match setting.pattern {
            Pattern::Poisson => poisson(&mut random, setting.rate(), length),
            Pattern::Bursts => bursts(&mut random, setting, length),
            Pattern::Callers(callers) => {
                let one = setting.cost.mean(1);
                (0..callers).map(|_| nanos(random.random::<f64>() * one)).collect()
            }
        };
        let mut times: Vec<_> = times;
        times.sort_unstable();
        Self { times, length: nanos(length), seed }
    }
}

fn poisson(random: &mut ChaCha8Rng, rate: f64, length: f64) -> Vec<u64> {
    let mut times = Vec::with_capacity((rate * length * 1.1) as usize);
    let mut now = exponential(random) / rate;
    while now < length {
        times.push(nanos(now));
        now += exponential(random) / rate;
    }
    times
}

fn bursts(random: &mut ChaCha8Rng, setting: &Setting, length: f64) -> Vec<u64> {
    let rate = setting.rate() * (BURST + CALM) / BURST;
    let one = setting.cost.mean(1);
    let mut times = Vec::new();
    let mut start = 0.0;
    while start < length {
        let end = (start + exponential(random) * BURST * one).min(length);
        let mut now = start + exponential(random) / rate;
        while now < end {
            times.push(nanos(now));
            now += exponential(random) / rate;
        }
        start = end + exponential(random) * CALM * one;
    }
    times
}

/// Runs all items of a plan.
#[must_use]
pub fn run(setting: &Setting, plan: &Plan, rule: Rule) -> Ran {
    Engine::new(setting, plan).run(&mut *rule.start(setting), None)
}

/// The same with ours, and every batch that was sent.
#[must_use]
pub fn watch(setting: &Setting, plan: &Plan) -> (Ran, Vec<Sent>) {
    let mut log = Vec::new();
    let mut ours = Rule::Adaptive.start(setting);
    let ran = Engine::new(setting, plan).run(&mut *ours, Some(&mut log));
    (ran, log)
}

/// A batch that runs.
#[derive(Clone, Copy, Debug)]
struct Running {
    start: u64,
    /// The items, as positions in `arrivals`.
    items: (usize, usize),
    run: Option<BatchRun>,
}

impl Running {
    const fn items(&self) -> usize {
        self.items.1 - self.items.0
    }
}

/// What happens next.
enum Event {
    Answer,
    Arrival,
    Timer,
}

/// All times in nanoseconds.
struct Engine<'a> {
    setting: &'a Setting,
    plan: &'a Plan,
    downstream: Downstream,
    now: u64,
    /// The next of the plan that comes.
    next: usize,
    /// All that were let in, by when they came, and the work of all up to each.
    arrivals: Vec<u64>,
    works: Vec<f64>,
    /// The first that waits.
    head: usize,
    /// By when they end; ties by the place in `running`.
    ends: BinaryHeap<Reverse<(u64, usize)>>,
    running: Vec<Option<Running>>,
    /// While it waits: so many queued items, or this moment, are worth another question.
    ask_at: usize,
    wake: u64,
    answered: u64,
    answered_since: u64,
    tally: Tally,
}

// An item is in `arrivals` from `head` on, in a batch of `running`, or answered; or was rejected.
impl<'a> Engine<'a> {
    fn new(setting: &'a Setting, plan: &'a Plan) -> Self {
        let objective = setting.objective.map(|objective| objective.as_nanos() as u64);
        let tally = Tally::new(plan.length, objective);
        Self {
            setting,
            plan,
            downstream: Downstream::new(setting.cost, plan.length, plan.seed),
            now: 0,
            next: 0,
            arrivals: Vec::with_capacity(plan.times.len()),
            works: vec![0.0],
            head: 0,
            ends: BinaryHeap::new(),
            running: vec![None; setting.slots],
            ask_at: 1,
            wake: u64::MAX,
            answered: 0,
            answered_since: 0,
            tally,
        }
    }

    fn run(mut self, batcher: &mut dyn Batcher, mut log: Option<&mut Vec<Sent>>) -> Ran {
        while let Some(event) = self.step() {
            let ask = match event {
                Event::Answer => {
                    self.answer(batcher);
                    true
                }
                Event::Arrival => {
                    self.next += 1;
                    self.arrive()
                }
                Event::Timer => true,
            };
            if ask {
                self.ask(batcher, &mut log);
            }
        }
        self.tally.finish()
    }

    /// Goes to what happens next. Answers before arrivals, and those before timers.
    fn step(&mut self) -> Option<Event> {
        let answer = self.ends.peek().map(|Reverse((end, _))| (*end, Event::Answer));
        let arrival = self.plan.times.get(self.next).map(|at| (*at, Event::Arrival));
        let timer = (self.wake < u64::MAX).then_some((self.wake, Event::Timer));
        let all = [answer, arrival, timer].into_iter().flatten();
        let (at, event) = all.min_by_key(|(at, _)| *at)?;
        self.now = at;
        Some(event)
    }

    fn queued(&self) -> usize {
        self.arrivals.len() - self.head
    }

    /// Whether the rule is to be asked.
    fn arrive(&mut self) -> bool {
        self.tally.came(self.now);
        if self.queued() >= self.setting.places() {
            self.tally.ran.rejected += 1;
            return false;
        }
        self.arrivals.push(self.now);
        let work = self.works[self.works.len() - 1] + self.downstream.work();
        self.works.push(work);
        self.queued() >= self.ask_at
    }

    fn answer(&mut self, batcher: &mut dyn Batcher) {
        let done = self.ends.pop().and_then(|Reverse((_, place))| self.running[place].take());
        let Some(Running { start, items: (from, to), run }) = done else {
            return;
        };
        self.answered += 1;
        self.answered_since += u64::from(self.downstream.share(start) >= 0.5);
        self.tally.answered(self.now, &self.arrivals[from..to]);
        // Callers come back before the slot is free again, so that nobody decides without them: a
        // batcher that answers lets those run whom it has answered.
        if matches!(self.setting.pattern, Pattern::Callers(_)) && self.now < self.plan.length {
            for _ in from..to {
                self.arrive();
            }
        }
        batcher.record(Answer {
            now: Duration::from_nanos(self.now),
            items: to - from,
            time: Duration::from_nanos(self.now - start),
            wait: Duration::from_nanos(start - self.arrivals[from]),
            run,
        });
    }

    fn ask(&mut self, batcher: &mut dyn Batcher, log: &mut Option<&mut Vec<Sent>>) {
        self.wake = u64::MAX;
        self.ask_at = 1;
        while self.queued() > 0 {
            if self.ends.len() == self.setting.slots {
                self.ask_at = usize::MAX;
                return;
            }
            let queue = BatchQueue {
                queued: self.queued(),
                weight: 0,
                oldest: Duration::from_nanos(self.arrivals[self.head]),
                arrived: self.arrivals.len() as u64,
                partitions: 1,
                in_flight: self.ends.len(),
                unanswered: self.running.iter().flatten().map(Running::items).sum(),
                slots: self.setting.slots,
            };
            let newest = Duration::from_nanos(self.arrivals[self.arrivals.len() - 1]);
            match batcher.decide(Duration::from_nanos(self.now), &queue, newest) {
                BatchDecision::Dispatch(dispatch) => self.send(batcher, dispatch, log),
                BatchDecision::Wait { items, until } => {
                    self.ask_at = items;
                    self.wake = self.tick(until);
                    return;
                }
                _ => return,
            }
        }
    }

    /// When a timer for this moment fires.
    fn tick(&self, until: Duration) -> u64 {
        let until = u64::try_from(until.as_nanos()).unwrap_or(u64::MAX);
        let ticks = until.div_ceil(TICK).max(self.now / TICK + 1);
        ticks.saturating_mul(TICK)
    }

    fn send(
        &mut self,
        batcher: &mut dyn Batcher,
        dispatch: Dispatch,
        log: &mut Option<&mut Vec<Sent>>,
    ) {
        let queued = self.queued();
        let items = dispatch.items.clamp(1, queued);
        let now = Duration::from_nanos(self.now);
        if let (Some(log), Some(sizer)) = (log, batcher.sizer()) {
            let share = self.downstream.share(self.now);
            let cost = self.setting.cost;
            let estimate = sizer.estimate();
            let part = |value: Option<Duration>, of: f64| Some(value?.as_secs_f64() / of);
            log.push(Sent {
                share,
                answered: self.answered,
                answered_since: self.answered_since,
                items,
                queued,
                probe: dispatch.probe,
                target: sizer.target(),
                ideal: cost.ideal(share, self.setting.slots),
                overhead: part(estimate.overhead, cost.overhead_at(share)),
                item: part(estimate.item_cost, cost.item_at(self.setting.slots)),
            });
        }
        let run = batcher.dispatched(now, dispatch, items);
        let (from, to) = (self.head, self.head + items);
        self.head = to;
        let work = self.works[to] - self.works[from];
        let time = self.downstream.time(self.now, items, work, self.ends.len() + 1);
        self.tally.sent(self.now, items, time);
        if let Some(place) = self.running.iter().position(Option::is_none) {
            self.running[place] = Some(Running { start: self.now, items: (from, to), run });
            self.ends.push(Reverse((self.now + time, place)));
        }
    }
}
