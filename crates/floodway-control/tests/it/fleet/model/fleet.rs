//! A state of three replicas, what is under way, and the engine.

use floodway_control::fleet::{
    Demand, Fallback, LeaseHolder, LeaseReply, LeaseRequest, Ledger, Outage, Terms,
};

/// Milliseconds.
pub(super) const TICK: u64 = 1_000;
const TTL: u64 = 4 * TICK;
pub(super) const LINGER: u64 = 2 * TICK;

/// A mistake in the protocol, which the checker has to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Mutation {
    /// What a replica still uses or has open does not count once it is granted less.
    ShrinkCountsAtOnce,
    /// A replica goes by any answer, whether or not it has asked again since.
    LateAnswerCounts,
    /// What a lease leaves behind counts no longer than the lease.
    NoLinger,
}

/// What a run is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Setting {
    pub(super) budget: u32,
    pub(super) floor: u32,
    /// How many of the three have begun; the others may at any time.
    pub(super) begun: usize,
    /// Whether the engine may lose what it knows.
    pub(super) loses: bool,
    pub(super) mutation: Option<Mutation>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Process {
    pub(super) holder: LeaseHolder,
    open: u32,
    close_by: Option<u64>,
    paused: bool,
    asked: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Payload {
    Request(LeaseRequest),
    Reply(LeaseReply),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Message {
    slot: usize,
    incarnation: u64,
    payload: Payload,
    late: bool,
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Tick,
    /// A request is answered, or an answer heard.
    Arrive(usize),
    // Faults of a request that was sent in this tick.
    Lose(usize),
    LoseAnswer(usize),
    DelayAnswer(usize),
    Delay(usize),
    Repeat(usize),
    // Faults of processes and of the engine.
    Crash(usize),
    Pause(usize),
    LoseEngine,
    // What follows them.
    Resume(usize),
    Start(usize),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Fleet {
    pub(super) setting: Setting,
    pub(super) now: u64,
    pub(super) ledger: Ledger,
    engine: u64,
    pub(super) slots: [Option<Process>; 3],
    started: u64,
    flying: Vec<Message>,
    pub(super) faults: u32,
}

impl Fleet {
    /// Three replicas begin.
    pub(super) fn new(setting: Setting, faults: u32) -> Self {
        let mut fleet = Self {
            setting,
            now: 10 * TICK,
            ledger: Ledger::default(),
            engine: 0,
            slots: [None, None, None],
            started: 0,
            flying: Vec::new(),
            faults,
        };
        (0..setting.begun).for_each(|slot| fleet.start(slot));
        // An engine begins with listening; what may happen then happens when it loses its state.
        fleet.go(10);
        Self { faults, ..fleet }
    }

    fn start(&mut self, slot: usize) {
        self.started += 1;
        let terms = Terms {
            replica: format!("r{slot}"),
            incarnation: self.started,
            budget: self.setting.budget,
            margin: 0,
            weight: 1,
            floor: self.setting.floor,
            refresh: TICK,
            ttl: TTL,
            floor_ttl: 2 * TTL,
            linger: LINGER,
            outage: Outage::Floor,
            fallback: Fallback::Nothing,
            fenced: false,
            fencer: false,
        };
        let holder = LeaseHolder::new(terms, self.now);
        self.slots[slot] =
            Some(Process { holder, open: 0, close_by: None, paused: false, asked: 0 });
    }

    pub(super) fn actions(&self, actions: &mut Vec<Action>) {
        let sent = (0..self.flying.len()).filter(|one| !self.flying[*one].late);
        let late = (0..self.flying.len()).filter(|one| self.flying[*one].late);
        let between = sent.clone().next().is_none();
        actions.extend(sent.clone().map(Action::Arrive));
        if between {
            actions.extend(late.map(Action::Arrive));
            actions.push(Action::Tick);
            for (slot, process) in self.slots.iter().enumerate() {
                match process {
                    None => actions.push(Action::Start(slot)),
                    Some(process) if process.paused => actions.push(Action::Resume(slot)),
                    Some(_) => {}
                }
            }
        }
        if self.faults == 0 {
            return;
        }
        for one in sent {
            let faults = [
                Action::Lose,
                Action::LoseAnswer,
                Action::DelayAnswer,
                Action::Delay,
                Action::Repeat,
            ];
            actions.extend(faults.map(|fault| fault(one)));
        }
        if between {
            let living = self.slots.iter().enumerate().filter(|(_, one)| one.is_some());
            actions.extend(living.clone().map(|(slot, _)| Action::Crash(slot)));
            let awake = living.filter(|(_, one)| one.as_ref().is_some_and(|one| !one.paused));
            actions.extend(awake.map(|(slot, _)| Action::Pause(slot)));
            if self.setting.loses && self.engine == 0 {
                actions.push(Action::LoseEngine);
            }
        }
    }

    pub(super) fn act(&mut self, action: Action) {
        match action {
            Action::Tick => self.tick(),
            Action::Arrive(one) => {
                let message = self.flying.remove(one);
                self.arrive(message, |_| true);
            }
            Action::Lose(one) => drop(self.flying.remove(one)),
            Action::LoseAnswer(one) => {
                let message = self.flying.remove(one);
                self.arrive(message, |_| false);
            }
            Action::DelayAnswer(one) => {
                let message = self.flying.remove(one);
                let flying = self.arrive(message, |_| false);
                self.flying.extend(flying);
            }
            Action::Delay(one) => self.flying[one].late = true,
            Action::Repeat(one) => {
                let message = self.flying[one].clone();
                self.flying[one].late = true;
                self.arrive(message, |_| true);
            }
            Action::Crash(slot) => self.slots[slot] = None,
            Action::Pause(slot) => self.slots[slot].iter_mut().for_each(|one| one.paused = true),
            Action::Resume(slot) => self.slots[slot].iter_mut().for_each(|one| one.paused = false),
            Action::Start(slot) => {
                // A name is for one process at a time: see the properties.
                self.flying.retain(|one| {
                    one.slot != slot
                        || !matches!(&one.payload, Payload::Request(request) if request.epoch == 0)
                });
                self.start(slot);
            }
            Action::LoseEngine => (self.ledger, self.engine) = (Ledger::default(), 1),
        }
        if matches!(
            action,
            Action::Crash(_)
                | Action::Pause(_)
                | Action::LoseEngine
                | Action::Lose(_)
                | Action::LoseAnswer(_)
                | Action::DelayAnswer(_)
                | Action::Delay(_)
                | Action::Repeat(_)
        ) {
            self.faults -= 1;
        }
        // Which of two messages was sent first does not matter.
        self.flying.sort_by_key(|one| {
            let seq = match &one.payload {
                Payload::Request(request) => (0, request.seq),
                Payload::Reply(reply) => (1, reply.seq),
            };
            (one.late, one.slot, one.incarnation, seq)
        });
    }

    /// A quarter of a lease later.
    fn tick(&mut self) {
        self.now += TICK;
        for slot in 0..3 {
            let now = self.now;
            let Some(process) = &mut self.slots[slot] else { continue };
            process.settle(now);
            let due = process.holder.next_for(now, process.demand()) <= now
                || now >= process.asked + TICK;
            if !process.paused && due {
                process.asked = now;
                let request = process.holder.request(now, process.demand());
                let incarnation = request.incarnation;
                let payload = Payload::Request(request);
                self.flying.push(Message { slot, incarnation, payload, late: false });
            }
        }
    }

    /// Delivers a message, and the answer to it if `answered`; gives that back otherwise.
    fn arrive(
        &mut self,
        message: Message,
        answered: impl Fn(&LeaseReply) -> bool,
    ) -> Option<Message> {
        let Message { slot, incarnation, payload, .. } = message;
        let (reply, first) = match payload {
            Payload::Request(request) => (self.renew(request), true),
            Payload::Reply(reply) => (reply, false),
        };
        if first && !answered(&reply) {
            let payload = Payload::Reply(reply);
            return Some(Message { slot, incarnation, payload, late: true });
        }
        let mutation = self.setting.mutation;
        let process = self.slots[slot].as_mut()?;
        if process.holder.terms().incarnation != incarnation {
            return None;
        }
        if process.paused {
            let payload = Payload::Reply(reply);
            self.flying.push(Message { slot, incarnation, payload, late: true });
            return None;
        }
        process.hear(self.now, reply, mutation);
        None
    }

    fn renew(&mut self, mut request: LeaseRequest) -> LeaseReply {
        request.engine = format!("run {}", self.engine);
        match self.setting.mutation {
            Some(Mutation::ShrinkCountsAtOnce) => (request.held, request.applied) = (0, 0),
            Some(Mutation::NoLinger) => request.linger = 0,
            Some(Mutation::LateAnswerCounts) | None => {}
        }
        self.ledger.renew(1_000_000 + self.now, &request)
    }

    /// What living replicas may use or have open.
    pub(super) fn in_use(&self) -> u32 {
        self.slots.iter().flatten().map(|one| one.holder.cap(self.now).permits.max(one.open)).sum()
    }

    /// Nothing bad happens for `ticks`.
    pub(super) fn rest(mut self, ticks: u32) -> Self {
        self.faults = 0;
        self.flying.clear();
        for slot in 0..3 {
            if self.slots[slot].is_none() {
                self.start(slot);
            }
        }
        self.slots.iter_mut().flatten().for_each(|one| one.paused = false);
        self.go(ticks);
        self
    }

    /// Everything arrives.
    fn go(&mut self, ticks: u32) {
        for _ in 0..ticks {
            self.tick();
            while !self.flying.is_empty() {
                let message = self.flying.remove(0);
                self.arrive(message, |_| true);
            }
        }
    }
}

impl Process {
    /// It could always use more than there is.
    fn demand(&self) -> Demand {
        Demand { want: 100, held: self.open }
    }

    /// Opens all that it may, and closes what exceeds that as late as it may, also while it is paused:
    /// what was begun ends by itself.
    fn settle(&mut self, now: u64) {
        let cap = self.holder.cap(now);
        if self.open <= cap.permits {
            self.close_by = None;
            self.open = if self.paused { self.open } else { cap.permits };
        } else if self.close_by.is_some_and(|by| by <= now) {
            (self.open, self.close_by) = (cap.permits, None);
        } else {
            self.close_by = self.close_by.or(Some(now + LINGER));
        }
    }

    fn hear(&mut self, now: u64, mut reply: LeaseReply, mutation: Option<Mutation>) {
        if mutation == Some(Mutation::LateAnswerCounts) {
            // As if it were the answer to the latest request.
            reply.seq = self.holder.request(now, self.demand()).seq;
        }
        self.holder.reply(now, reply, 0.0);
        self.settle(now);
    }
}
