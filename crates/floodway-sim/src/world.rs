//! The event loop: arrivals, admissions, work, deadlines, retries.

mod clients;

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
    time::Duration,
};

use floodway_control::{LimitAlgorithm, Outcome};
use rand::RngExt;

use crate::{
    arrivals::{Arrival, Arrivals},
    downstream::Downstream,
    random::stream,
    refusals::Refusals,
    replica::Replica,
    scenario::{Phase, Scenario, Stretch},
    trace::{TICK, Trace},
};

const SECOND: f64 = 1e9;

#[derive(Clone, Copy, Debug)]
struct Operation {
    started: u64,
    /// Relative to the mean.
    work: f64,
    replica: u16,
    /// When its caller first came.
    first: u64,
    /// Whether it has, or had, a permit.
    admitted: bool,
    /// Whether its permit is back.
    released: bool,
    /// Tells a slot's operation, or attempt, from the one before.
    generation: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// A worker is done.
    Worked(u32),
    /// The answer arrives, with the time on top of the work.
    Answered(u32),
    /// A caller comes back.
    Returned(u32),
    /// Whoever waits in this slot, in this generation, has waited too long.
    Waited(u32, u32),
}

struct World<'a> {
    scenario: &'a Scenario,
    phase: Phase,
    now: u64,
    replicas: Vec<Replica>,
    downstream: Downstream,
    operations: Vec<Operation>,
    free: Vec<u32>,
    events: BinaryHeap<Reverse<(u64, Event)>>,
    /// Deadlines come in the order of admissions, because all are equally long.
    deadlines: VecDeque<(u64, u32, u32)>,
    deadline: u64,
    arrivals: Arrivals,
    /// Who waits at the limiter, by slot and generation.
    waiting: VecDeque<(u32, u32)>,
    refusals: Refusals,
    /// Whether `shares` are counted now.
    sharing: bool,
    trace: Trace,
}

/// Runs `scenario` with one algorithm from `algorithm` per replica.
pub fn run(
    scenario: &Scenario,
    seed: u64,
    algorithm: &dyn Fn() -> Box<dyn LimitAlgorithm>,
) -> Trace {
    let count = scenario.replicas();
    let mut skews = stream(seed, 2);
    let mut skew = || {
        let seconds = if scenario.clocks_differ { skews.random_range(0.0..3_600.0) } else { 0.0 };
        Duration::from_secs_f64(seconds)
    };
    let deadline = (scenario.deadline * SECOND) as u64;
    let mut world = World {
        scenario,
        phase: scenario.phases[0],
        now: 0,
        replicas: (0..count).map(|_| Replica::new(algorithm(), skew())).collect(),
        downstream: Downstream::new(scenario.crowding),
        operations: Vec::new(),
        free: Vec::new(),
        events: BinaryHeap::new(),
        deadlines: VecDeque::new(),
        deadline,
        arrivals: Arrivals::new(seed),
        waiting: VecDeque::new(),
        refusals: Refusals::new(seed),
        sharing: false,
        trace: Trace::new(scenario.length(), deadline, count),
    };
    for Stretch { phase, end, last } in scenario.stretches() {
        world.sharing = last;
        world.play(phase, end);
    }
    world.trace
}

impl World<'_> {
    fn play(&mut self, phase: Phase, end: u64) {
        self.phase = phase;
        self.downstream.set_workers(self.scenario.workers_in(&phase));
        let mut arrival = self.next_arrival();
        let mut tick = self.now.next_multiple_of(TICK);
        self.work();
        loop {
            let event = self.events.peek().map_or(u64::MAX, |Reverse((at, _))| *at);
            let deadline = self.deadlines.front().map_or(u64::MAX, |(at, ..)| *at);
            let next = event.min(deadline).min(arrival).min(tick);
            if next >= end {
                self.now = end;
                return;
            }
            self.now = next;
            if next == event {
                if let Some(Reverse((_, event))) = self.events.pop() {
                    self.handle(event);
                }
            } else if next == deadline {
                self.expire();
            } else if next == arrival {
                self.arrive();
                arrival = self.next_arrival();
            } else {
                let limits: u32 = self.replicas[..phase.replicas].iter().map(Replica::limit).sum();
                let second = self.trace.second(next);
                second.limits += f64::from(limits);
                second.ticks += 1;
                tick += TICK;
            }
        }
    }

    fn next_arrival(&mut self) -> u64 {
        self.now + self.arrivals.gap(self.scenario, &self.phase)
    }

    fn arrive(&mut self) {
        let Arrival { work, replica } = self.arrivals.draw(self.scenario, &self.phase);
        self.trace.offered += 1;
        self.trace.second(self.now).offered += 1;
        let slot = self.create(work, replica as u16);
        self.attempt(slot);
    }

    fn create(&mut self, work: f64, replica: u16) -> u32 {
        let operation = Operation {
            started: self.now,
            first: self.now,
            work,
            replica,
            admitted: false,
            released: false,
            generation: 0,
        };
        if let Some(slot) = self.free.pop() {
            let before = &mut self.operations[slot as usize];
            *before = Operation { generation: before.generation + 1, ..operation };
            slot
        } else {
            self.operations.push(operation);
            self.operations.len() as u32 - 1
        }
    }

    fn enter(&mut self, slot: u32) {
        let operation = &mut self.operations[slot as usize];
        operation.started = self.now;
        operation.admitted = true;
        self.deadlines.push_back((self.now + self.deadline, slot, operation.generation));
        self.downstream.arrive(slot);
        self.work();
    }

    /// Lets free workers start.
    fn work(&mut self) {
        while let Some((operation, slowdown)) = self.downstream.start() {
            let work = self.operations[operation as usize].work * slowdown * self.phase.cost;
            let work = work / self.left_by_refusals();
            let length = (work * self.scenario.mean * SECOND) as u64;
            self.events.push(Reverse((self.now + length, Event::Worked(operation))));
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Worked(operation) => {
                self.downstream.finish();
                self.work();
                let delay = self.phase.delay * self.scenario.mean * SECOND;
                if delay > 0.0 {
                    let at = self.now.saturating_add(delay as u64);
                    self.events.push(Reverse((at, Event::Answered(operation))));
                } else {
                    self.answer(operation);
                }
            }
            Event::Answered(operation) => self.answer(operation),
            Event::Returned(operation) => self.attempt(operation),
            Event::Waited(slot, generation) => self.give_up(slot, generation),
        }
    }

    fn answer(&mut self, slot: u32) {
        self.free.push(slot);
        let operation = self.operations[slot as usize];
        if !operation.released {
            self.operations[slot as usize].released = true;
            self.refusals.note_end(self.now);
            let replica = operation.replica as usize;
            self.trace.ended(self.now, self.now - operation.started, true);
            self.trace.shares[replica] += u64::from(self.sharing);
            self.release(replica, operation.started, Outcome::Success);
        }
    }

    /// The first deadline has come.
    fn expire(&mut self) {
        let Some((_, slot, generation)) = self.deadlines.pop_front() else {
            return;
        };
        let operation = self.operations[slot as usize];
        if operation.generation != generation || operation.released {
            return;
        }
        self.operations[slot as usize].released = true;
        let replica = operation.replica as usize;
        self.trace.ended(self.now, self.now - operation.started, false);
        if let Some(clients) = self.scenario.clients {
            let again = self.create(operation.work, operation.replica);
            self.operations[again as usize].first = operation.first;
            self.send_away(again, clients);
        }
        self.release(replica, operation.started, Outcome::Overload);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        algorithms::Algorithm,
        random::Service,
        scenario::{Asks, Clients, Returns},
    };

    fn scenario(id: &str) -> Scenario {
        let all = Scenario::all(4, 0.020).into_iter();
        all.into_iter().find(|scenario| scenario.id == id).expect("a scenario of this name")
    }

    fn play(scenario: &Scenario, algorithm: Algorithm) -> Trace {
        run(scenario, 7, &|| algorithm.build())
    }

    #[test]
    fn the_same_seed_gives_the_same_run() {
        let scenario = scenario("B");
        let [one, two] = [0, 1].map(|_| play(&scenario, Algorithm::AnchoredGradient));
        assert_eq!((one.good(), one.rejected), (two.good(), two.rejected));
        assert!(one.good() > 0);
        let other = run(&scenario, 8, &|| Algorithm::AnchoredGradient.build());
        assert_ne!(one.good(), other.good());
    }

    #[test]
    fn algorithms_meet_the_same_arrivals() {
        let scenario = scenario("C");
        let fixed = play(&scenario, Algorithm::Fixed(9));
        assert_eq!(fixed.offered, play(&scenario, Algorithm::Aimd).offered);
    }

    #[test]
    fn a_single_worker_without_a_crowd_is_the_queue_that_theory_knows() {
        // M/M/1 at half load: the mean time in the system is twice the mean service time.
        let calm = Scenario {
            workers: 1,
            crowding: 0.0,
            deadline: 10.0,
            phases: vec![Phase { length: 2_000.0, load: 0.5, ..scenario("S").phases[0] }],
            service: Service::Exponential,
            asks: Asks::Nothing,
            ..scenario("S")
        };
        let trace = play(&calm, Algorithm::Fixed(1_000));
        let ended: u32 = trace.seconds.iter().map(|second| second.ended).sum();
        let latency: f64 = trace.seconds.iter().map(|second| second.latency).sum();
        let mean = latency / f64::from(ended);
        assert!((mean - 0.040).abs() < 0.002, "{mean}");
    }

    #[test]
    fn everybody_is_served_refused_or_late() {
        let trace = play(&scenario("B"), Algorithm::Fixed(500));
        let ended: u32 = trace.seconds.iter().map(|second| second.ended).sum();
        let out = trace.offered - trace.rejected - u64::from(ended);
        assert!(out <= 500, "{out} in flight at the end");
        assert!(trace.good() < u64::from(ended), "a limit far too high makes callers late");
    }

    #[test]
    fn nobody_answers_so_everybody_times_out() {
        let trace = play(&scenario("I"), Algorithm::Fixed(8));
        assert_eq!(trace.good_between(31, 60), 0);
        assert!(trace.seconds[40].ended > 0);
    }

    #[test]
    fn callers_who_come_back_are_served_once() {
        let clients = Clients { returns: Returns::Paced, queue: 8, refusal: 0.02, patience: 30.0 };
        let trace = play(&Scenario::storm(4, 0.020, clients), Algorithm::Fixed(6));
        assert!(trace.rejected > 0);
        assert!(trace.good() <= trace.offered);
        assert!(trace.good() as f64 > 0.5 * trace.offered as f64);
    }
}
