//! Why connections were not closed.

use std::time::Duration;

/// Connections of another role, or of a superuser, are not ours to close.
const INSUFFICIENT_PRIVILEGE: &str = "42501";
/// The server, the database or the role has no connection left.
const TOO_MANY_CONNECTIONS: &str = "53300";

/// Why a fence has not closed what a lease has left behind. It counts until another attempt succeeds.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FenceError {
    /// It is not a URL of PostgreSQL. What it is might contain a password.
    #[error(
        "url: does not name a PostgreSQL server, expected postgres://user:password@host:5432/database"
    )]
    Url,
    /// The server was not reached, or does not let us in.
    #[error("the server at {server} cannot be reached")]
    Unreachable {
        /// Where.
        server: String,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// There is no connection left for the fence.
    #[error(
        "the server at {server} has no connection left for the fence: raise the margin of the budget, or \
         give the fence a role of its own that is a member of pg_signal_backend"
    )]
    Full {
        /// Where.
        server: String,
        /// What it said.
        #[source]
        source: sqlx::Error,
    },
    /// The server cannot do it.
    #[error("the server is PostgreSQL {major}, the fence needs 14 or later")]
    TooOld {
        /// What it is.
        major: u32,
    },
    /// The connections belong to another role.
    #[error(
        "role {role:?} may not close the connections: connect the fence as the role of the replicas, or \
         GRANT pg_signal_backend TO {role:?}; those of a superuser only a superuser may close"
    )]
    Denied {
        /// As whom the fence is connected.
        role: String,
        /// What the server said.
        #[source]
        source: sqlx::Error,
    },
    /// The server has not closed them in time, or others came as fast.
    #[error("connections named {application_name:?} were still open {after:?} later")]
    Stuck {
        /// Which.
        application_name: String,
        /// Since the first look.
        after: Duration,
    },
    /// The server failed.
    #[error("the server failed")]
    Failed(#[source] sqlx::Error),
}

impl FenceError {
    pub(super) fn connecting(server: String, source: sqlx::Error) -> Self {
        if says(&source, TOO_MANY_CONNECTIONS) {
            Self::Full { server, source }
        } else {
            Self::Unreachable { server, source }
        }
    }

    /// What the server says to `role` is about what `role` may do.
    pub(super) fn of_role(self, role: &str) -> Self {
        match self {
            Self::Failed(source) if says(&source, INSUFFICIENT_PRIVILEGE) => {
                Self::Denied { role: role.to_owned(), source }
            }
            other => other,
        }
    }
}

fn says(error: &sqlx::Error, code: &str) -> bool {
    error.as_database_error().and_then(|error| error.code()).is_some_and(|found| found == code)
}
