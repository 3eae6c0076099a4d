//! The number of a gRPC status, and what it says about load.

use ::http::{HeaderMap, Response, StatusCode};
use floodway::Outcome;

/// The number of a status, as in [`code.proto`].
///
/// [`code.proto`]: https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Code(pub(super) u16);

impl Code {
    pub(super) const UNKNOWN: Self = Self(2);
    const DEADLINE_EXCEEDED: Self = Self(4);
    pub(super) const PERMISSION_DENIED: Self = Self(7);
    pub(super) const RESOURCE_EXHAUSTED: Self = Self(8);
    const UNIMPLEMENTED: Self = Self(12);
    pub(super) const INTERNAL: Self = Self(13);
    pub(super) const UNAVAILABLE: Self = Self(14);
    const UNAUTHENTICATED: Self = Self(16);

    /// What `headers` or trailers say. A number that cannot be read is unknown, as it is to
    /// clients.
    pub(super) fn of_headers(headers: &HeaderMap) -> Option<Self> {
        let status = headers.get("grpc-status")?;
        let number = status.to_str().ok().and_then(|status| status.parse().ok());
        Some(number.map_or(Self::UNKNOWN, Self))
    }

    /// What the head of a response says, unless the status is still to come.
    pub(super) fn of_response<B>(response: &Response<B>) -> Option<Self> {
        Self::of_headers(response.headers()).or_else(|| Self::of_http(response.status()))
    }

    /// The mapping of <https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md>.
    fn of_http(status: StatusCode) -> Option<Self> {
        Some(match status.as_u16() {
            200 => return None,
            400 => Self::INTERNAL,
            401 => Self::UNAUTHENTICATED,
            403 => Self::PERMISSION_DENIED,
            404 => Self::UNIMPLEMENTED,
            429 | 502..=504 => Self::UNAVAILABLE,
            _ => Self::UNKNOWN,
        })
    }

    pub(super) const fn outcome(self) -> Outcome {
        match self {
            Self::DEADLINE_EXCEEDED | Self::RESOURCE_EXHAUSTED | Self::UNAVAILABLE => {
                Outcome::Overload
            }
            // OK and what is about the request: INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS,
            // PERMISSION_DENIED, FAILED_PRECONDITION, ABORTED, OUT_OF_RANGE, UNAUTHENTICATED.
            Self(0 | 3 | 5..=7 | 9..=11 | 16) => Outcome::Success,
            // CANCELLED, UNKNOWN, UNIMPLEMENTED, INTERNAL, DATA_LOSS, and what does not exist.
            Self(_) => Outcome::Ignore,
        }
    }
}
