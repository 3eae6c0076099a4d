//! Inserts into PostgreSQL, that wait for the disk.

use std::time::Duration;

use anyhow::Context;
use floodway_test_support::Postgres;
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::runtime::Runtime;

use super::{
    Plan, arms,
    downstream::{Downstream, failed},
    peers::{self, FIXED, MORE, OURS, UNBATCHED},
    runtime,
};
use crate::report::Report;

/// Of the pool that calls without a batcher are fastest with here, where the default is 10.
const CONNECTIONS: u32 = 32;

pub(super) fn measure(plan: Plan, report: &mut Report) -> anyhow::Result<()> {
    let runtime = runtime(2)?;
    let Some(database) = Database::start(&runtime)? else { return Ok(()) };
    let (alone, batches) = (database.alone(&database.pool), database.batches());
    let tuned = arms::unbatched(&runtime, &database.alone(&database.tuned));
    let downstreams = (&alone, &batches, vec![tuned]);
    let empty = || database.empty(&runtime);
    let trials = peers::race((plan, &runtime), report, "batch.postgres", downstreams, empty);
    let ratio = trials.ratio(OURS, UNBATCHED, |lap| lap.rate);
    report.higher("batch.postgres.rows_per_s.vs_unbatched", ratio, "ratio", Some(10.0));
    let ratio = trials.ratio(OURS, MORE, |lap| lap.rate);
    report.higher("batch.postgres.rows_per_s.vs_tuned_unbatched", ratio, "ratio", None);
    let ratio = trials.ratio(OURS, FIXED, |lap| lap.rate);
    report.higher("batch.postgres.rows_per_s.vs_best_fixed", ratio, "ratio", Some(0.95));
    let ratio = trials.ratio(OURS, FIXED, |lap| lap.p99);
    report.lower("batch.postgres.p99.vs_best_fixed", ratio, "ratio", Some(1.2));
    peers::report_peers(report, "postgres", &trials);
    Ok(())
}

/// A server of this part's own and a pool of connections to it.
pub(super) struct Database {
    /// As sqlx makes it.
    pool: PgPool,
    /// For calls without a batcher: more connections, and no question before each use.
    tuned: PgPool,
    _server: Postgres,
}

impl Database {
    /// `None`, after saying so, if PostgreSQL is not installed.
    pub(super) fn start(runtime: &Runtime) -> anyhow::Result<Option<Self>> {
        // As it comes, except that a commit waits for the disk again, which the server of tests
        // does without, and that nothing else works in the background.
        let settings = [
            ("fsync", "on"),
            ("autovacuum", "off"),
            ("checkpoint_timeout", "1h"),
            ("max_wal_size", "8GB"),
        ];
        let Some(server) = Postgres::start_with(&settings) else { return Ok(None) };
        let pools = runtime.block_on(async {
            let connect: PgConnectOptions = server.url().parse()?;
            let patience = Duration::from_secs(30);
            let pool = PgPoolOptions::new().acquire_timeout(patience);
            let tuned = pool.clone().max_connections(CONNECTIONS).test_before_acquire(false);
            let pool = pool.connect_with(connect.clone()).await?;
            let tuned = tuned.connect_with(connect).await?;
            let create = "CREATE TABLE orders (
                id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                customer bigint NOT NULL, amount bigint NOT NULL, note text NOT NULL)";
            sqlx::query(create).execute(&pool).await?;
            anyhow::Ok((pool, tuned))
        });
        let (pool, tuned) = pools.context("cannot use PostgreSQL")?;
        Ok(Some(Self { pool, tuned, _server: server }))
    }

    /// A row for a statement.
    fn alone(&self, pool: &PgPool) -> Downstream {
        let pool = pool.clone();
        Downstream::new(move |items| {
            let pool = pool.clone();
            async move {
                let insert = "INSERT INTO orders (customer, amount, note) VALUES ($1, $2, $3)";
                let (customer, amount, note) = row(items[0]);
                let query = sqlx::query(insert).bind(customer).bind(amount).bind(note);
                query.execute(&pool).await.map_err(failed)?;
                Ok(())
            }
        })
    }

    /// Arrays for a statement.
    pub(super) fn batches(&self) -> Downstream {
        let pool = self.pool.clone();
        Downstream::new(move |items| {
            let pool = pool.clone();
            async move {
                let insert = "INSERT INTO orders (customer, amount, note)
                    SELECT * FROM UNNEST($1::bigint[], $2::bigint[], $3::text[])";
                let mut customers = Vec::with_capacity(items.len());
                let mut amounts = Vec::with_capacity(items.len());
                let mut notes = Vec::with_capacity(items.len());
                for (customer, amount, note) in items.into_iter().map(row) {
                    customers.push(customer);
                    amounts.push(amount);
                    notes.push(note);
                }
                let query = sqlx::query(insert).bind(customers).bind(amounts).bind(notes);
                query.execute(&pool).await.map_err(failed)?;
                Ok(())
            }
        })
    }

    /// So that nobody works on a table that others have filled.
    pub(super) fn empty(&self, runtime: &Runtime) {
        let truncate = sqlx::query("TRUNCATE orders").execute(&self.pool);
        runtime.block_on(truncate).expect("the table can be emptied");
    }
}

fn row(item: u64) -> (i64, i64, String) {
    let customer = (item >> 32) as i64;
    (customer, item as u32 as i64, format!("order {item:016x} of a customer who is in no hurry"))
}
