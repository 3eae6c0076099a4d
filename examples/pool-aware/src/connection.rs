//! An extractor that hands a handler a connection that is ready for use. Made to be copied.

use std::ops::{Deref, DerefMut};

use axum::{
    extract::{FromRef, FromRequestParts},
    http::request::Parts,
    response::Response,
};
use floodway::{PoolLimiter, Pooled};
use floodway_pool::SqlxPool;
use floodway_tower::http;
use sqlx::{Any, AnyConnection};
use tokio::time::Instant;

use crate::database::PATIENCE;

/// The pool of the service, behind its limiter. Name the database here, as in `SqlxPool<Postgres>`.
pub(crate) type Db = PoolLimiter<SqlxPool<Any>>;

/// A connection, until the handler is done with it.
///
/// Who cannot have one in time is answered by `503 Service Unavailable`, with `Retry-After` and the
/// cause, before the handler runs.
pub(crate) struct Connection(Pooled<SqlxPool<Any>>);

impl<S> FromRequestParts<S> for Connection
where
    Db: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Response;

    async fn from_request_parts(_: &mut Parts, state: &S) -> Result<Self, Response> {
        let connection = Db::from_ref(state).connection(Instant::now() + PATIENCE).await;
        connection.map(Self).map_err(|error| http::no_connection(&error))
    }
}

impl Deref for Connection {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        &self.0
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.0
    }
}
