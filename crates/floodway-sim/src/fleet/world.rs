//! Events, one after another.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
};

use floodway_control::fleet::{LeaseReply, LeaseRequest, Remnant};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{HAPPENS, Happening, Moment, Plan, Ran, engine::Engine, jain, replica::Replica};
use crate::random::{exponential, stream};

/// Of a run, in microseconds.
const MOMENT: u64 = 100_000;
/// How often demand is looked at, in microseconds.
const LOOK_EVERY: u64 = 50_000;
/// How long a message is under way on average, beyond what it takes at least, in microseconds.
const WAY: (u64, f64) = (200, 500.0);
/// How long connections take to close that somebody else closes, in microseconds.
const FENCING: u64 = 100_000;

enum Event {
    Happens,
    Over,
    Moment,
    /// A replica goes, and another begins in its place.
    Replace(usize),
    Look(usize, u64),
    Lapse(usize, u64),
    Close(usize, u64),
    Patience(usize, u64, u64),
    Failure(usize, u64, u64),
    Request(usize, u64, Box<LeaseRequest>),
    Reply(usize, u64, Box<LeaseReply>),
    Fence(Vec<Remnant>),
}

struct World {
    plan: Plan,
    random: ChaCha8Rng,
    now: u64,
    events: BinaryHeap<Reverse<(u64, u64)>>,
    waiting: BTreeMap<u64, Event>,
    count: u64,
    engine: Engine,
    slots: Vec<Option<Replica>>,
    incarnations: u64,
    /// Connections of those that were killed, by name and lease.
    orphans: BTreeMap<(String, u64), u32>,
    happened: bool,
    bound: u64,
    ran: Ran,
    had: Vec<f64>,
}

/// Plays `plan`.
#[must_use]
pub fn run(plan: Plan) -> Ran {
    let ran = Ran { plan, moments: Vec::new(), exceeded: 0, excess: 0, ttl: 0, had: Vec::new() };
    let mut world = World {
        plan,
        random: stream(plan.seed, 0),
        now: 0,
        events: BinaryHeap::new(),
        waiting: BTreeMap::new(),
        count: 0,
        engine: Engine::new(),
        slots: (0..plan.replicas).map(|_| None).collect(),
        incarnations: 0,
        orphans: BTreeMap::new(),
        happened: false,
        bound: 0,
        ran,
        had: vec![0.0; plan.replicas],
    };
    world.play();
    world.ran.had = world.had;
    world.ran
}

impl World {
    fn play(&mut self) {
        for slot in 0..self.plan.replicas {
            // They begin within a second.
            let after = self.random.random_range(0..1_000_000);
            self.at(after, Event::Replace(slot));
        }
        self.at(HAPPENS * 1_000, Event::Happens);
        self.at(self.plan.happening.over() * 1_000 + 1, Event::Over);
        self.at(MOMENT, Event::Moment);
        let end = self.plan.happening.end() * 1_000;
        while let Some(Reverse((at, id))) = self.events.pop().filter(|next| next.0.0 <= end) {
            self.now = at;
            if let Some(event) = self.waiting.remove(&id) {
                self.take(event);
            }
        }
    }

    fn at(&mut self, at: u64, event: Event) {
        self.count += 1;
        self.events.push(Reverse((at, self.count)));
        self.waiting.insert(self.count, event);
    }

    fn after(&mut self, length: u64, event: Event) {
        self.at(self.now + length, event);
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Happens => self.happen(),
            Event::Over => match self.plan.happening {
                Happening::EngineLost => self.engine.begin(false),
                Happening::EngineBack => self.engine.begin(true),
                _ => {}
            },
            Event::Moment => {
                self.moment();
                self.after(MOMENT, Event::Moment);
            }
            Event::Replace(slot) => self.replace(slot),
            Event::Look(slot, who) => {
                if let Some(replica) = self.replica(slot, who) {
                    replica.looks = None;
                    self.look(slot);
                }
            }
            Event::Lapse(slot, who) => {
                if self.replica(slot, who).is_some() {
                    self.follow(slot);
                }
            }
            Event::Close(slot, who) => self.close(slot, who),
            Event::Patience(slot, who, seq) | Event::Failure(slot, who, seq) => {
                self.failed(slot, who, seq);
            }
            Event::Request(slot, who, request) => self.request(slot, who, *request),
            Event::Reply(slot, who, reply) => self.reply(slot, who, *reply),
            Event::Fence(left) => {
                for one in &left {
                    let lease = (one.replica.clone(), one.epoch);
                    if let Some(open) = self.orphans.get_mut(&lease) {
                        let closed = open.saturating_sub(one.keep);
                        *open -= closed;
                        self.bound -= u64::from(closed);
                    }
                }
                self.engine.fenced(&left);
            }
        }
    }

    fn replica(&mut self, slot: usize, who: u64) -> Option<&mut Replica> {
        self.slots[slot].as_mut().filter(|one| one.holder.terms().incarnation == who)
    }

    fn happen(&mut self) {
        self.happened = true;
        match self.plan.happening {
            Happening::LoadMoves | Happening::LoadMovesWithLosses => {
                for slot in 0..self.plan.replicas {
                    let want = self.plan.want(slot, true);
                    if let Some(replica) = &mut self.slots[slot] {
                        replica.want = want;
                    }
                    self.follow(slot);
                }
            }
            Happening::Killed | Happening::KilledAndFenced => {
                // Every slot with the same chance, whatever it has.
                for slot in 0..self.plan.replicas {
                    if slot % 10 < 3 {
                        self.kill(slot);
                    }
                }
            }
            Happening::EngineLost | Happening::EngineBack => self.engine.away = true,
            Happening::Deploy { .. } => {
                for slot in 0..self.plan.replicas {
                    let after = Happening::LENGTH * 1_000 * slot as u64 / self.plan.replicas as u64;
                    self.after(after, Event::Replace(slot));
                }
            }
            Happening::Crowded => {}
        }
    }

    fn kill(&mut self, slot: usize) {
        let Some(gone) = self.slots[slot].take() else { return };
        let terms = gone.holder.terms();
        self.bound -= u64::from(gone.bound);
        if terms.fenced && gone.open > 0 {
            self.bound += u64::from(gone.open);
            self.orphans.insert((terms.replica.clone(), gone.holder.epoch()), gone.open);
        }
    }

    fn replace(&mut self, slot: usize) {
        let graceful = self.plan.happening == Happening::Deploy { graceful: true };
        match &mut self.slots[slot] {
            Some(replica) if graceful && !replica.leaving => {
                // What it may use is nothing from now on; it says so once it has closed everything.
                replica.leaving = true;
                replica.holder.stop();
                replica.want = 0;
                self.follow(slot);
                return;
            }
            _ => self.kill(slot),
        }
        self.incarnations += 1;
        let want = self.plan.want(slot, self.happened);
        let replica = Replica::new(&self.plan, slot, self.incarnations, self.now, want);
        self.slots[slot] = Some(replica);
        self.look(slot);
    }

    /// A replica renews if it is time, and looks again when it will be.
    fn look(&mut self, slot: usize) {
        let now = self.now;
        let Some(replica) = &mut self.slots[slot] else { return };
        if replica.asking.is_some() || replica.leaving {
            return;
        }
        let clock = replica.clock(now);
        let next = replica.holder.next_for(clock, replica.demand());
        let who = replica.holder.terms().incarnation;
        if next > clock {
            // Demand is looked at every so often.
            let next = replica.true_time(next).max(now + 1);
            if replica.looks.is_none_or(|looks| next < looks) {
                replica.looks = Some(next);
                self.at(next, Event::Look(slot, who));
            }
            return;
        }
        let request = replica.holder.request(clock, replica.demand());
        replica.asking = Some(request.seq);
        self.after(request.refresh * 1_000 / 2, Event::Patience(slot, who, request.seq));
        self.send(slot, request);
    }

    fn send(&mut self, slot: usize, request: LeaseRequest) {
        let who = request.incarnation;
        let losses = self.plan.happening == Happening::LoadMovesWithLosses;
        if losses && self.random.random_bool(0.05) {
            return;
        }
        if losses && self.random.random_bool(0.05) {
            let later = self.way() + self.random.random_range(0..200_000);
            self.after(later, Event::Request(slot, who, Box::new(request.clone())));
        }
        let way = self.way();
        self.after(way, Event::Request(slot, who, Box::new(request)));
    }

    fn way(&mut self) -> u64 {
        WAY.0 + (WAY.1 * exponential(&mut self.random)) as u64
    }

    fn request(&mut self, slot: usize, who: u64, request: LeaseRequest) {
        let way = self.way();
        if self.engine.away {
            self.after(way, Event::Failure(slot, who, request.seq));
            return;
        }
        let (left, reply) = self.engine.renew(self.now, request);
        let losses = self.plan.happening == Happening::LoadMovesWithLosses;
        if !(losses && self.random.random_bool(0.05)) {
            self.at(left + way, Event::Reply(slot, who, Box::new(reply)));
        }
    }

    fn reply(&mut self, slot: usize, who: u64, reply: LeaseReply) {
        let (now, jitter) = (self.now, self.random.random::<f64>());
        self.ran.ttl = self.ran.ttl.max(reply.ttl);
        let Some(replica) = self.replica(slot, who) else { return };
        let clock = replica.clock(now);
        let (seq, sweep) = (reply.seq, reply.sweep);
        if replica.holder.reply(clock, reply, jitter) && replica.asking == Some(seq) {
            replica.asking = None;
        }
        self.follow(slot);
        if sweep {
            let left = self.engine.unfenced();
            self.after(FENCING, Event::Fence(left));
        }
    }

    fn failed(&mut self, slot: usize, who: u64, seq: u64) {
        let (now, jitter) = (self.now, self.random.random::<f64>());
        let Some(replica) = self.replica(slot, who) else { return };
        if replica.asking == Some(seq) {
            replica.asking = None;
            replica.holder.failed(replica.clock(now), jitter);
            self.follow(slot);
        }
    }

    /// A replica opens and closes connections as far as it may, and what counts of it is counted.
    fn follow(&mut self, slot: usize) {
        let now = self.now;
        let closes = now + self.random.random_range(20_000..200_000);
        let Some(replica) = &mut self.slots[slot] else { return };
        let who = replica.holder.terms().incarnation;
        let clock = replica.clock(now);
        let cap = replica.holder.cap(clock);
        let wanted = replica.want.min(cap.permits);
        let before = replica.closes;
        if replica.open <= wanted {
            replica.open = wanted;
            replica.closes = None;
        } else if replica.closes.is_none() {
            replica.closes = Some(closes);
        }
        let new = replica.closes.filter(|_| before.is_none());
        let bound = cap.permits.max(replica.open);
        self.bound = self.bound - u64::from(replica.bound) + u64::from(bound);
        replica.bound = bound;
        let lapses = cap.until.map(|until| replica.true_time(until));
        let gone = replica.leaving && replica.open == 0;
        if let Some(at) = new {
            self.at(at, Event::Close(slot, who));
        }
        if let Some(lapses) = lapses.filter(|lapses| *lapses > now) {
            // At most one renewal later it is looked at again.
            self.at(lapses, Event::Lapse(slot, who));
        }
        let over = self.bound.saturating_sub(u64::from(self.plan.usable()));
        self.ran.exceeded += u64::from(over > 0);
        self.ran.excess = self.ran.excess.max(over);
        if gone {
            self.leave(slot);
        } else {
            self.look_soon(slot);
        }
    }

    /// Demand is looked at every so often, each replica at moments of its own.
    fn look_soon(&mut self, slot: usize) {
        let soon = self.now + self.random.random_range(0..LOOK_EVERY);
        let Some(replica) = &mut self.slots[slot] else { return };
        let who = replica.holder.terms().incarnation;
        if replica.asking.is_none() && replica.looks.is_none_or(|looks| soon < looks) {
            replica.looks = Some(soon);
            self.at(soon, Event::Look(slot, who));
        }
    }

    fn leave(&mut self, slot: usize) {
        let now = self.now;
        let Some(replica) = &mut self.slots[slot] else { return };
        let request = replica.holder.leave(replica.clock(now), 0);
        self.send(slot, request);
        // Its place is taken at once.
        self.after(1, Event::Replace(slot));
    }

    fn close(&mut self, slot: usize, who: u64) {
        let now = self.now;
        let Some(replica) = self.replica(slot, who) else { return };
        if replica.closes.is_some_and(|closes| closes <= now) {
            replica.closes = None;
            replica.open = replica.open.min(replica.want.min(replica.cap(now)));
            self.follow(slot);
        }
    }

    fn moment(&mut self) {
        let is_loaded = |one: &&Replica| one.want > 0 && !one.leaving;
        let loaded = self.slots.iter().flatten().filter(is_loaded).count();
        let idle = (self.slots.iter().flatten().count() - loaded) as u64;
        let reserved = self.engine.reserved();
        // An idle replica has its floor; a dead one may, for all that anybody knows.
        let others = idle * u64::from(self.plan.floor()) + reserved;
        let reachable = u64::from(self.plan.usable()).saturating_sub(others);
        // Rounded up: some have the permit that is left over.
        let share = reachable.div_ceil(loaded.max(1) as u64);
        let mut moment = Moment { reserved, reachable, ..Moment::default() };
        moment.at = self.now as f64 / 1e6;
        for replica in self.slots.iter().flatten().filter(is_loaded) {
            let open = u64::from(replica.open);
            moment.in_use += open;
            moment.useful += open.min(share);
        }
        let parts = self.slots.iter().flatten().filter(is_loaded).map(|one| f64::from(one.open));
        moment.fairness = jain(parts);
        moment.renewals = std::mem::take(&mut self.engine.renewals);
        self.ran.moments.push(moment);
        if self.now > HAPPENS * 1_000 {
            for (had, one) in self.had.iter_mut().zip(&self.slots) {
                *had += f64::from(one.as_ref().map_or(0, |one| one.open)) * MOMENT as f64 / 1e6;
            }
        }
    }
}
