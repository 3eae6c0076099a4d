//! Rejections as gRPC responses.

use std::time::Duration;

use ::http::{HeaderValue, Response, header::CONTENT_TYPE};
use floodway::{ConnectionError, Rejected};

use super::code::Code;
use crate::pool::Refusal;

/// `RESOURCE_EXHAUSTED`: the limit belongs to the caller (its quota, its share).
///
/// `Trailers-Only`: `200` without a body, the status in the headers. `grpc-retry-pushback-ms` says
/// when to come back, in whole milliseconds, rounded up; clients with a [retry policy][A6] for the
/// code obey it. `Body::default()` must be an empty body, as it is for those of tonic, axum and
/// `http-body-util`.
///
/// [A6]: https://github.com/grpc/proposal/blob/master/A6-client-retries.md#pushback
#[must_use]
pub fn resource_exhausted<Body: Default>(rejected: &Rejected) -> Response<Body> {
    refuse(Code::RESOURCE_EXHAUSTED, rejected)
}

/// `UNAVAILABLE`: the limit belongs to the service, whoever calls. Otherwise as
/// [`resource_exhausted`]; more clients try again after it.
#[must_use]
pub fn unavailable<Body: Default>(rejected: &Rejected) -> Response<Body> {
    refuse(Code::UNAVAILABLE, rejected)
}

/// `UNAVAILABLE` with what kept the request from a connection, for
/// [`PoolLimitLayer::respond`](crate::PoolLimitLayer::respond) and for handlers that take
/// connections themselves; otherwise as [`resource_exhausted`].
///
/// `INTERNAL`, without a pushback, where the operation would wait for itself: that is a mistake in
/// the service, and trying again does not help.
#[must_use]
pub fn no_connection<Body: Default, E>(error: &ConnectionError<E>) -> Response<Body> {
    let Refusal { cause, retry_after, .. } = Refusal::of(error);
    let code = if retry_after.is_some() { Code::UNAVAILABLE } else { Code::INTERNAL };
    respond(code, &format!("no connection: {cause}"), retry_after)
}

fn refuse<Body: Default>(code: Code, rejected: &Rejected) -> Response<Body> {
    let message = format!("rejected: {}", rejected.reason.as_str());
    respond(code, &message, Some(rejected.retry_after))
}

fn respond<Body: Default>(
    code: Code,
    message: &str,
    retry_after: Option<Duration>,
) -> Response<Body> {
    let mut response = Response::new(Body::default());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-status", code.0.into());
    if let Some(retry_after) = retry_after {
        let millis = retry_after.as_nanos().div_ceil(1_000_000);
        let millis = u64::try_from(millis).unwrap_or(u64::MAX);
        headers.insert("grpc-retry-pushback-ms", millis.into());
    }
    // Reasons and causes are names in lower case, so nothing needs the percent-encoding of
    // messages.
    if let Ok(message) = HeaderValue::from_str(message) {
        headers.insert("grpc-message", message);
    }
    response
}
