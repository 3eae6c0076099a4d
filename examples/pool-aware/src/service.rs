//! The service on a limiter that knows its pool.

use axum::{
    Router,
    extract::{FromRef, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use floodway::{BuildError, ConnectionError, PoolLimiter, Queue, Registry, Weight};
use floodway_pool::SqlxPool;
use floodway_tower::{PoolLimitLayer, http};
use sqlx::{AnyConnection, AnyPool};
use tokio::time::Instant;

use crate::{
    connection::{Connection, Db},
    database::{PATIENCE, POOL_SIZE, Query},
};

/// How many wait at most. Four rounds of the pool keep it busy through bursts, and their turn comes
/// long before [`PATIENCE`] ends: who finds the queue full is told at once.
const QUEUE_CAPACITY: usize = 4 * POOL_SIZE as usize;

/// What all handlers share.
#[derive(Clone)]
struct Shared {
    db: Db,
    query: Query,
}

/// Lets [`Connection`] find the limiter.
impl FromRef<Shared> for Db {
    fn from_ref(shared: &Shared) -> Self {
        shared.db.clone()
    }
}

pub(crate) fn limiter(pool: AnyPool, registry: &Registry) -> Result<Db, BuildError> {
    PoolLimiter::builder("reports-db", SqlxPool::new(pool))
        .queue(Queue::fifo().capacity(QUEUE_CAPACITY).max_wait(PATIENCE))
        .registry(registry)
        .build()
}

/// `/report` takes one connection, by the extractor. `/audit` holds one and then takes another,
/// so it is inside a layer that claims both before it begins.
pub(crate) fn routes(db: Db, query: Query) -> Router {
    let two = PoolLimitLayer::new(db.clone())
        .weight(Weight::UpTo(2))
        .deadline_in(PATIENCE)
        .respond(http::no_connection);
    Router::new()
        .route("/audit", get(audit))
        .route_layer(two)
        .route("/report", get(report))
        .with_state(Shared { db, query })
}

async fn report(
    State(shared): State<Shared>,
    mut connection: Connection,
) -> Result<String, Response> {
    answer(&mut connection, shared.query).await
}

/// Compares two reports, the first of which must not end before the second has begun.
async fn audit(State(Shared { db, query }): State<Shared>) -> Result<String, Response> {
    let deadline = Instant::now() + PATIENCE;
    let refused = |error: ConnectionError<sqlx::Error>| http::no_connection(&error);
    let mut first = db.connection(deadline).await.map_err(refused)?;
    let one = answer(&mut first, query).await?;
    let mut second = db.connection(deadline).await.map_err(refused)?;
    let other = answer(&mut second, query).await?;
    Ok(format!("{one}{other}"))
}

/// What the handlers of both services do with a connection.
pub(crate) async fn answer(
    connection: &mut AnyConnection,
    query: Query,
) -> Result<String, Response> {
    match query.run(connection).await {
        Ok(number) => Ok(format!("{number}\n")),
        Err(error) => Err((StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response()),
    }
}
