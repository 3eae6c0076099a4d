//! The engine: answers one request after another, and is away at times.

use floodway_control::fleet::{LeaseReply, LeaseRequest, Ledger, Remnant};

/// How long one request keeps it busy, in microseconds: a script of Redis that does this takes about so
/// long.
const BUSY: u64 = 50;

#[derive(Debug)]
pub(super) struct Engine {
    ledger: Ledger,
    run: u64,
    pub(super) away: bool,
    free_at: u64,
    pub(super) renewals: u64,
}

impl Engine {
    pub(super) fn new() -> Self {
        Self { ledger: Ledger::default(), run: 1, away: false, free_at: 0, renewals: 0 }
    }

    /// It comes back, with what it knew or with nothing.
    pub(super) fn begin(&mut self, keeps: bool) {
        self.away = false;
        if !keeps {
            self.run += 1;
            self.ledger = Ledger::default();
        }
    }

    /// Answers at `now`, in microseconds; gives the time at which the answer leaves.
    pub(super) fn renew(&mut self, now: u64, mut request: LeaseRequest) -> (u64, LeaseReply) {
        self.free_at = self.free_at.max(now) + BUSY;
        request.engine = format!("run {}", self.run);
        self.renewals += 1;
        let wall = 1_700_000_000_000 + self.free_at / 1_000;
        (self.free_at, self.ledger.renew(wall, &request))
    }

    /// What replicas keep whose bursts have lapsed.
    pub(super) fn reserved(&self) -> u64 {
        if self.away { 0 } else { self.ledger.account().lapsed_floors }
    }

    pub(super) fn unfenced(&self) -> Vec<Remnant> {
        self.ledger.unfenced().cloned().collect()
    }

    pub(super) fn fenced(&mut self, closed: &[Remnant]) {
        self.ledger.fenced(closed);
    }
}
