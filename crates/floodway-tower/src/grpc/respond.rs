//! Rejections as gRPC responses.

use ::http::{HeaderValue, Response, header::CONTENT_TYPE};
use floodway::Rejected;

use super::code::Code;

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
    respond(Code::RESOURCE_EXHAUSTED, rejected)
}

/// `UNAVAILABLE`: the limit belongs to the service, whoever calls. Otherwise as
/// [`resource_exhausted`]; more clients try again after it.
#[must_use]
pub fn unavailable<Body: Default>(rejected: &Rejected) -> Response<Body> {
    respond(Code::UNAVAILABLE, rejected)
}

fn respond<Body: Default>(code: Code, rejected: &Rejected) -> Response<Body> {
    let retry_after = rejected.retry_after;
    let millis = retry_after.as_nanos().div_ceil(1_000_000);
    let millis = u64::try_from(millis).unwrap_or(u64::MAX);
    let mut response = Response::new(Body::default());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-status", code.0.into());
    headers.insert("grpc-retry-pushback-ms", millis.into());
    // The reason is a name in lower case, so nothing needs the percent-encoding of messages.
    if let Ok(message) = HeaderValue::try_from(format!("rejected: {}", rejected.reason.as_str())) {
        headers.insert("grpc-message", message);
    }
    response
}
