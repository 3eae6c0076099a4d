//! Budgets in PostgreSQL.

mod failure;
mod report;
mod schema;
mod sql;
mod step;

use std::{
    fmt, io,
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::Duration,
};

use floodway_control::fleet::{LeaseReply, LeaseRequest, Ledger, Remnant, Status};
use sqlx::{
    Row,
    postgres::{PgConnectOptions, PgPool, PgPoolOptions},
};
use tokio::{sync::OnceCell, time::timeout};

use self::{failure::store_error, sql::Rows, step::step};
use super::{EngineReport, LeaseStore, StoreError, StoreFuture, secret::without_secrets};

const EXPECTED: &str = "postgres://user:password@host:5432/database";

/// One for renewals, and one more for when that is broken.
const CONNECTIONS: u32 = 2;

/// How long a step may take, connecting included. Who waits for it gives up sooner.
const PATIENCE: Duration = Duration::from_secs(3);

/// Budgets in tables of PostgreSQL 12 or later: where there is no Redis, and where leases shall share the
/// fate of the database that they protect.
///
/// A renewal is one transaction of two round trips, which writes two rows: for fleets of up to some 500
/// replicas. [`RedisStore`](crate::RedisStore) carries many more, and a large fleet's renewals are better
/// kept away from the database whose connections they are to save.
///
/// The tables [`SCHEMA`](Self::SCHEMA) are created in the first schema of the search path if they are
/// missing, for which the role needs the right to create there. It works through poolers that give out a
/// connection per transaction: nothing is prepared and no setting outlives its transaction. Each process
/// has two connections at most, beside those that it leases.
///
/// What was committed must not be lost: unlike Redis, PostgreSQL is trusted to know all leases. Leave
/// `fsync` and `synchronous_commit` on, and see [`LeaseStore::check`] about standbys. Cloning gives the
/// same connections.
#[derive(Clone)]
pub struct PostgresStore(Arc<Inner>);

struct Inner {
    pool: PgPool,
    /// Where the server is, without the password.
    engine: String,
    prepared: OnceCell<()>,
    shift: AtomicI64,
}

impl PostgresStore {
    /// What creates the tables, for an operator where the role may not: it then needs `SELECT`, `INSERT`,
    /// `UPDATE` and `DELETE` on them.
    pub const SCHEMA: &str = schema::SCHEMA;

    /// Connects to the server at `url`, such as `postgres://user:password@host:5432/database`, and creates
    /// the tables if they are missing.
    ///
    /// # Errors
    ///
    /// If `url` is not one, the server is not reached or does not accept the password, or the tables are
    /// missing and cannot be created, or are others.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        Self::connect_lazy(url)?.prepared().await
    }

    /// As [`connect`](Self::connect), but at the first call: for services that start while the engine
    /// cannot be reached, and use their fallback until it can.
    ///
    /// # Errors
    ///
    /// If `url` is not one.
    pub fn connect_lazy(url: &str) -> Result<Self, StoreError> {
        // What is wrong with it may quote the password.
        let wrong = || StoreError::Url { url: without_secrets(url), expected: EXPECTED };
        if !["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
            // The client takes any scheme.
            return Err(wrong());
        }
        let options = PgConnectOptions::from_str(url).map_err(|_| wrong())?;
        let options = options.application_name("floodway-fleet").statement_cache_capacity(0);
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(PATIENCE)
            // That would be another round trip. A connection that fails is not used again.
            .test_before_acquire(false)
            .connect_lazy_with(options);
        Ok(Self::over(pool))
    }

    /// Uses `pool`, which should be one of its own: renewals must not wait for those who wait for leases.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub async fn with_pool(pool: PgPool) -> Result<Self, StoreError> {
        Self::over(pool).prepared().await
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
        let rows = Rows::Replica(request.replica.clone());
        let renewed =
            self.step(budget, true, rows, move |ledger, wall| (ledger.renew(wall, &request), wall));
        let missing = sqlx::Error::RowNotFound;
        renewed.await?.ok_or_else(|| store_error(&self.0.engine, missing))
    }

    fn over(pool: PgPool) -> Self {
        let options = pool.connect_options();
        let (host, port) = (options.get_host(), options.get_port());
        let engine = match options.get_socket() {
            Some(socket) => socket.display().to_string(),
            None => format!("{host}:{port}"),
        };
        let (prepared, shift) = (OnceCell::new(), AtomicI64::new(0));
        Self(Arc::new(Inner { pool, engine, prepared, shift }))
    }

    async fn prepared(self) -> Result<Self, StoreError> {
        self.run(async |_| Ok(())).await?;
        Ok(self)
    }

    /// Does `act` in a task of its own: a caller who gives up leaves neither a connection that is being
    /// opened nor one in the middle of a transaction.
    async fn run<T, F>(&self, act: impl FnOnce(Arc<Inner>) -> F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, sqlx::Error>> + Send + 'static,
    {
        let (inner, doing) = (self.0.clone(), act(self.0.clone()));
        let task = tokio::spawn(async move {
            let late = || {
                let late = io::Error::new(io::ErrorKind::TimedOut, "no answer in time");
                Err(store_error(&inner.engine, late.into()))
            };
            timeout(PATIENCE, async {
                let prepare = || schema::prepare(&inner.pool, &inner.engine);
                inner.prepared.get_or_try_init(prepare).await?;
                doing.await.map_err(|error| store_error(&inner.engine, error))
            })
            .await
            .unwrap_or_else(|_| late())
        });
        let engine = || self.0.engine.clone();
        task.await.unwrap_or_else(|error| {
            Err(StoreError::Failed { engine: engine(), source: Arc::new(error) })
        })
    }

    async fn step<T: Send + 'static>(
        &self,
        budget: &str,
        create: bool,
        rows: Rows,
        act: impl FnOnce(&mut Ledger, u64) -> T + Send + 'static,
    ) -> Result<Option<T>, StoreError> {
        let budget = budget.to_owned();
        self.run(|inner| async move {
            let shift = inner.shift.load(Relaxed);
            step(&inner.pool, &budget, create, rows, shift, act).await
        })
        .await
    }

    async fn look(&self, budget: &str) -> Result<Option<Ledger>, StoreError> {
        let budget = budget.to_owned();
        self.run(|inner| async move { step::look(&inner.pool, &budget).await }).await
    }
}

impl LeaseStore for PostgresStore {
    fn renew<'a>(&'a self, budget: &'a str, request: LeaseRequest) -> StoreFuture<'a, LeaseReply> {
        Box::pin(async move { Ok(self.renew_and_tell(budget, request).await?.0) })
    }

    fn unfenced<'a>(&'a self, budget: &'a str) -> StoreFuture<'a, Vec<Remnant>> {
        Box::pin(async move {
            let found = self.look(budget).await?;
            Ok(found.map(|ledger| ledger.unfenced().cloned().collect()).unwrap_or_default())
        })
    }

    fn fenced<'a>(&'a self, budget: &'a str, closed: Vec<Remnant>) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            let leases = closed.iter().map(|left| (left.replica.clone(), left.epoch));
            let rows = Rows::Leases(leases.collect());
            let done = self.step(budget, false, rows, move |ledger, _| ledger.fenced(&closed));
            done.await.map(Option::unwrap_or_default)
        })
    }

    fn status<'a>(&'a self, budget: &'a str) -> StoreFuture<'a, Option<Status>> {
        Box::pin(async move { Ok(self.look(budget).await?.as_ref().map(Ledger::status)) })
    }

    fn budgets(&self) -> StoreFuture<'_, Vec<String>> {
        Box::pin(self.run(|inner| async move {
            let sql = "SELECT budget FROM floodway_fleet_account ORDER BY budget";
            let rows = sqlx::raw_sql(sql).fetch_all(&inner.pool).await?;
            rows.iter().map(|row| row.try_get("budget")).collect()
        }))
    }

    fn set_budget<'a>(&'a self, budget: &'a str, set: Option<(u32, u32)>) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            let done = self.step(budget, true, Rows::None, move |ledger, _| ledger.set_budget(set));
            done.await.map(Option::unwrap_or_default)
        })
    }

    fn evict<'a>(&'a self, budget: &'a str, replica: &'a str) -> StoreFuture<'a, bool> {
        Box::pin(async move {
            let (rows, replica) = (Rows::Replica(replica.to_owned()), replica.to_owned());
            let done = self.step(budget, false, rows, move |ledger, _| ledger.evict(&replica));
            done.await.map(Option::unwrap_or_default)
        })
    }

    fn check(&self) -> StoreFuture<'_, EngineReport> {
        Box::pin(self.run(|inner| async move {
            report::report(&inner.pool, inner.shift.load(Relaxed)).await
        }))
    }

    fn shift_clock(&self, by: i64) {
        self.0.shift.store(by, Relaxed);
    }
}

/// Without the password.
impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("engine", &self.0.engine).finish_non_exhaustive()
    }
}
