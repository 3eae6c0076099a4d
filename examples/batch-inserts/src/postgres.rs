//! What both ways into PostgreSQL have in common.

pub(crate) mod unnest;
pub(crate) mod values;

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use sqlx::{
    ConnectOptions, Connection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::time::timeout;
use url::Url;

use crate::order::Order;

/// How many calls a batch makes at most to find its bad rows. One among 1,024 takes 21 of them.
/// Beyond it, good rows fail with bad ones: a flood of bad rows must not become a flood of calls.
pub(crate) const MAX_CALLS: u32 = 128;

/// Everything happens in this schema.
const SCHEMA: &str = "floodway_batch_inserts";

/// A server that is there answers sooner; one that is not should not hold up the error.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Whether a row is at fault: SQLSTATE classes 22, data exceptions, and 23, integrity constraint
/// violations. Whatever else goes wrong, sending halves of it makes it worse.
pub(crate) fn is_caused_by_row(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| code.starts_with("22") || code.starts_with("23"))
}

/// As a caller does it without a batcher.
pub(crate) async fn insert(pool: &PgPool, order: &Order) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO orders (id, customer, cents, note) VALUES ($1, $2, $3, $4)")
        .bind(order.id)
        .bind(order.customer)
        .bind(order.cents)
        .bind(&order.note)
        .execute(pool)
        .await?;
    Ok(())
}

/// A schema of our own, dropped by [`remove`], and a pool whose connections use it.
pub(crate) async fn open(url: &str, connections: u32) -> Result<PgPool> {
    check_scheme(url)?;
    let options: PgConnectOptions = url.parse().context("not a URL of PostgreSQL")?;
    let options = options.options([("search_path", SCHEMA)]);
    let prepare = async {
        // sqlx's errors say themselves what their sources say.
        let connection = options.connect().await;
        let mut connection = connection.map_err(|error| anyhow!("cannot connect: {error}"))?;
        sqlx::raw_sql(
            "DROP SCHEMA IF EXISTS floodway_batch_inserts CASCADE;
            CREATE SCHEMA floodway_batch_inserts",
        )
        .execute(&mut connection)
        .await?;
        Ok::<_, anyhow::Error>(connection.close().await?)
    };
    timeout(CONNECT_TIMEOUT, prepare)
        .await
        .map_err(|_| anyhow!("no answer within {CONNECT_TIMEOUT:?}"))??;
    let pool = PgPoolOptions::new()
        // All from the beginning, so that opening them is not measured.
        .min_connections(connections)
        .max_connections(connections)
        // A round trip for each insert, which would double what one costs. A connection that was
        // lost is an error for one caller or batch.
        .test_before_acquire(false)
        .connect_with(options)
        .await?;
    Ok(pool)
}

fn check_scheme(url: &str) -> Result<()> {
    const EXPECTED: &str = "expected postgres://user:password@host/database";
    let Ok(url) = Url::parse(url) else { bail!("not a URL, {EXPECTED}") };
    let scheme = url.scheme();
    ensure!(matches!(scheme, "postgres" | "postgresql"), "unknown scheme {scheme:?}, {EXPECTED}");
    Ok(())
}

/// Removes every trace.
pub(crate) async fn remove(pool: &PgPool) -> sqlx::Result<()> {
    sqlx::raw_sql("DROP SCHEMA floodway_batch_inserts CASCADE").execute(pool).await?;
    pool.close().await;
    Ok(())
}
