//! What an error of PostgreSQL means.

use std::sync::Arc;

use crate::store::StoreError;

/// The SQLSTATE of `error`, if the server has said it.
pub(super) fn code(error: &sqlx::Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}

pub(super) fn store_error(engine: &str, error: sqlx::Error) -> StoreError {
    let code = code(&error);
    let on_the_way = matches!(
        error,
        sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
    );
    let (engine, source) = (engine.to_owned(), Arc::new(error));
    match code.as_deref() {
        // invalid_authorization_specification, invalid_password
        Some("28000" | "28P01") => StoreError::Denied { engine, source },
        // admin_shutdown, crash_shutdown, cannot_connect_now, too_many_connections, and a standby.
        Some("57P01" | "57P02" | "57P03" | "53300" | "25006") => {
            StoreError::Unreachable { engine, source }
        }
        // connection_exception
        Some(code) if code.starts_with("08") => StoreError::Unreachable { engine, source },
        _ if on_the_way => StoreError::Unreachable { engine, source },
        _ => StoreError::Failed { engine, source },
    }
}
