//! Rows into PostgreSQL, a statement with many `VALUES` for each batch. Made to be copied.
//!
//! For columns whose type has no array, and for other databases. The statement is another one for
//! each number of rows, and its parameters are limited.

use floodway::{BatchSizing, Batcher, BuildError, OnBatchError, Registry};
use sqlx::{PgPool, QueryBuilder, Result};

use super::{MAX_CALLS, is_caused_by_row};
use crate::order::Order;

/// The protocol counts the parameters of a statement in 16 bits.
const MAX_PARAMETERS: u64 = 65_535;

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
        .max_weight(MAX_PARAMETERS, |_: &Order| Order::COLUMNS)
        .max_in_flight(in_flight)
        // A statement is all or nothing: a row that is refused takes the others with it, which are
        // therefore sent again without it.
        .on_batch_error(OnBatchError::Bisect { max_calls: MAX_CALLS, when: is_caused_by_row })
        .registry(registry)
        .build_atomic(move |orders| insert_all(pool.clone(), orders))
}

async fn insert_all(pool: PgPool, orders: Vec<Order>) -> Result<Vec<()>> {
    let rows = orders.len();
    let mut statement = QueryBuilder::new("INSERT INTO orders (id, customer, cents, note) ");
    statement.push_values(orders, |mut values, order| {
        values
            .push_bind(order.id)
            .push_bind(order.customer)
            .push_bind(order.cents)
            .push_bind(order.note);
    });
    // Not kept on the connection: each number of rows would push another statement out.
    statement.build().persistent(false).execute(&pool).await?;
    Ok(vec![(); rows])
}
