//! The scripts, and how they are called.

use std::sync::LazyLock;

use floodway_control::fleet::{LeaseReply, LeaseRequest};
use redis::{FromRedisValue, RedisResult, Script, ToRedisArgs};

use super::{keys::Keys, link::Link, pack::pack};

/// The layout of the keys.
pub(super) const VERSION: &str = "1";

macro_rules! script {
    ($file:literal) => {
        LazyLock::new(|| Script::new(concat!(include_str!("ledger.lua"), include_str!($file))))
    };
}

pub(super) static RENEW: LazyLock<Script> = script!("renew.lua");
pub(super) static FENCED: LazyLock<Script> = script!("fenced.lua");
pub(super) static SET_BUDGET: LazyLock<Script> = script!("set_budget.lua");
pub(super) static EVICT: LazyLock<Script> = script!("evict.lua");

/// A call of a script.
pub(super) struct Run(redis::ScriptInvocation<'static>);

impl Run {
    /// Of `script`, about `budget`.
    pub(super) fn of(script: &'static Script, budget: &str) -> Self {
        let mut invocation = script.prepare_invoke();
        for key in Keys::of(budget).all() {
            invocation.key(key);
        }
        Self(invocation)
    }

    pub(super) fn arg(mut self, arg: impl ToRedisArgs) -> Self {
        self.0.arg(arg);
        self
    }

    /// What `renew.lua` wants to know of `request`, which comes to the engine's `run`.
    pub(super) fn request(self, request: &LeaseRequest, run: &str) -> Self {
        let r = request;
        let engine = if r.engine.is_empty() { run } else { &r.engine };
        let numbers = [
            r.epoch,
            r.seq,
            r.sent,
            r.want.into(),
            r.held.into(),
            r.applied.into(),
            r.floor_applied.into(),
            r.weight.into(),
            r.floor.into(),
            r.ttl,
            r.reuse,
            r.floor_ttl,
            r.linger,
            r.refresh,
            r.budget.into(),
            r.margin.into(),
            r.fenced.into(),
            r.fencer.into(),
            r.seen_members.into(),
            r.seen_floors.into(),
            r.leaving.into(),
        ];
        self.arg(&*r.replica).arg(r.incarnation).arg(engine).arg(pack(&numbers))
    }

    /// Calls it: by its name, and by its text only where the server does not know it.
    pub(super) async fn answer<T: FromRedisValue>(&self, link: &Link) -> RedisResult<T> {
        self.0.invoke_async(&mut link.connection.clone()).await
    }
}

/// What `renew.lua` answers, and what the wall clock showed.
pub(super) fn reply_of(fields: &[i64]) -> Option<(LeaseReply, u64)> {
    let mut fields = fields.iter().map(|field| u64::try_from(*field).ok());
    let mut next = || fields.next().flatten();
    let small = |field: Option<u64>| field.and_then(|field| u32::try_from(field).ok());
    let reply = LeaseReply {
        seq: next()?,
        epoch: next()?,
        grant: small(next())?,
        floor: small(next())?,
        ttl: next()?,
        floor_ttl: next()?,
        refresh: next()?,
        budget: small(next())?,
        margin: small(next())?,
        outstanding: small(next())?,
        unfenced: small(next())?,
        members: small(next())?,
        floors: small(next())?,
        hungry: small(next())?,
        learning: next()? == 1,
        disagree: next()? == 1,
        floors_exceed: next()? == 1,
        superseded: next()? == 1,
        sweep: next()? == 1,
    };
    Some((reply, next()?))
}
