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
    seen_floors: u32,
}

fn process(name: &'static str, incarnation: u64) -> Process {
    Process { name, incarnation, epoch: 0, seq: 0, applied: 0, floor: 0, seen_floors: 0 }
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
            seen_floors: self.seen_floors,
            engine: String::new(),
            leaving: false,
        }
    }

    fn hear(&mut self, reply: &LeaseReply) -> u32 {
        (self.epoch, self.applied, self.floor) = (reply.epoch, reply.grant, reply.floor);
        self.seen_floors = reply.floors;
        reply.grant
    }

    fn ask_epoch(&mut self, ledger: &mut Ledger, at: u64) -> u64 {
        self.ask(ledger, at, 0);
        self.epoch
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
    assert!(ask(&mut known, 62_000));
    assert!(ask(&mut known, 63_900));
    assert!(!ask(&mut known, 64_300));
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

#[test]
fn a_lease_keeps_its_number_whatever_comes_late() {
    let (mut ledger, mut other, mut one) =
        (Ledger::default(), process("other", 1), process("one", 2));
    other.ask(&mut ledger, 0, 1);
    let first = one.request(0, 1);
    one.hear(&ledger.renew(BEGIN, &first));
    assert_eq!(one.epoch, 2);
    // The engine begins again with nothing, and hears the first request once more.
    let mut ledger = Ledger::default();
    ledger.renew(BEGIN + 100, &first);
    one.ask(&mut ledger, 200, 1);
    assert_eq!(one.epoch, 2);
    // And nobody else gets it.
    assert_eq!(process("third", 3).ask_epoch(&mut ledger, 300), 3);
}

#[test]
fn what_an_evicted_replica_has_open_counts_until_it_is_closed() {
    let (mut ledger, mut gone, mut other) =
        (Ledger::default(), process("gone", 1), process("other", 2));
    for at in [0, 1_000] {
        let request = LeaseRequest { fenced: true, ..gone.request(at, 20) };
        gone.hear(&ledger.renew(BEGIN + at, &request));
        other.ask(&mut ledger, at, 20);
    }
    assert!(ledger.evict("gone"));
    // While it may be alive, nobody closes what it would open again; then somebody has to.
    assert_eq!(ledger.unfenced().count(), 0);
    for at in 2..=8 {
        assert_eq!(other.ask(&mut ledger, at * 1_000, 20), 0);
    }
    let left: Vec<_> = ledger.unfenced().cloned().collect();
    assert!(left.len() == 1 && left[0].replica == "gone", "{left:?}");
    ledger.fenced(&left);
    assert_eq!(other.ask(&mut ledger, 9_000, 20), 20);
}

#[test]
fn a_request_that_comes_late_does_not_bring_back_who_has_left() {
    let (mut ledger, mut gone, mut other) =
        (Ledger::default(), process("gone", 1), process("other", 2));
    gone.ask(&mut ledger, 0, 1);
    let late = LeaseRequest { held: 1, applied: 1, ..gone.request(500, 1) };
    gone.ask(&mut ledger, 1_000, 20);
    // It goes while it still has all of it open; what it said half a second earlier comes then.
    let leaving = LeaseRequest { leaving: true, applied: 0, held: 20, ..gone.request(1_100, 0) };
    ledger.renew(BEGIN + 1_100, &leaving);
    ledger.renew(BEGIN + 1_200, &late);
    assert_eq!(other.ask(&mut ledger, 1_300, 20), 0);
    // It has closed everything, and says so.
    let leaving = LeaseRequest { leaving: true, applied: 0, held: 0, ..gone.request(1_400, 0) };
    ledger.renew(BEGIN + 1_400, &leaving);
    ledger.renew(BEGIN + 1_500, &late);
    assert_eq!(other.ask(&mut ledger, 1_600, 20), 20);
    assert_eq!(ledger.members().count(), 1);
}

/// What is granted to one replica and a newcomer, a while after the engine has begun again, while another
/// that had a floor of `floor` is away.
#[track_caller]
fn floors_stay_reserved(restored: bool, floor: u32) {
    let (mut ledger, mut away, mut here) =
        (Ledger::default(), process("away", 1), process("here", 2));
    let copy = ledger.clone();
    for at in [0, 1_000, 2_000] {
        let request = LeaseRequest { floor, want: floor, ..away.request(at, 0) };
        away.hear(&ledger.renew(BEGIN + at, &request));
        here.ask(&mut ledger, at, 20);
    }
    let mut ledger = if restored { copy } else { Ledger::default() };
    let mut newcomer = process("newcomer", 3);
    let mut granted = 0;
    for at in 3..20 {
        granted = 0;
        for one in [&mut here, &mut newcomer] {
            let engine = "another run".to_owned();
            let request = LeaseRequest { engine, ..one.request(at * 1_000, 20) };
            granted += one.hear(&ledger.renew(BEGIN + at * 1_000, &request));
        }
    }
    assert_eq!(granted, BUDGET - floor);
}

#[test]
fn an_engine_that_lost_its_state_reserves_the_floors_of_those_who_are_away() {
    floors_stay_reserved(false, 2);
    floors_stay_reserved(true, 5);
}

#[test]
fn a_process_is_not_superseded_by_the_former_one_of_an_old_copy() {
    let (mut ledger, mut former, mut present) =
        (Ledger::default(), process("one", 1), process("one", 2));
    former.ask(&mut ledger, 0, 5);
    let mut copy = ledger.clone();
    present.ask(&mut ledger, 1_000, 5);
    let mut ask = |one: &mut Process, at| {
        let engine = "another run".to_owned();
        copy.renew(BEGIN + at, &LeaseRequest { engine, ..one.request(at, 5) }).superseded
    };
    assert!(!ask(&mut present, 2_000));
    assert!(ask(&mut former, 2_500));
    assert!(!ask(&mut present, 3_000));
}

#[test]
fn a_turn_passes_on_although_connections_take_time_to_close() {
    let (mut ledger, mut one, mut other) =
        (Ledger::default(), process("one", 1), process("other", 2));
    let mut ask = |one: &mut Process, at, held| {
        let request = LeaseRequest { budget: 1, held, ..one.request(at, 5) };
        one.hear(&ledger.renew(BEGIN + at, &request))
    };
    let mut had = [0, 0];
    let mut open = 0;
    for at in (0..60_000).step_by(500) {
        // The first says at the end of its turn that it has a connection open, and half a second later that
        // it has closed it; the second asks half as often, and closes at once.
        let granted = ask(&mut one, at, open);
        (had[0], open) = (had[0] + granted, granted);
        if at % 1_000 == 500 {
            had[1] += 2 * ask(&mut other, at + 250, 0);
        }
    }
    assert!(had.iter().all(|had| *had > 40), "{had:?}");
}

#[test]
fn what_was_closed_is_what_was_left_then_and_nothing_since() {
    let (mut ledger, mut gone, mut other) =
        (Ledger::default(), process("gone", 1), process("other", 2));
    let mut ask = |ledger: &mut Ledger, at, want| {
        let request = LeaseRequest { fenced: true, ..gone.request(at, want) };
        gone.hear(&ledger.renew(BEGIN + at, &request))
    };
    let mut pass = |ledger: &mut Ledger, seconds: std::ops::Range<u64>| {
        for at in seconds {
            other.ask(ledger, at * 1_000, 20);
        }
    };
    ask(&mut ledger, 0, 20);
    pass(&mut ledger, 0..7);
    let before: Vec<_> = ledger.unfenced().cloned().collect();
    assert_eq!(before.len(), 1);
    // While that is closed, the replica comes back, opens again and is gone again.
    assert!(ask(&mut ledger, 6_500, 20) > 0);
    pass(&mut ledger, 7..13);
    ledger.fenced(&before);
    assert_eq!(ledger.unfenced().count(), 1);
    let now: Vec<_> = ledger.unfenced().cloned().collect();
    ledger.fenced(&now);
    assert_eq!(ledger.unfenced().count(), 0);
}

#[test]
fn floors_are_reserved_until_they_are_closed() {
    let (mut ledger, mut away, mut here) =
        (Ledger::default(), process("away", 1), process("here", 2));
    let short = |request: LeaseRequest| LeaseRequest {
        floor_ttl: 10_000,
        linger: 2_000,
        engine: "a run".to_owned(),
        ..request
    };
    for at in 0..8 {
        let at = at * 1_000;
        let request = LeaseRequest { floor: 2, want: 2, ..short(away.request(at, 0)) };
        away.hear(&ledger.renew(BEGIN + at, &request));
        let request = short(here.request(at, 20));
        here.hear(&ledger.renew(BEGIN + at, &request));
    }
    let (mut ledger, mut granted) = (Ledger::default(), Vec::new());
    for at in 8..22 {
        let request = short(here.request(at * 1_000, 20));
        let request = LeaseRequest { engine: "another run".to_owned(), ..request };
        granted.push(here.hear(&ledger.renew(BEGIN + at * 1_000, &request)));
    }
    // The other one may use its floor for ten seconds, and has two more to close it.
    assert_eq!(granted[6..12], [18; 6], "{granted:?}");
    assert_eq!(granted[13], 20, "{granted:?}");
}

#[test]
fn the_time_of_an_old_copy_proves_nothing() {
    let (mut ledger, mut away, mut here) =
        (Ledger::default(), process("away", 1), process("here", 2));
    for at in 0..2 {
        away.ask(&mut ledger, at * 1_000, 1);
        here.ask(&mut ledger, at * 1_000, 1);
    }
    let mut ask = |one: &mut Process, at, step| {
        let engine = "another run".to_owned();
        let request = LeaseRequest { engine, ..one.request(at, 1) };
        one.hear(&ledger.renew(BEGIN + at + step, &request));
        ledger.account().clock.now
    };
    // Half a minute later the engine begins with what it knew then.
    let mut before = 0;
    for at in 30..33 {
        before = ask(&mut here, at * 1_000, 0);
    }
    // The wall clock steps just before the other one asks for the first time.
    let after = ask(&mut away, 32_500, 300_000);
    assert!(after <= before + 500, "{before} {after}");
}

#[test]
fn who_was_away_for_less_than_its_lease_does_not_prove_it_either() {
    let (mut ledger, mut away, mut here) =
        (Ledger::default(), process("away", 1), process("here", 2));
    let mut ask = |one: &mut Process, at, step| {
        let request = LeaseRequest { reuse: 10_000, ..one.request(at, 1) };
        one.hear(&ledger.renew(BEGIN + at + step, &request));
        ledger.account().clock.now
    };
    ask(&mut away, 0, 0);
    let mut before = 0;
    for second in 0..8 {
        before = ask(&mut here, second * 1_000, 0);
        // Newcomers cost time.
        ask(&mut process("newcomer", 100 + second), second * 1_000 + 400, 0);
    }
    let after = ask(&mut away, 7_900, 300_000);
    assert!(after <= before + 750, "{before} {after}");
}

#[test]
fn an_evicted_replica_that_lives_is_not_one_that_an_engine_had_lost() {
    let mut ledger = Ledger::default();
    let request = |replica: &str, seq: u64, applied: u32, epoch: u64, floors: u32| LeaseRequest {
        replica: replica.to_owned(),
        incarnation: 1,
        epoch,
        seq,
        sent: seq * 1_000,
        want: 100,
        held: applied,
        applied,
        floor_applied: if applied > 0 { 2 } else { 0 },
        weight: 1,
        floor: 2,
        ttl: 4_000,
        reuse: 0,
        floor_ttl: 600_000,
        linger: 1_000,
        refresh: 1_000,
        budget: 42,
        margin: 2,
        fenced: true,
        fencer: true,
        seen_members: 2,
        seen_floors: floors,
        engine: "one".to_owned(),
        leaving: false,
    };
    let mut known = [("a", 0, 0, 0), ("b", 0, 0, 0)];
    for seq in 1..20 {
        if seq == 12 {
            assert!(ledger.evict("a"));
        }
        for (replica, applied, epoch, floors) in &mut known {
            let reply = ledger
                .renew(1_000_000 + seq * 1_000, &request(replica, seq, *applied, *epoch, *floors));
            (*applied, *epoch, *floors) = (reply.grant, reply.epoch, reply.floors);
        }
    }
    assert_eq!(known[0].1 + known[1].1, 40);
}
