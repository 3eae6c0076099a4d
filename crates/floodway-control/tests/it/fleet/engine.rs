//! What an engine makes of requests, one at a time.

use floodway_control::fleet::{LeaseReply, LeaseRequest, Ledger};

/// Milliseconds of the wall clock at which the tests begin.
const BEGIN: u64 = 1_000_000_000;
const BUDGET: u32 = 20;

/// A process that knows what it has to say, and an engine to say it to.
#[derive(Clone, Copy)]
struct Process {
    name: &'static str,
    incarnation: u64,
    epoch: u64,
    seq: u64,
    /// What it uses, and what of that is its floor.
    applied: u32,
    floor: u32,
}

fn process(name: &'static str, incarnation: u64) -> Process {
    Process { name, incarnation, epoch: 0, seq: 0, applied: 0, floor: 0 }
}

impl Process {
    fn request(&mut self, at: u64, want: u32) -> LeaseRequest {
        self.seq += 1;
        LeaseRequest {
            replica: self.name.to_owned(),
            incarnation: self.incarnation,
            epoch: self.epoch,
            seq: self.seq,
            sent: at,
            want,
            held: self.applied,
            applied: self.applied,
            floor_applied: self.floor,
            weight: 1,
            floor: 0,
            ttl: 4_000,
            reuse: 0,
            floor_ttl: 600_000,
            linger: 1_000,
            refresh: 1_000,
            budget: BUDGET,
            margin: 0,
            fenced: false,
            fencer: false,
            seen_members: 0,
            engine: String::new(),
            leaving: false,
        }
    }

    fn hear(&mut self, reply: &LeaseReply) -> u32 {
        (self.epoch, self.applied, self.floor) = (reply.epoch, reply.grant, reply.floor);
        reply.grant
    }

    /// Asks at `at`, and uses what it is granted.
    fn ask(&mut self, ledger: &mut Ledger, at: u64, want: u32) -> u32 {
        let request = self.request(at, want);
        let reply = ledger.renew(BEGIN + at, &request);
        self.hear(&reply)
    }
}

#[test]
fn a_lease_is_not_ended_by_time_that_passed_before_it() {
    let (mut ledger, mut old) = (Ledger::default(), process("old", 1));
    old.ask(&mut ledger, 0, 1);
    old.ask(&mut ledger, 1_000, 1);
    // For a minute the engine hears of nobody; then of a newcomer first.
    process("new", 2).ask(&mut ledger, 61_000, 20);
    old.ask(&mut ledger, 61_500, 1);
    let status = ledger.status();
    let new = status.replicas.iter().find(|one| one.replica == "new");
    assert!(new.is_some_and(|new| new.remaining_ms == 3_500), "{status:?}");
}

#[test]
fn an_engine_with_an_old_copy_learns_from_its_start_on() {
    let (mut ledger, mut known) = (Ledger::default(), process("known", 1));
    known.ask(&mut ledger, 0, 2);
    known.ask(&mut ledger, 1_000, 2);
    let mut ask = |one: &mut Process, at| {
        let engine = "another run".to_owned();
        let request = LeaseRequest { engine, ..one.request(at, 20) };
        ledger.renew(BEGIN + at, &request).learning
    };
    // A newcomer is the first to ask, long after the copy was made.
    assert!(ask(&mut process("newcomer", 2), 60_000));
    assert!(ask(&mut known, 60_200));
    assert!(ask(&mut known, 63_900));
    assert!(!ask(&mut known, 64_100));
}

#[test]
fn who_was_away_does_not_prove_time_that_was_lost_meanwhile() {
    let (mut ledger, mut away, mut here) =
        (Ledger::default(), process("away", 1), process("here", 2));
    for at in [0, 1_000] {
        // With a floor, so that it stays known.
        let mut request = away.request(at, 1);
        request.floor = 1;
        let reply = ledger.renew(BEGIN + at, &request);
        away.hear(&reply);
    }
    for second in 1..=20 {
        here.ask(&mut ledger, second * 1_000, 10);
        // Newcomers cost time.
        process("newcomer", 100 + second).ask(&mut ledger, second * 1_000 + 200, 0);
    }
    // Then the wall clock steps ahead, just before the other one is back.
    let (before, steps) = (ledger.account().clock.now, 300_000);
    let request = away.request(20_900, 1);
    ledger.renew(BEGIN + 20_900 + steps, &request);
    assert!(ledger.account().clock.now <= before + 500, "{before}");
}
