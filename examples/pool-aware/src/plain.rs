//! The same service on the bare pool, as one would write it without Floodway.

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
    routing::get,
};
use sqlx::{Any, AnyPool, pool::PoolConnection};

use crate::{database::Query, service::answer};

#[derive(Clone)]
struct Shared {
    pool: AnyPool,
    query: Query,
}

pub(crate) fn routes(pool: AnyPool, query: Query) -> Router {
    Router::new()
        .route("/audit", get(audit))
        .route("/report", get(report))
        .with_state(Shared { pool, query })
}

async fn report(State(shared): State<Shared>) -> Result<String, Response> {
    let mut connection = connection(&shared.pool).await?;
    answer(&mut connection, shared.query).await
}

async fn audit(State(Shared { pool, query }): State<Shared>) -> Result<String, Response> {
    let mut first = connection(&pool).await?;
    let one = answer(&mut first, query).await?;
    let mut second = connection(&pool).await?;
    let other = answer(&mut second, query).await?;
    Ok(format!("{one}{other}"))
}

async fn connection(pool: &AnyPool) -> Result<PoolConnection<Any>, Response> {
    pool.acquire().await.map_err(|error| match error {
        sqlx::Error::PoolTimedOut => {
            let body = r#"{"error":"no_connection","cause":"pool_timeout"}"#;
            (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "1")], body).into_response()
        }
        error => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    })
}
