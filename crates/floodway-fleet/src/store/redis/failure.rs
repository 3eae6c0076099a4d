//! What an error of Redis means.

use std::sync::Arc;

use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::store::StoreError;

/// Whether the connection is of no use any more, by `error`: it is broken, or leads to a server that will
/// not do what is asked while it is what it is, which after a failover another one does.
pub(super) fn ends_connection(error: &RedisError) -> bool {
    use ServerErrorKind::{MasterDown, ReadOnly};
    matches!(
        error.kind(),
        ErrorKind::Io | ErrorKind::Parse | ErrorKind::Server(MasterDown | ReadOnly)
    )
}

/// Whether a key holds something else than a script expects.
pub(super) fn is_foreign(error: &RedisError) -> bool {
    // Redis before 7 quotes what a call within a script failed with, and so does the client of what a
    // transaction did.
    matches!(error.code(), Some("FOREIGN" | "WRONGTYPE")) || error.to_string().contains("WRONGTYPE")
}

pub(super) fn store_error(engine: &str, error: RedisError) -> StoreError {
    use ServerErrorKind::{BusyLoading, ClusterDown, MasterDown, NoPerm, ReadOnly, TryAgain};
    let code = error.code().unwrap_or_default().to_owned();
    let (kind, engine, source) = (error.kind(), engine.to_owned(), Arc::new(error));
    match kind {
        ErrorKind::AuthenticationFailed | ErrorKind::Server(NoPerm) => {
            StoreError::Denied { engine, source }
        }
        _ if ["WRONGPASS", "NOAUTH", "NOPERM"].contains(&&*code) => {
            StoreError::Denied { engine, source }
        }
        ErrorKind::Io
        | ErrorKind::Server(BusyLoading | ClusterDown | MasterDown | ReadOnly | TryAgain) => {
            StoreError::Unreachable { engine, source }
        }
        _ if code == "BUSY" => StoreError::Unreachable { engine, source },
        _ => StoreError::Failed { engine, source },
    }
}
