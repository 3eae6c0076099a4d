//! How a request comes by a connection: the only difference between the handlers of the two
//! services.

use std::{
    ops::{Deref, DerefMut},
    time::Duration,
};

use floodway::{ConnectionError, PoolLimiter, Pooled, Rejected};
use floodway_pool::SqlxPool;
use sqlx::{Any, AnyConnection, AnyPool, pool::PoolConnection};
use tokio::time::Instant;

use crate::database::ACQUIRE_TIMEOUT;

/// As long as the bare pool would let a request wait.
const DEADLINE: Duration = ACQUIRE_TIMEOUT;

#[derive(Debug)]
pub(crate) enum Access {
    Plain(AnyPool),
    Protected(PoolLimiter<SqlxPool<Any>>),
}

/// A connection, until it is dropped.
pub(crate) enum Connection {
    Plain(PoolConnection<Any>),
    Protected(Pooled<SqlxPool<Any>>),
}

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum NoConnection {
    /// Floodway refused before the pool was asked.
    Rejected(Rejected),
    /// The pool let the request down.
    Timeout,
    Failed(sqlx::Error),
}

impl Access {
    pub(crate) async fn connection(&self) -> Result<Connection, NoConnection> {
        match self {
            Self::Plain(pool) => Ok(Connection::Plain(pool.acquire().await?)),
            Self::Protected(limiter) => {
                let connection = limiter.connection(Instant::now() + DEADLINE).await?;
                Ok(Connection::Protected(connection))
            }
        }
    }
}

impl From<sqlx::Error> for NoConnection {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::PoolTimedOut => Self::Timeout,
            error => Self::Failed(error),
        }
    }
}

impl From<ConnectionError<sqlx::Error>> for NoConnection {
    fn from(error: ConnectionError<sqlx::Error>) -> Self {
        match error {
            ConnectionError::Rejected(refused) => Self::Rejected(refused.rejected),
            ConnectionError::Pool(error) => error.into(),
            // `Deadline`, and what may come: admitted, and the pool did not deliver in time. That
            // is what a pool timeout is, whoever looks at the clock.
            _ => Self::Timeout,
        }
    }
}

impl Deref for Connection {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        match self {
            Self::Plain(connection) => connection,
            Self::Protected(connection) => connection,
        }
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        match self {
            Self::Plain(connection) => connection,
            Self::Protected(connection) => connection,
        }
    }
}
