//! A fleet whose time the test drives.

use std::sync::Arc;

use floodway_fleet::{LeaseReply, LeaseRequest, LeaseStore, MemberStatus, Status};

/// A budget of 42 with a margin of 2, on a storage of its own.
///
/// The fleet's time follows what replicas prove by when they send, up to a quarter of a second more: so
/// moving that and the wall clock together makes time pass, whatever the engine's clock is.
pub(crate) struct Stage {
    pub(crate) store: Arc<dyn LeaseStore>,
    pub(crate) budget: String,
    now: u64,
    stepped: i64,
}

/// A replica that does as it is told: it uses and holds what it is granted, unless `held` is set.
pub(crate) struct Replica {
    pub(crate) request: LeaseRequest,
    /// Connections that are open, where that is not what the replica may use.
    pub(crate) held: Option<u32>,
}

impl Replica {
    pub(crate) fn new(name: &str) -> Self {
        let request = LeaseRequest {
            replica: name.to_owned(),
            incarnation: u64::MAX - 7,
            epoch: 0,
            seq: 0,
            sent: 0,
            want: 100,
            held: 0,
            applied: 0,
            floor_applied: 0,
            weight: 1,
            floor: 0,
            ttl: 4_000,
            reuse: 0,
            floor_ttl: 600_000,
            linger: 1_000,
            refresh: 1_000,
            budget: 42,
            margin: 2,
            fenced: false,
            fencer: false,
            seen_members: 0,
            seen_floors: 0,
            engine: String::new(),
            leaving: false,
        };
        Self { request, held: None }
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut LeaseRequest)) -> Self {
        change(&mut self.request);
        self
    }

    pub(crate) fn ask(&mut self, now: u64) -> LeaseRequest {
        self.request.seq += 1;
        self.request.sent = now;
        self.request.held = self.held.unwrap_or(self.request.applied);
        self.request.clone()
    }

    pub(crate) fn take(&mut self, reply: &LeaseReply) {
        assert_eq!(reply.seq, self.request.seq);
        self.request.epoch = reply.epoch;
        self.request.applied = reply.grant;
        self.request.floor_applied = reply.floor;
        (self.request.seen_members, self.request.seen_floors) = (reply.members, reply.floors);
    }
}

impl Stage {
    /// On an engine that has learned what there is.
    pub(crate) async fn warm(store: Arc<dyn LeaseStore>, budget: &str) -> Self {
        let mut stage = Self { store, budget: budget.to_owned(), now: 1_000_000, stepped: 0 };
        let mut first = Replica::new("first");
        stage.renew(&mut first).await;
        stage.pass(10_000);
        stage.renew(&mut first).await;
        let reply = stage.leave(&mut first).await;
        assert!(!reply.learning, "{budget}");
        stage
    }

    pub(crate) fn now(&self) -> u64 {
        self.now
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, millis: u64) {
        self.now += millis;
        self.shift();
    }

    /// Steps the wall clock and no other.
    pub(crate) fn step_wall_clock(&mut self, by: i64) {
        self.stepped += by;
        self.shift();
    }

    fn shift(&self) {
        self.store.shift_clock(self.now.cast_signed() + self.stepped);
    }

    pub(crate) async fn send(&self, request: LeaseRequest) -> LeaseReply {
        self.store.renew(&self.budget, request).await.expect("a renewal")
    }

    pub(crate) async fn renew(&self, replica: &mut Replica) -> LeaseReply {
        let reply = self.send(replica.ask(self.now)).await;
        replica.take(&reply);
        reply
    }

    /// Renews, and returns what was granted.
    pub(crate) async fn grant(&self, replica: &mut Replica) -> u32 {
        self.renew(replica).await.grant
    }

    pub(crate) async fn leave(&self, replica: &mut Replica) -> LeaseReply {
        (replica.request.leaving, replica.request.applied) = (true, 0);
        replica.request.floor_applied = 0;
        self.renew(replica).await
    }

    /// Renews all of them every second, so often.
    pub(crate) async fn rounds(&mut self, rounds: usize, replicas: &mut [&mut Replica]) {
        for _ in 0..rounds {
            self.pass(1_000);
            for replica in &mut *replicas {
                self.renew(replica).await;
                self.balanced().await;
            }
        }
    }

    pub(crate) async fn status(&self) -> Status {
        self.store.status(&self.budget).await.expect("a status").expect("a budget")
    }

    pub(crate) async fn replica(&self, name: &str) -> Option<MemberStatus> {
        self.status().await.replicas.into_iter().find(|one| one.replica == name)
    }

    /// What is left behind, in permits.
    pub(crate) async fn left(&self) -> Vec<u32> {
        self.status().await.remnants.into_iter().map(|one| one.permits).collect()
    }

    /// Makes sure that what counts is what is there, and not more than may be leased.
    pub(crate) async fn balanced(&self) {
        let status = self.status().await;
        let bound: u32 = status.replicas.iter().map(|one| one.bound).sum();
        let left: u32 = status.remnants.iter().map(|one| one.permits).sum();
        assert_eq!(status.outstanding, u64::from(bound + left), "{status:?}");
        assert!(bound + left <= status.budget - status.margin, "{status:?}");
    }
}
