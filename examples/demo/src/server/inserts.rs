//! Orders that are placed at the same time go into the database together.

use std::sync::Arc;

use floodway::{Batcher, BuildError};

use super::access::{Access, NoConnection};
use crate::orders::{self, Order};

/// Parameters that a statement may have: SQLite's limit, which is below PostgreSQL's.
const MAX_PARAMETERS: u64 = 32_766;

/// One statement for many orders.
pub(crate) type Inserts = Batcher<Order, (), InsertError>;

/// Why a statement did not store its orders.
#[derive(Debug)]
pub(crate) enum InsertError {
    NoConnection(NoConnection),
    Failed(sqlx::Error),
}

/// A batcher that takes connections as requests do, one for each batch: so it competes with them
/// under the same limit, and what it cannot have it is refused like them.
pub(crate) fn batcher(access: Arc<Access>) -> Result<Inserts, BuildError> {
    Batcher::builder("orders")
        .max_weight(MAX_PARAMETERS, |_: &Order| orders::COLUMNS)
        // A row cannot be at fault, because orders were validated and their ids are new: whatever
        // goes wrong concerns the whole statement.
        .build_atomic(move |orders: Vec<Order>| {
            let access = Arc::clone(&access);
            async move {
                let connection = access.connection().await;
                let mut connection = connection.map_err(InsertError::NoConnection)?;
                let stored = orders::insert_all(&mut connection, &orders).await;
                stored.map_err(InsertError::Failed)?;
                Ok(vec![(); orders.len()])
            }
        })
}
