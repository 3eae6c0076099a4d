//! A connection that is replaced when it is of no use any more.

use std::{
    fmt,
    future::Future,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use redis::{AsyncConnectionConfig, Client, RedisResult, aio::MultiplexedConnection};
use tokio::{
    sync::Mutex,
    task::{JoinError, JoinHandle},
    time::timeout,
};

use super::failure::{ends_connection, store_error};
use crate::store::StoreError;

/// How long connecting may take, with encryption and password: some round trips.
const CONNECT: Duration = Duration::from_secs(1);
/// How long an answer may take that nobody waits for any more, before the connection counts as dead.
const ANSWER: Duration = Duration::from_secs(5);

/// The way to a server.
pub(super) struct Links {
    client: Client,
    /// Where the server is, without the password.
    engine: Arc<str>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    link: Option<Arc<Link>>,
    /// A task of its own: callers give up sooner than a distant server has answered all that connecting
    /// asks, and the next caller shall find what came of it.
    connecting: Option<JoinHandle<Result<Arc<Link>, StoreError>>>,
}

/// One connection.
pub(super) struct Link {
    pub(super) connection: MultiplexedConnection,
    /// Which run of the server this leads to.
    pub(super) run: String,
    /// Product and version.
    pub(super) product: String,
    asked: AtomicU64,
    answered: AtomicU64,
    /// The last call whose caller gave up. Answers come in order: while there are fewer of them, that
    /// call is not answered.
    given_up: AtomicU64,
    broken: AtomicBool,
}

impl Links {
    pub(super) fn new(client: Client, engine: String) -> Self {
        Self { client, engine: engine.into(), state: Mutex::default() }
    }

    pub(super) fn engine(&self) -> &str {
        &self.engine
    }

    /// The connection; a new one where there is none, or none that answers.
    pub(super) async fn link(&self) -> Result<Arc<Link>, StoreError> {
        let mut state = self.state.lock().await;
        if let Some(link) = state.link.take_if(|link| !link.is_sound()) {
            tracing::debug!(engine = %self.engine, run = link.run, "reconnecting");
        }
        if let Some(link) = &state.link {
            return Ok(link.clone());
        }
        let connecting = state
            .connecting
            .get_or_insert_with(|| tokio::spawn(connect(self.client.clone(), self.engine.clone())));
        let connected = connecting.await;
        state.connecting = None;
        let link = connected.map_err(|error| self.task_ended(error))??;
        Ok(state.link.insert(link).clone())
    }

    /// Does `call` on the connection.
    ///
    /// # Cancel safety
    ///
    /// The call goes on. If it is not answered when the next one comes, that one connects anew.
    pub(super) async fn call<T, F>(
        &self,
        call: impl FnOnce(Arc<Link>) -> F,
    ) -> Result<RedisResult<T>, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = RedisResult<T>> + Send + 'static,
    {
        let link = self.link().await?;
        let number = link.asked.fetch_add(1, Relaxed) + 1;
        let mut waiting = Waiting { link: link.clone(), number, answered: false };
        let doing = call(link.clone());
        let answer = tokio::spawn(async move {
            let answer = timeout(ANSWER, doing).await.unwrap_or_else(|_| Err(late().into()));
            if answer.as_ref().is_err_and(ends_connection) {
                link.broken.store(true, Relaxed);
            }
            link.answered.fetch_add(1, Relaxed);
            answer
        })
        .await;
        waiting.answered = true;
        answer.map_err(|error| self.task_ended(error))
    }

    pub(super) fn error(&self, error: redis::RedisError) -> StoreError {
        store_error(&self.engine, error)
    }

    /// The runtime ends, or the client library has panicked.
    fn task_ended(&self, error: JoinError) -> StoreError {
        StoreError::Failed { engine: self.engine.to_string(), source: Arc::new(error) }
    }
}

impl Link {
    fn is_sound(&self) -> bool {
        !self.broken.load(Relaxed) && self.given_up.load(Relaxed) <= self.answered.load(Relaxed)
    }
}

/// A caller who waits for an answer.
struct Waiting {
    link: Arc<Link>,
    number: u64,
    answered: bool,
}

/// Notes that the caller gave up before the answer came.
impl Drop for Waiting {
    fn drop(&mut self) {
        if !self.answered {
            self.link.given_up.fetch_max(self.number, Relaxed);
        }
    }
}

impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Links").field("engine", &self.engine).finish_non_exhaustive()
    }
}

async fn connect(client: Client, engine: Arc<str>) -> Result<Arc<Link>, StoreError> {
    let fail = |error| store_error(&engine, error);
    // Who calls has a time limit of its own.
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT))
        .set_response_timeout(None);
    let (connection, info) = timeout(CONNECT, async {
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        let info = redis::cmd("INFO").arg("server").query_async(&mut connection).await?;
        Ok::<(_, String), redis::RedisError>((connection, info))
    })
    .await
    .unwrap_or_else(|_| Err(late().into()))
    .map_err(fail)?;
    let version = field(&info, "redis_version").unwrap_or("0");
    let product = match field(&info, "valkey_version") {
        Some(version) => format!("Valkey {version}"),
        None => format!("Redis {version}"),
    };
    if !is_new_enough(version) {
        let engine = engine.to_string();
        return Err(StoreError::TooOld { engine, found: product, needed: "Redis 6.2" });
    }
    // What speaks the protocol without naming its runs still shows by a missing account that it has lost
    // everything.
    let run = field(&info, "run_id").unwrap_or("unnamed").to_owned();
    let (asked, answered, given_up) = Default::default();
    let broken = AtomicBool::new(false);
    Ok(Arc::new(Link { connection, run, product, asked, answered, given_up, broken }))
}

/// What `INFO` says of `name`.
pub(super) fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

fn is_new_enough(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0_u32));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= (6, 2)
}

fn late() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "no answer in time")
}
