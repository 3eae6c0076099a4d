//! Replicas, messages, clocks and an engine, in virtual time.

use std::{collections::BTreeMap, fmt::Write};

use floodway_control::fleet::{
    Fallback, HolderState, LeaseReply, LeaseRequest, Ledger, Outage, Remnant, Terms,
};

use super::{
    books,
    chance::{draw, happens},
    replica::Replica,
    step::{Network, Step},
};

/// How long connections of a process that is gone stay open, in milliseconds: until the database notices,
/// or somebody closes them.
const ORPHANED: u64 = 20_000;
/// How long it takes at most to learn what has to be closed, and then to say that it is.
const CLOSING: u64 = 5_000;
/// The wall clock steps so far apart: a step gains the fleet's time a little, once for every replica that
/// has begun since the one before.
const STEPS_APART: u64 = 10_000;

/// What a replica declares.
#[derive(Clone, Debug)]
pub(super) struct Declared {
    pub(super) weight: u32,
    pub(super) floor: u32,
    pub(super) budget: u32,
    pub(super) want: u32,
    pub(super) greedy: bool,
}

/// What all replicas have in common.
#[derive(Clone, Debug)]
pub(super) struct Common {
    pub(super) margin: u32,
    pub(super) linger: u64,
    pub(super) floor_ttl: u64,
    pub(super) outage: Outage,
    pub(super) fenced: bool,
    pub(super) seed: u64,
}

pub(super) const REFRESH: u64 = 1_000;
pub(super) const TTL: u64 = 4_000;

#[derive(Clone, Debug)]
enum Message {
    Request(usize, LeaseRequest),
    Reply(usize, u64, u64, LeaseReply),
    /// Somebody closes what these leases have left behind, and says so.
    Close(Vec<Remnant>),
    Closed(Vec<Remnant>),
}

/// Connections of a process that is gone.
#[derive(Clone, Debug)]
struct Orphans {
    replica: String,
    epoch: u64,
    open: u32,
    until: u64,
}

#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) now: u64,
    common: Common,
    declared: Vec<Declared>,
    pub(super) ledger: Ledger,
    copy: Option<Ledger>,
    engine: u64,
    shift: i64,
    stepped: u64,
    network: Network,
    flying: BTreeMap<(u64, u64), Message>,
    messages: u64,
    pub(super) slots: Vec<Option<Replica>>,
    names: Vec<String>,
    processes: u64,
    orphans: Vec<Orphans>,
    /// What replicas kept without a burst when the engine began.
    floors: u64,
    /// Whether the engine had heard of it when it began to grant.
    floors_known: Option<bool>,
    /// Floors that come on top, because nobody had heard of them.
    unheard: u64,
    /// What may be used in all: more than the budget while it was more a moment ago.
    allowed: u64,
    usable: u64,
    /// What was used in all at most, and how many steps of the engine there were: runs must do something.
    pub(super) steps: u64,
}

impl World {
    pub(super) fn new(common: Common, declared: Vec<Declared>) -> Self {
        let slots = declared.len();
        let mut world = Self {
            now: 1_000_000,
            common,
            declared,
            ledger: Ledger::default(),
            copy: None,
            engine: 1,
            shift: 0,
            stepped: 0,
            network: Network::default(),
            flying: BTreeMap::new(),
            messages: 0,
            slots: vec![None; slots],
            names: (0..slots).map(|slot| format!("r{slot}")).collect(),
            processes: 0,
            orphans: Vec::new(),
            floors: 0,
            floors_known: None,
            unheard: 0,
            allowed: 0,
            usable: 0,
            steps: 0,
        };
        (0..slots).for_each(|slot| world.start(slot, true));
        world
    }

    pub(super) fn step(&mut self, step: &Step) -> Result<(), String> {
        match *step {
            Step::Pass(length) => return self.pass(length),
            Step::Want(slot, want) => {
                self.declared[slot].want = want;
                self.slots[slot].iter_mut().for_each(|one| one.want = want);
            }
            Step::Pause(slot, length) => {
                let until = self.now + length;
                self.slots[slot].iter_mut().for_each(|one| one.paused_until = until);
            }
            Step::Crash(slot) => self.crash(slot),
            Step::Start { slot, same } => self.start(slot, same),
            Step::Leave(slot) => self.slots[slot].iter_mut().for_each(Replica::leave),
            Step::EvictDead => self.evict(),
            Step::Lose => {
                // Numbers of leases begin again, so nothing goes back to what was before.
                self.copy = None;
                self.run_engine(Ledger::default());
            }
            Step::Copy => self.copy = Some(self.ledger.clone()),
            Step::Restore => {
                if let Some(copy) = self.copy.clone() {
                    self.run_engine(copy);
                }
            }
            Step::WallClock(shift) if self.now >= self.stepped + STEPS_APART => {
                (self.shift, self.stepped) = (shift, self.now);
            }
            Step::WallClock(_) => {}
            Step::Budget(budget) => self.ledger.set_budget(budget.map(|budget| (budget, 1))),
            Step::Network(network) => self.network = network,
        }
        self.check()
    }

    fn run_engine(&mut self, ledger: Ledger) {
        let now = self.now;
        let former = std::mem::replace(&mut self.ledger, ledger);
        // An answer may still be under way.
        let promised = |one: &Replica| {
            let known = |name: &str| former.members().find(|known| known.replica == name);
            let keep = known(&one.holder.terms().replica).map_or(0, |known| known.keep);
            u64::from(one.floor(now).max(keep))
        };
        self.engine += 1;
        // Nobody closes what no engine remembers: where an engine loses what it knew while a process is
        // paused or gone, it is the database that has to notice.
        self.orphans.clear();
        // What processes that are gone had sent ends with its connection: an engine that knows nothing
        // could not tell that the name has another process now.
        let alive: Vec<_> = self.slots.iter().flatten().collect();
        let lives =
            |incarnation| alive.iter().any(|one| one.holder.terms().incarnation == incarnation);
        self.flying.retain(|_, message| match message {
            Message::Request(_, request) => lives(request.incarnation),
            _ => true,
        });
        self.slots.iter_mut().flatten().for_each(|one| one.unknown = true);
        // What replicas keep without a burst is known to an engine if anybody who comes back has heard
        // of all of it.
        self.floors = self.slots.iter().flatten().map(promised).sum();
        self.floors_known = None;
    }

    fn start(&mut self, slot: usize, same: bool) {
        if self.slots[slot].is_some() {
            return;
        }
        self.processes += 1;
        if !same {
            self.names[slot] = format!("r{slot}-{}", self.processes);
        }
        // A name is for one process at a time, and nothing of the former one is under way that could
        // be taken for the beginning of another.
        let name = &self.names[slot];
        self.flying.retain(|_, message| match message {
            Message::Request(_, request) => request.replica != *name || request.epoch != 0,
            _ => true,
        });
        let declared = &self.declared[slot];
        let terms = Terms {
            replica: name.clone(),
            incarnation: self.processes,
            budget: declared.budget,
            margin: self.common.margin,
            weight: declared.weight,
            floor: declared.floor,
            refresh: REFRESH,
            ttl: TTL,
            floor_ttl: self.common.floor_ttl,
            linger: self.common.linger,
            outage: self.common.outage,
            fallback: Fallback::Nothing,
            fenced: self.common.fenced,
            fencer: self.common.fenced,
        };
        self.slots[slot] = Some(Replica::new(terms, self.now, declared.want, declared.greedy));
    }

    fn crash(&mut self, slot: usize) {
        let Some(gone) = self.slots[slot].take() else { return };
        if self.common.fenced && !gone.unknown {
            let (replica, epoch) = (gone.holder.terms().replica.clone(), gone.holder.epoch());
            let until = self.now + draw([self.common.seed, self.now, epoch, 3]) % ORPHANED;
            self.orphans.push(Orphans { replica, epoch, open: gone.open, until });
        }
    }

    fn evict(&mut self) {
        let alive = self.slots.iter().flatten().map(|one| &one.holder.terms().replica);
        let alive: Vec<_> = alive.cloned().collect();
        let known = self.ledger.members().map(|one| one.replica.clone());
        let dead: Vec<_> = known.filter(|name| !alive.contains(name)).collect();
        for name in dead {
            self.ledger.evict(&name);
        }
    }

    pub(super) fn pass(&mut self, length: u64) -> Result<(), String> {
        let end = self.now + length;
        loop {
            self.act()?;
            let replicas = self.slots.iter().flatten().map(|one| one.next(self.now));
            let orphans = self.orphans.iter().map(|one| one.until);
            let message = self.flying.keys().next().map(|(at, _)| *at);
            let next = replicas.chain(orphans).chain(message).min().unwrap_or(u64::MAX);
            if next > end {
                self.now = end;
                return self.check();
            }
            self.now = next.max(self.now);
            self.orphans.retain(|one| one.until > self.now);
            while let Some(entry) = self.flying.first_entry().filter(|one| one.key().0 <= self.now)
            {
                let message = entry.remove();
                self.deliver(message)?;
            }
        }
    }

    /// Replicas do what it is time for.
    fn act(&mut self) -> Result<(), String> {
        for slot in 0..self.slots.len() {
            let Some(replica) = &mut self.slots[slot] else { continue };
            replica.use_cap(self.now, !self.common.fenced);
            if replica.state(self.now) == HolderState::Superseded && replica.open == 0 {
                return Err(format!("{} is superseded", replica.holder.terms().replica));
            }
            if let Some(request) = replica.ask(self.now) {
                self.send(slot, request);
            }
            // What a failed request has changed.
            if let Some(replica) = &mut self.slots[slot] {
                replica.use_cap(self.now, !self.common.fenced);
            }
        }
        self.check()
    }

    fn send(&mut self, slot: usize, request: LeaseRequest) {
        let about = [self.common.seed, request.incarnation, request.seq, 4];
        let copies = 1 + u32::from(happens(self.network.repeat, [about[0], about[1], about[2], 5]));
        for copy in 0..copies {
            self.fly(
                Message::Request(slot, request.clone()),
                [about[0], about[1], about[2], 6 + u64::from(copy)],
            );
        }
    }

    fn fly(&mut self, message: Message, about: [u64; 4]) {
        let [seed, who, what, which] = about;
        if happens(self.network.lose, [seed, who, what, which + 10]) {
            return;
        }
        let late = happens(self.network.late, [seed, who, what, which + 20]);
        let late =
            u64::from(late) * (draw([seed, who, what, which + 30]) % (self.network.delay + 1));
        let at = self.now + 1 + draw([seed, who, what, which + 40]) % 40 + late;
        self.post(at, message);
    }

    fn post(&mut self, at: u64, message: Message) {
        self.messages += 1;
        self.flying.insert((at, self.messages), message);
    }

    fn deliver(&mut self, message: Message) -> Result<(), String> {
        match message {
            Message::Request(slot, mut request) => {
                request.engine = format!("run {}", self.engine);
                let reply = self.renew(&request)?;
                let about = [self.common.seed, request.incarnation, request.seq, 8];
                self.fly(Message::Reply(slot, request.incarnation, self.engine, reply), about);
            }
            Message::Reply(slot, incarnation, run, reply) => {
                let Some(replica) = &mut self.slots[slot] else { return Ok(()) };
                if replica.holder.terms().incarnation != incarnation {
                    return Ok(());
                }
                if replica.is_paused(self.now) {
                    let at = replica.paused_until;
                    self.post(at, Message::Reply(slot, incarnation, run, reply));
                    return Ok(());
                }
                let sweep = reply.sweep;
                let answered = replica.holder.last().map(|(_, sent)| sent);
                let ended = replica.hear(self.now, reply);
                let counts = answered != replica.holder.last().map(|(_, sent)| sent);
                // What it has too much from before is unknown until it is closed.
                let known = counts && run == self.engine;
                replica.unknown &= !known || replica.open > replica.cap(self.now);
                if ended {
                    self.slots[slot] = None;
                }
                if sweep {
                    let left: Vec<_> = self.ledger.unfenced().cloned().collect();
                    let at = self.now + draw([self.common.seed, self.now, 9, 0]) % CLOSING;
                    self.post(at, Message::Close(left));
                }
                if let Some(replica) = &mut self.slots[slot] {
                    replica.use_cap(self.now, !self.common.fenced);
                }
            }
            Message::Close(left) => {
                for remnant in &left {
                    let Remnant { replica, epoch, keep, .. } = remnant;
                    for one in self.slots.iter_mut().flatten() {
                        let holder = &one.holder;
                        if holder.terms().replica == *replica && holder.epoch() == *epoch {
                            one.open = one.open.min(*keep);
                        }
                    }
                    for one in &mut self.orphans {
                        if one.replica == *replica && one.epoch == *epoch {
                            one.open = one.open.min(*keep);
                        }
                    }
                }
                let at = self.now + draw([self.common.seed, self.now, 10, 0]) % CLOSING;
                self.post(at, Message::Closed(left));
            }
            Message::Closed(left) => self.ledger.fenced(&left),
        }
        self.check()
    }

    fn renew(&mut self, request: &LeaseRequest) -> Result<LeaseReply, String> {
        let wall = (self.now as i64 + self.shift + 1_000_000_000) as u64;
        let known = self.ledger.members().find(|one| one.replica == request.replica);
        let repeated = known
            .is_some_and(|own| own.incarnation == request.incarnation && own.seq >= request.seq);
        let reply = self.ledger.renew(wall, request);
        self.steps += 1;
        books::check(&self.ledger)?;
        let account = self.ledger.account();
        let counts = !repeated && !reply.superseded;
        if counts
            && reply.grant > request.applied.max(request.held)
            && account.total > account.usable()
        {
            return Err(format!("{reply:?} is granted beyond {}", account.usable()));
        }
        Ok(reply)
    }

    /// What living replicas may use or have open, and what dead ones still have open.
    pub(super) fn in_use(&self) -> u64 {
        let living = self.slots.iter().flatten();
        let living = living.map(|one| u64::from(one.bound(self.now, self.common.fenced)));
        living.chain(self.orphans.iter().map(|one| u64::from(one.open))).sum()
    }

    fn check(&mut self) -> Result<(), String> {
        books::check(&self.ledger)?;
        let account = self.ledger.account();
        // An engine that has not been asked yet knows of no budget.
        if account.in_force.1 > 0 || account.operator.is_some() {
            self.usable = account.usable();
        }
        if self.floors_known.is_none() && account.learning_until > 0 && !account.is_learning() {
            let known = account.reserve_floors >= self.floors;
            self.floors_known = Some(known);
            // Where nobody has heard of them in time, they come on top.
            self.unheard = if known { 0 } else { self.floors };
        }
        let account = self.ledger.account();
        let in_use = self.in_use();
        self.allowed = self.allowed.max(self.usable);
        if in_use > self.allowed + self.unheard {
            return Err(format!("{in_use} in use, {} may be\n{}", self.allowed, self.describe()));
        }
        let kept = self.slots.iter().flatten().any(|one| one.unknown);
        if books::settled(account, &format!("run {}", self.engine))
            && in_use <= self.usable
            && !kept
        {
            (self.allowed, self.unheard) = (self.usable, 0);
        }
        Ok(())
    }

    /// Who has what, for whoever reads a failure.
    fn describe(&self) -> String {
        let account = self.ledger.account();
        let mut text = format!(
            "at {}, fleet time {}, {} of {} counted, {} left behind, learning {}",
            self.now,
            account.clock.now,
            account.total,
            account.usable(),
            account.remnants,
            account.is_learning()
        );
        let _ = write!(
            text,
            "\n  floors: {} promised, {:?} heard, {} of {} came back, until {}",
            self.floors,
            self.floors_known,
            account.returned_floors,
            account.reserve_floors,
            account.reserve_until
        );
        for one in self.slots.iter().flatten() {
            let terms = one.holder.terms();
            let (paused, state) = (one.is_paused(self.now), one.state(self.now));
            let (epoch, cap, open) = (one.holder.epoch(), one.cap(self.now), one.open);
            let _ = write!(
                text,
                "\n  {} lease {epoch}: may {cap}, has {open}, {state:?}, ",
                terms.replica
            );
            let _ = write!(text, "floor {}, paused {paused}", terms.floor);
        }
        for one in &self.orphans {
            let _ = write!(text, "\n  {one:?}");
        }
        for one in self.ledger.members() {
            let _ = write!(text, "\n  known: {} lease {} ", one.replica, one.epoch);
            let _ = write!(text, "bound {} keep {} until {}", one.bound, one.keep, one.due);
        }
        for one in self.ledger.remnants() {
            let _ = write!(text, "\n  {one:?}");
        }
        text
    }

    /// Nothing bad happens for so long.
    pub(super) fn rest(&mut self, length: u64) -> Result<(), String> {
        self.network = Network::default();
        self.flying.retain(|_, message| !matches!(message, Message::Request(..)));
        self.slots.iter_mut().flatten().for_each(|one| one.paused_until = 0);
        // Somebody has to be there for time to go on, and to close what others have left.
        if self.slots.iter().flatten().all(Replica::is_leaving) {
            self.slots[0] = None;
            self.start(0, false);
        }
        self.pass(length)
    }

    pub(super) fn declared(&self, slot: usize) -> &Declared {
        &self.declared[slot]
    }
}
