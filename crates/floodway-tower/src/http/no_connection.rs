//! The HTTP response to a request for which there is no connection.

use ::http::{Response, StatusCode};
use floodway::ConnectionError;

use super::{Refused, json};
use crate::pool::Refusal;

/// `503 Service Unavailable` with what kept the request from a connection, for
/// [`PoolLimitLayer::respond`](crate::PoolLimitLayer::respond) and for handlers and extractors that
/// take connections themselves.
///
/// `Retry-After` is in whole seconds, rounded up. The body is JSON with the cause as the metric
/// `floodway_pool_rejections_total` has it, such as
/// `{"error":"no_connection","cause":"pool_held","retry_after_s":1.250}`; what the pool itself said
/// is not told to callers, and its cause is `pool_error`.
///
/// `500 Internal Server Error`, without `Retry-After`, where the operation would wait for itself:
/// that is a mistake in the service, and trying again does not help. Its cause is `nested`.
#[must_use]
pub fn no_connection<Body: From<String>, E>(error: &ConnectionError<E>) -> Response<Body> {
    let Refusal { cause, retry_after, untried } = Refusal::of(error);
    // Cause and number need no escaping.
    let retry = retry_after
        .map(|after| format!(r#","retry_after_s":{:.3}"#, after.as_secs_f64()))
        .unwrap_or_default();
    let body = format!(r#"{{"error":"no_connection","cause":"{cause}"{retry}}}"#);
    let status = if retry_after.is_some() {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::INTERNAL_SERVER_ERROR
    };
    let mut response = json(status, body, retry_after);
    if untried {
        response.extensions_mut().insert(Refused);
    }
    response
}
