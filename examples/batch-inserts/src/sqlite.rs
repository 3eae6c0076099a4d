//! Rows into SQLite, a transaction for each batch. Made to be copied.
//!
//! What a row costs alone is the commit, which waits for the disk: a batch has one of them.

use std::path::Path;

use floodway::{BatchSizing, Batcher, BuildError, Registry};
use sqlx::{
    Executor, Result, Sqlite, SqlitePool,
    error::ErrorKind,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::order::Order;

/// A batcher of inserts through `pool`.
///
/// One batch at a time, because SQLite has one writer at a time. What comes in the meantime is the
/// next batch.
pub(crate) fn batcher(
    pool: SqlitePool,
    sizing: BatchSizing,
    registry: &Registry,
) -> Result<Batcher<Order, (), sqlx::Error>, BuildError> {
    Batcher::builder("orders")
        .sizing(sizing)
        .max_in_flight(1)
        .registry(registry)
        .build(move |orders| insert_all(pool.clone(), orders))
}

/// One result for each order. SQLite undoes a statement that breaks a rule of the table, and the
/// transaction goes on: so the other rows are stored in the same call.
async fn insert_all(pool: SqlitePool, orders: Vec<Order>) -> Result<Vec<Result<()>>> {
    // A transaction that only later turns out to write may find that another one does.
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    let mut results = Vec::with_capacity(orders.len());
    for order in &orders {
        let result = insert(&mut *transaction, order).await;
        match result {
            // The disk is full, the file is gone: nobody knows what is left of the transaction,
            // which is undone, and the error is everybody's.
            Err(error) if !is_caused_by_row(&error) => return Err(error),
            result => results.push(result),
        }
    }
    transaction.commit().await?;
    Ok(results)
}

/// Prepared once for each connection.
pub(crate) async fn insert(
    executor: impl Executor<'_, Database = Sqlite>,
    order: &Order,
) -> Result<()> {
    sqlx::query("INSERT INTO orders (id, customer, cents, note) VALUES ($1, $2, $3, $4)")
        .bind(order.id)
        .bind(order.customer)
        .bind(order.cents)
        .bind(&order.note)
        .execute(executor)
        .await?;
    Ok(())
}

/// Whether the row breaks a rule of the table.
pub(crate) fn is_caused_by_row(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.kind() != ErrorKind::Other)
}

/// A pool of one connection, whose commits are on the disk when they return.
pub(crate) async fn open(path: &Path) -> Result<SqlitePool> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    SqlitePoolOptions::new().max_connections(1).connect_with(options).await
}
