//! Rows into PostgreSQL, a statement with arrays for each batch. Made to be copied.
//!
//! The statement is the same whatever the number of rows: parsed once for each connection, with one
//! parameter for each column. So this is the one to begin with.

use floodway::{BatchSizing, Batcher, BuildError, OnBatchError, Registry};
use sqlx::{PgPool, Result};

use super::{MAX_CALLS, is_caused_by_row};
use crate::order::Order;

/// A batcher of inserts through `pool`, with at most `in_flight` batches at once: not more than the
/// pool has connections, or batches wait where nobody sees it.
pub(crate) fn batcher(
    pool: PgPool,
    in_flight: usize,
    sizing: BatchSizing,
    registry: &Registry,
) -> Result<Batcher<Order, (), sqlx::Error>, BuildError> {
    Batcher::builder("orders")
        .sizing(sizing)
        .max_in_flight(in_flight)
        // A statement is all or nothing: a row that is refused takes the others with it, which are
        // therefore sent again without it.
        .on_batch_error(OnBatchError::Bisect { max_calls: MAX_CALLS, when: is_caused_by_row })
        .registry(registry)
        .build_atomic(move |orders| insert_all(pool.clone(), orders))
}

async fn insert_all(pool: PgPool, orders: Vec<Order>) -> Result<Vec<()>> {
    let rows = orders.len();
    let (mut ids, mut customers) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
    let (mut cents, mut notes) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
    for order in orders {
        ids.push(order.id);
        customers.push(order.customer);
        cents.push(order.cents);
        notes.push(order.note);
    }
    sqlx::query(
        "INSERT INTO orders (id, customer, cents, note)
        SELECT * FROM UNNEST($1::BIGINT[], $2::BIGINT[], $3::BIGINT[], $4::TEXT[])",
    )
    .bind(ids)
    .bind(customers)
    .bind(cents)
    .bind(notes)
    .execute(&pool)
    .await?;
    Ok(vec![(); rows])
}
