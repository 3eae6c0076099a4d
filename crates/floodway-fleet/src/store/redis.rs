//! Budgets in Redis.

mod failure;
mod keys;
mod link;
mod pack;
mod record;
mod report;
mod script;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use floodway_control::fleet::{LeaseReply, LeaseRequest, Remnant, Status};
use redis::{Client, FromRedisValue, RedisError, RedisResult};

use self::{
    failure::is_foreign,
    keys::Keys,
    link::Links,
    script::{Run, reply_of},
};
use super::{EngineReport, LeaseStore, StoreError, StoreFuture, secret::without_secrets};

const EXPECTED: &str = "redis://:password@host:6379/0, redis+unix:///socket, or rediss:// with the \
                        feature `tls`";

/// What a hash holds for each replica or place.
type Records = Vec<(String, Vec<u8>)>;

/// Budgets in Redis 6.2 or later, or in what speaks its protocol and runs its scripts, such as Valkey.
///
/// A renewal is one call of one script, which takes some 45 µs of the server's time however many replicas
/// there are, so one server carries ten thousand of them. All of them share one connection per process.
/// A budget takes half a kilobyte of the server's memory for each replica.
///
/// What Redis forgets, for it restarted without its data or failed over to a replica that lagged behind,
/// it learns again from the replicas: nothing new is granted for some seconds, and what they have stays
/// theirs. A memory limit with eviction is what it must not have: see [`LeaseStore::check`].
///
/// Of a Redis Cluster, only the node that has a budget's slot serves it. Cloning gives the same
/// connection.
#[derive(Clone)]
pub struct RedisStore(Arc<Inner>);

struct Inner {
    links: Links,
    shift: AtomicI64,
}

impl RedisStore {
    /// Connects to the server at `url`, such as `redis://:password@host:6379/0`; `redis+unix:///socket`
    /// for a Unix socket, whose password and database are `?pass=` and `?db=`; `rediss://` for TLS, with
    /// the feature `tls`.
    ///
    /// # Errors
    ///
    /// If `url` is not one, or the server is not reached, does not accept the password or is too old.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        let store = Self::connect_lazy(url)?;
        store.0.links.link().await?;
        Ok(store)
    }

    /// As [`connect`](Self::connect), but at the first call: for services that start while the engine
    /// cannot be reached, and use their fallback until it can.
    ///
    /// # Errors
    ///
    /// If `url` is not one.
    pub fn connect_lazy(url: &str) -> Result<Self, StoreError> {
        // What is wrong with it may quote the password.
        let wrong = |_| StoreError::Url { url: without_secrets(url), expected: EXPECTED };
        #[cfg(feature = "tls")]
        super::tls::provide_cryptography();
        let client = Client::open(url).map_err(wrong)?;
        let engine = client.get_connection_info().addr().to_string();
        let links = Links::new(client, engine);
        Ok(Self(Arc::new(Inner { links, shift: AtomicI64::new(0) })))
    }

    /// As [`renew`](LeaseStore::renew), with what the wall clock showed then. For tests.
    ///
    /// # Errors
    ///
    /// As there.
    #[doc(hidden)]
    pub async fn renew_and_tell(
        &self,
        budget: &str,
        request: LeaseRequest,
    ) -> Result<(LeaseReply, u64), StoreError> {
        let shift = self.0.shift.load(Ordering::Relaxed);
        let run = Run::of(&script::RENEW, budget);
        let seq = request.seq;
        let answered = self.0.links.call(|link| async move {
            let run = run.arg(shift).request(&request, &link.run);
            run.answer::<Vec<i64>>(&link).await
        });
        let fields = self.checked(budget, answered.await?).await?;
        reply_of(&fields).filter(|(reply, _)| reply.seq == seq).ok_or_else(|| self.unexpected())
    }

    async fn run<T>(&self, budget: &str, run: Run) -> Result<T, StoreError>
    where
        T: FromRedisValue + Send + 'static,
    {
        let answered =
            self.0.links.call(|link| async move { run.answer::<T>(&link).await }).await?;
        self.checked(budget, answered).await
    }

    /// What an answer about `budget` means.
    async fn checked<T>(&self, budget: &str, answer: RedisResult<T>) -> Result<T, StoreError> {
        match answer {
            Ok(answer) => Ok(answer),
            Err(error) if is_foreign(&error) => {
                self.examine(budget).await?;
                Err(self.0.links.error(error))
            }
            Err(error) => Err(self.0.links.error(error)),
        }
    }

    /// Fails if a key of `budget` holds something else.
    async fn examine(&self, budget: &str) -> Result<(), StoreError> {
        let keys = Keys::of(budget);
        let asked = keys.clone();
        let found = self.0.links.call(|link| async move {
            let mut pipeline = redis::pipe();
            for key in asked.all() {
                pipeline.cmd("TYPE").arg(key);
            }
            pipeline.query_async::<Vec<String>>(&mut link.connection.clone()).await
        });
        let kinds = found.await?.map_err(|error| self.0.links.error(error))?;
        for (key, kind) in keys.all().into_iter().zip(kinds) {
            let expected = if key == keys.due { "zset" } else { "hash" };
            if kind != "none" && kind != expected {
                return Err(StoreError::Foreign {
                    place: key.to_owned(),
                    found: format!("a {kind}"),
                });
            }
            if key == keys.account && kind != "none" {
                self.examine_account(key).await?;
            }
        }
        Ok(())
    }

    async fn examine_account(&self, key: &str) -> Result<(), StoreError> {
        let asked = key.to_owned();
        let found = self.0.links.call(|link| async move {
            let mut command = redis::cmd("HGET");
            command.arg(asked).arg("version");
            command.query_async::<Option<String>>(&mut link.connection.clone()).await
        });
        let version = found.await?.map_err(|error| self.0.links.error(error))?;
        let found = match version.as_deref() {
            Some(script::VERSION) => return Ok(()),
            Some(version) => format!("a budget in layout {version:?} of another Floodway"),
            None => "a hash of something else".to_owned(),
        };
        Err(StoreError::Foreign { place: key.to_owned(), found })
    }

    async fn find_budgets(&self) -> Result<Vec<String>, StoreError> {
        let found = self.0.links.call(|link| async move {
            let mut budgets = Vec::new();
            let mut cursor = 0_u64;
            loop {
                let mut scan = redis::cmd("SCAN");
                scan.arg(cursor).arg("MATCH").arg(Keys::PATTERN);
                scan.arg("COUNT").arg(1000).arg("TYPE").arg("hash");
                let (next, keys): (u64, Vec<String>) =
                    scan.query_async(&mut link.connection.clone()).await?;
                budgets.extend(keys.iter().filter_map(|key| Keys::budget(key)).map(str::to_owned));
                cursor = next;
                if cursor == 0 {
                    break;
                }
            }
            // A scan may show a key twice.
            budgets.sort();
            budgets.dedup();
            Ok::<_, RedisError>(budgets)
        });
        found.await?.map_err(|error| self.0.links.error(error))
    }

    async fn find_unfenced(&self, budget: &str) -> Result<Vec<Remnant>, StoreError> {
        let place = Keys::of(budget).remnants;
        let found = self.0.links.call(|link| async move {
            let mut command = redis::cmd("HGETALL");
            command.arg(place);
            command.query_async::<Records>(&mut link.connection.clone()).await
        });
        let found = self.checked(budget, found.await?).await?;
        let mut remnants = self.remnants(&found)?;
        remnants.retain(|remnant| remnant.due.is_none());
        Ok(remnants)
    }

    async fn find_status(&self, budget: &str) -> Result<Option<Status>, StoreError> {
        type Found = (Option<Vec<u8>>, Records, Vec<(String, u64)>, Records);
        let keys = Keys::of(budget);
        let found = self.0.links.call(|link| async move {
            let mut pipeline = redis::pipe();
            pipeline.atomic();
            pipeline.cmd("HGET").arg(&keys.account).arg("state");
            for key in [&keys.members, &keys.declared, &keys.remnants] {
                pipeline.cmd("HGETALL").arg(key);
            }
            pipeline.query_async::<Found>(&mut link.connection.clone()).await
        });
        let (state, members, declared, remnants) = self.checked(budget, found.await?).await?;
        self.examine(budget).await?;
        let Some(state) = state else { return Ok(None) };
        let (mut status, now) = record::account(&state).ok_or_else(|| self.unexpected())?;
        let members =
            members.into_iter().map(|(replica, text)| record::member(replica, &text, now));
        status.replicas = members.collect::<Option<_>>().ok_or_else(|| self.unexpected())?;
        status.replicas.sort_by(|one, other| one.replica.cmp(&other.replica));
        let kinds = declared.into_iter().map(|(kind, count)| record::declared(&kind, count));
        let mut kinds: Vec<_> = kinds.collect::<Option<_>>().ok_or_else(|| self.unexpected())?;
        kinds.sort_unstable();
        let declared = kinds.into_iter();
        status.declared =
            declared.map(|((_, budget, margin), count)| (budget, margin, count)).collect();
        let remnants = self.remnants(&remnants)?.into_iter().filter(|one| one.permits > 0);
        status.remnants = remnants.map(|one| record::remnant_status(one, now)).collect();
        Ok(Some(status))
    }

    /// In ascending order.
    fn remnants(&self, found: &[(String, Vec<u8>)]) -> Result<Vec<Remnant>, StoreError> {
        let remnants = found.iter().map(|(place, text)| record::remnant(place, text));
        let mut remnants: Vec<_> =
            remnants.collect::<Option<_>>().ok_or_else(|| self.unexpected())?;
        remnants.sort_unstable();
        Ok(remnants)
    }

    /// The server says what none of our scripts says or writes.
    fn unexpected(&self) -> StoreError {
        let kind = redis::ErrorKind::UnexpectedReturnType;
        self.0.links.error((kind, "what the budget's keys hold cannot be read").into())
    }
}

impl LeaseStore for RedisStore {
    fn renew<'a>(&'a self, budget: &'a str, request: LeaseRequest) -> StoreFuture<'a, LeaseReply> {
        Box::pin(async move { Ok(self.renew_and_tell(budget, request).await?.0) })
    }

    fn unfenced<'a>(&'a self, budget: &'a str) -> StoreFuture<'a, Vec<Remnant>> {
        Box::pin(self.find_unfenced(budget))
    }

    fn fenced<'a>(&'a self, budget: &'a str, closed: Vec<Remnant>) -> StoreFuture<'a, ()> {
        let run = Run::of(&script::FENCED, budget);
        let run = closed.iter().fold(run, |run, left| {
            let run = run.arg(&left.replica).arg(left.epoch).arg(left.seq);
            run.arg(left.permits).arg(left.keep)
        });
        Box::pin(self.run(budget, run))
    }

    fn status<'a>(&'a self, budget: &'a str) -> StoreFuture<'a, Option<Status>> {
        Box::pin(self.find_status(budget))
    }

    fn budgets(&self) -> StoreFuture<'_, Vec<String>> {
        Box::pin(self.find_budgets())
    }

    fn set_budget<'a>(&'a self, budget: &'a str, set: Option<(u32, u32)>) -> StoreFuture<'a, ()> {
        let run = Run::of(&script::SET_BUDGET, budget);
        let run = set.iter().fold(run, |run, (budget, margin)| run.arg(*budget).arg(*margin));
        Box::pin(self.run(budget, run))
    }

    fn evict<'a>(&'a self, budget: &'a str, replica: &'a str) -> StoreFuture<'a, bool> {
        let run = Run::of(&script::EVICT, budget).arg(replica);
        Box::pin(self.run(budget, run))
    }

    fn check(&self) -> StoreFuture<'_, EngineReport> {
        Box::pin(report::report(&self.0.links, &self.0.shift))
    }

    fn shift_clock(&self, by: i64) {
        self.0.shift.store(by, Ordering::Relaxed);
    }
}

/// Without the password.
impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").field("engine", &self.0.links.engine()).finish_non_exhaustive()
    }
}
