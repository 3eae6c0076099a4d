//! Runs the program, and replicas for it to look at.

use std::process::{Command, Output};

use floodway_fleet::{LeaseReply, LeaseRequest, LeaseStore, RedisStore};
use floodway_test_support::Redis;
use serde_json::Value;

/// What it said, and how it ended.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) code: i32,
    pub(super) out: String,
    pub(super) err: String,
}

impl Said {
    #[track_caller]
    pub(super) fn json(&self) -> Value {
        assert_eq!(self.out.lines().count(), 1, "{self:?}");
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    #[track_caller]
    pub(super) fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }
}

pub(super) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_floodway-fleet"));
    command.env_remove("FLOODWAY_FLEET_STORE").env_remove("FLOODWAY_FLEET_DATABASE");
    command
}

/// With the engine in the environment, as passwords should be.
pub(super) fn run(store: &str, arguments: &[&str]) -> Said {
    let mut command = program();
    command.env("FLOODWAY_FLEET_STORE", store).args(arguments);
    said(command)
}

pub(super) fn said(mut command: Command) -> Said {
    let Output { status, stdout, stderr } = command.output().expect("the program runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    let code = status.code().expect("it ends by itself");
    Said { code, out: text(stdout), err: text(stderr) }
}

pub(super) async fn connect(redis: &Redis) -> RedisStore {
    RedisStore::connect(&redis.url()).await.expect("a connection")
}

/// A replica that asks when it is told to, by a clock of its own.
pub(super) struct Asker {
    pub(super) request: LeaseRequest,
}

impl Asker {
    pub(super) fn new(replica: &str) -> Self {
        Self {
            request: LeaseRequest {
                replica: replica.to_owned(),
                incarnation: 7,
                epoch: 0,
                seq: 0,
                sent: 0,
                want: 10,
                held: 0,
                applied: 0,
                floor_applied: 0,
                weight: 1,
                floor: 1,
                ttl: 4_000,
                reuse: 0,
                floor_ttl: 600_000,
                linger: 1_000,
                refresh: 1_000,
                budget: 40,
                margin: 2,
                fenced: false,
                fencer: false,
                seen_members: 0,
                seen_floors: 0,
                engine: String::new(),
                leaving: false,
            },
        }
    }

    /// A new Redis knows nothing of leases given before, and learns for as long as one lasts. Asks until
    /// that is over and there is a grant; then once more, so that it is known to be in use.
    pub(super) async fn granted(&mut self, store: &impl LeaseStore) -> LeaseReply {
        for _ in 0..100 {
            let reply = self.ask(store).await;
            if !reply.learning && reply.grant > 0 {
                self.request.applied = reply.grant;
                self.request.held = reply.grant.min(self.request.want);
                self.request.floor_applied = reply.floor;
                return self.ask(store).await;
            }
            self.later(store, 500);
        }
        panic!("nothing was granted to {:?}", self.request.replica);
    }

    /// Its clock and that of the engine go on.
    pub(super) fn later(&mut self, store: &impl LeaseStore, millis: u64) {
        self.request.sent += millis;
        store.shift_clock(i64::try_from(self.request.sent).expect("not so long"));
    }

    pub(super) async fn ask(&mut self, store: &impl LeaseStore) -> LeaseReply {
        self.request.seq += 1;
        let reply = store.renew("orders-db", self.request.clone()).await.expect("an answer");
        self.request.epoch = reply.epoch;
        reply
    }
}
