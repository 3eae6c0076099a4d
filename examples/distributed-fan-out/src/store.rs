//! A job in Redis: what is scattered, who works on it, and what became of each item.

mod beat;
mod job;
mod keys;
mod outcomes;
mod read;
mod scatter;
mod status;

use std::collections::HashMap;

use anyhow::{Context, Result, anyhow};
use redis::{Cmd, FromRedisValue, Script, ScriptInvocation, aio::MultiplexedConnection};

use self::keys::Keys;
pub(crate) use self::{
    beat::Beat,
    job::Job,
    outcomes::{Failed, Outcomes},
    read::{Entry, Lane, Reader},
    status::{Proof, Status, WorkerStatus},
};

/// The group of consumers that all workers are in.
const GROUP: &str = "workers";

/// The job was removed, which its coordinator does when it is done.
#[derive(Debug, thiserror::Error)]
#[error("the job is gone")]
pub(crate) struct Gone;

/// One job. Cloning gives the same, through the same connection.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    connection: MultiplexedConnection,
    keys: Keys,
    job: Job,
}

impl Store {
    /// Begins the job of this name, or takes up the one that there is.
    pub(crate) async fn begin(
        connection: MultiplexedConnection,
        name: &str,
        job: &Job,
    ) -> Result<Self> {
        let keys = Keys::new(name);
        let script = Script::new(include_str!("store/begin.lua"));
        let mut invocation = script.prepare_invoke();
        invocation.key(&keys.job).key(&keys.stream).key(&keys.again).arg(job.fields());
        let fields: HashMap<String, String> = invoke(&connection, &invocation).await?;
        Self::of(connection, keys, name, &fields)
    }

    /// The job of this name, if there is one.
    pub(crate) async fn find(
        mut connection: MultiplexedConnection,
        name: &str,
    ) -> Result<Option<Self>> {
        let keys = Keys::new(name);
        let fields: HashMap<String, String> =
            Cmd::hgetall(&keys.job).query_async(&mut connection).await.map_err(failed)?;
        if fields.is_empty() {
            return Ok(None);
        }
        Self::of(connection, keys, name, &fields).map(Some)
    }

    fn of(
        connection: MultiplexedConnection,
        keys: Keys,
        name: &str,
        fields: &HashMap<String, String>,
    ) -> Result<Self> {
        let job = Job::parse(fields).with_context(|| format!("job {name}"))?;
        Ok(Self { connection, keys, job })
    }

    pub(crate) const fn job(&self) -> &Job {
        &self.job
    }

    /// The same job through another connection.
    pub(crate) fn through(&self, connection: MultiplexedConnection) -> Self {
        Self { connection, ..self.clone() }
    }

    /// Removes every trace of it.
    pub(crate) async fn remove(&self) -> Result<()> {
        let mut connection = self.connection.clone();
        let command = Cmd::unlink(&self.keys.all()[..]);
        command.exec_async(&mut connection).await.map_err(failed)
    }

    async fn invoke<T: FromRedisValue>(&self, invocation: &ScriptInvocation<'_>) -> Result<T> {
        invoke(&self.connection, invocation).await
    }
}

async fn invoke<T: FromRedisValue>(
    connection: &MultiplexedConnection,
    invocation: &ScriptInvocation<'_>,
) -> Result<T> {
    invocation.invoke_async(&mut connection.clone()).await.map_err(failed)
}

/// What a script gives for items that have no outcome yet.
fn left(answer: i64) -> Result<u64> {
    u64::try_from(answer).map_err(|_| Gone.into())
}

/// The library's errors say themselves what their sources say.
fn failed(error: redis::RedisError) -> anyhow::Error {
    anyhow!("Redis: {error}")
}
