//! The routes and their handlers, written once for both services.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use axum::{
    Json, Router,
    extract::{
        Path, State,
        rejection::{JsonRejection, PathRejection},
    },
    http::StatusCode,
    routing::{get, post},
};
use floodway::fan_out::Name;
use futures::future::try_join_all;
use serde::Serialize;

use super::{
    access::{Access, Connection, NoConnection},
    answer::Refusal,
    checks::{check, validate, validate_all},
    inserts::{InsertError, Inserts},
};
use crate::orders::{self, NewOrder, Order, Summary};

/// Orders that one request may place.
const MAX_BULK: i64 = 1_000;

const POOL_TIMEOUTS: &str = "demo_pool_timeouts_total";

/// What all handlers share.
#[derive(Debug)]
pub(super) struct Service {
    access: Arc<Access>,
    /// `None` in the plain service, where each order is a statement of its own.
    inserts: Option<Inserts>,
    /// Of orders in bulk; `None` in the plain service, where they are checked one after the other.
    checks: Option<Name>,
    /// Ids are given out here, because databases spell self-numbering columns differently.
    last_order: AtomicI64,
}

#[derive(Debug, Serialize)]
struct Created {
    id: i64,
}

type Shared = State<Arc<Service>>;

pub(super) fn api(service: Arc<Service>) -> Router {
    Router::new()
        .route("/orders", post(create))
        .route("/orders/bulk", post(create_all))
        .route("/orders/{id}", get(find))
        .route("/customers/{id}/summary", get(summary))
        .with_state(service)
}

async fn create(
    State(service): Shared,
    order: Result<Json<NewOrder>, JsonRejection>,
) -> Result<(StatusCode, Json<Created>), Refusal> {
    let Json(order) = order?;
    validate(&order)?;
    Ok((StatusCode::CREATED, Json(service.place(order).await?)))
}

/// Orders of a marketplace, which collects them. Those that were stored stay if others fail.
async fn create_all(
    State(service): Shared,
    orders: Result<Json<Vec<NewOrder>>, JsonRejection>,
) -> Result<(StatusCode, Json<Vec<Created>>), Refusal> {
    let Json(orders) = orders?;
    check("orders", orders.len() as i64, 1..=MAX_BULK)?;
    let orders = service.check_all(orders).await?;
    let placed = orders.into_iter().map(|order| service.place(order));
    Ok((StatusCode::CREATED, Json(try_join_all(placed).await?)))
}

async fn find(
    State(service): Shared,
    id: Result<Path<i64>, PathRejection>,
) -> Result<Json<Order>, Refusal> {
    let Path(id) = id?;
    let mut connection = service.connection().await?;
    let order = orders::find(&mut connection, id).await?;
    order.map(Json).ok_or(Refusal::NotFound { what: "order", id })
}

async fn summary(
    State(service): Shared,
    id: Result<Path<i64>, PathRejection>,
) -> Result<Json<Summary>, Refusal> {
    let Path(id) = id?;
    let mut connection = service.connection().await?;
    let summary = orders::summary(&mut connection, id).await?;
    summary.map(Json).ok_or(Refusal::NotFound { what: "customer", id })
}

impl Service {
    pub(super) fn new(
        access: Arc<Access>,
        inserts: Option<Inserts>,
        checks: Option<Name>,
        last_order: i64,
    ) -> Arc<Self> {
        metrics::describe_counter!(
            POOL_TIMEOUTS,
            "Requests to which the pool gave no connection in time."
        );
        // Zero is a number too: a counter that appears with its first event hides that event from
        // rates.
        metrics::counter!(POOL_TIMEOUTS).increment(0);
        Arc::new(Self { access, inserts, checks, last_order: AtomicI64::new(last_order) })
    }

    async fn check_all(&self, orders: Vec<NewOrder>) -> Result<Vec<NewOrder>, Refusal> {
        let Some(checks) = &self.checks else {
            orders.iter().try_for_each(validate)?;
            return Ok(orders);
        };
        validate_all(orders, checks).await
    }

    async fn place(&self, order: NewOrder) -> Result<Created, Refusal> {
        let id = self.last_order.fetch_add(1, Ordering::Relaxed) + 1;
        self.insert(Order { id, order }).await?;
        Ok(Created { id })
    }

    async fn insert(&self, order: Order) -> Result<(), Refusal> {
        let Some(inserts) = &self.inserts else {
            let mut connection = self.connection().await?;
            return Ok(orders::insert(&mut connection, order.id, &order.order).await?);
        };
        inserts.call(order).await.map_err(|error| match error.error() {
            Some(InsertError::NoConnection(error)) => no_connection(error),
            Some(InsertError::Failed(error)) => error.into(),
            None => Refusal::Failed(error.to_string()),
        })
    }

    async fn connection(&self) -> Result<Connection, Refusal> {
        self.access.connection().await.map_err(|error| no_connection(&error))
    }
}

fn no_connection(error: &NoConnection) -> Refusal {
    match error {
        NoConnection::Rejected(rejected) => Refusal::Rejected(*rejected),
        NoConnection::Timeout => {
            // The application's own metrics stand on the same page as Floodway's.
            metrics::counter!(POOL_TIMEOUTS).increment(1);
            Refusal::PoolTimeout
        }
        NoConnection::Failed(error) => error.into(),
    }
}
