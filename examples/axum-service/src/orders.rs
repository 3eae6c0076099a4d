//! Orders in SQLite: found one by one, stored together.

use std::{env, time::Duration};

use anyhow::Result;
use axum::extract::{Json, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use floodway::{Batcher, ConnectionError, PoolLimiter};
use floodway_pool::SqlxPool;
use floodway_tower::http;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};
use sqlx::{Connection, Sqlite, query, query_scalar};
use tokio::time::Instant;

/// How long a request waits for a connection.
const PATIENCE: Duration = Duration::from_millis(500);

type Pool = PoolLimiter<SqlxPool<Sqlite>>;

#[derive(serde::Deserialize)]
pub(crate) struct Order {
    id: i64,
    product: String,
}

#[derive(Clone)]
pub(crate) struct Orders {
    pool: Pool,
    inserts: Batcher<Order, (), anyhow::Error>,
}

pub(crate) async fn open() -> Result<Orders> {
    let options = SqliteConnectOptions::new()
        .filename(env::temp_dir().join("floodway-axum-service.sqlite"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal);
    let sqlite = SqlitePoolOptions::new().max_connections(4).connect_with(options).await?;
    let table = "CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, product TEXT NOT NULL)";
    query(table).execute(&sqlite).await?;
    let pool = PoolLimiter::builder("sqlite", SqlxPool::new(sqlite)).build()?;
    let batches = pool.clone();
    // One at a time, because SQLite has one writer. What comes meanwhile is the next batch.
    let inserts = Batcher::builder("orders")
        .max_in_flight(1)
        .build_atomic(move |orders| store(batches.clone(), orders))?;
    // Zero first: a counter that begins with its first event hides that event from rates.
    metrics::describe_counter!("orders_stored_total", "Orders that callers were told are stored.");
    metrics::counter!("orders_stored_total").increment(0);
    Ok(Orders { pool, inserts })
}

pub(crate) async fn create(
    State(orders): State<Orders>,
    Json(order): Json<Order>,
) -> Result<StatusCode, Response> {
    orders.inserts.call(order).await.map_err(|error| match error.error() {
        Some(error) => refuse(error),
        None => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into_response(),
    })?;
    metrics::counter!("orders_stored_total").increment(1);
    Ok(StatusCode::CREATED)
}

/// All of them or none.
async fn store(pool: Pool, orders: Vec<Order>) -> Result<Vec<()>> {
    let mut connection = pool.connection(Instant::now() + PATIENCE).await?;
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    for Order { id, product } in &orders {
        let insert = query("INSERT INTO orders VALUES ($1, $2) ON CONFLICT DO NOTHING");
        insert.bind(id).bind(product).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(vec![(); orders.len()])
}

pub(crate) async fn find(State(orders): State<Orders>, id: Path<i64>) -> Result<String, Response> {
    let connection = orders.pool.connection(Instant::now() + PATIENCE).await;
    let mut connection = connection.map_err(|error| refuse(&error.into()))?;
    let select = query_scalar("SELECT product FROM orders WHERE id = $1").bind(id.0);
    let found = select.fetch_optional(&mut **connection).await;
    let product: Option<String> = found.map_err(|error| refuse(&error.into()))?;
    product.ok_or_else(|| StatusCode::NOT_FOUND.into_response())
}

/// The cause for who had no connection in time; what else goes wrong is in the log alone.
fn refuse(error: &anyhow::Error) -> Response {
    if let Some(error) = error.downcast_ref::<ConnectionError<sqlx::Error>>() {
        return http::no_connection(error);
    }
    tracing::error!("{error:#}");
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}
