//! Rejections as HTTP responses, and outcomes by HTTP status.
//!
//! ```
//! use floodway::Limiter;
//! use floodway_tower::{LimiterLayer, http};
//!
//! # fn main() -> Result<(), floodway::BuildError> {
//! let limiter = Limiter::builder("api").limit(16).build()?;
//! let layer = LimiterLayer::new(limiter)
//!     .classify(http::HttpStatus::default())
//!     .respond(http::too_many_requests);
//! let app: axum::Router = axum::Router::new()
//!     .route("/", axum::routing::get(async || "hello"))
//!     .layer(layer);
//! # Ok(())
//! # }
//! ```

use ::http::{
    HeaderValue, Response, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
};
use floodway::{Outcome, Rejected};

use crate::Classifier;

/// Tells outcomes by status: `429`, `503` and `504` are overload, other server errors say nothing
/// about load, everything else is a success. An error in place of a response is overload.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct HttpStatus;

impl<Body, Error> Classifier<Response<Body>, Error> for HttpStatus {
    fn classify(&self, result: &Result<Response<Body>, Error>) -> Outcome {
        match result.as_ref().map(Response::status) {
            Err(_)
            | Ok(
                StatusCode::TOO_MANY_REQUESTS
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT,
            ) => Outcome::Overload,
            Ok(status) if status.is_server_error() => Outcome::Ignore,
            Ok(_) => Outcome::Success,
        }
    }
}

/// `429 Too Many Requests`: the limit belongs to the caller (its quota, its share).
#[must_use]
pub fn too_many_requests<Body: From<String>>(rejected: &Rejected) -> Response<Body> {
    respond(StatusCode::TOO_MANY_REQUESTS, rejected)
}

/// `503 Service Unavailable`: the limit belongs to the service, whoever calls.
#[must_use]
pub fn service_unavailable<Body: From<String>>(rejected: &Rejected) -> Response<Body> {
    respond(StatusCode::SERVICE_UNAVAILABLE, rejected)
}

/// A response with `Retry-After` in whole seconds, rounded up, and the reason as JSON.
fn respond<Body: From<String>>(status: StatusCode, rejected: &Rejected) -> Response<Body> {
    let retry_after = rejected.retry_after;
    let whole_seconds = retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0);
    // Reason and number need no escaping.
    let body = format!(
        r#"{{"error":"rejected","reason":"{}","retry_after_s":{:.3}}}"#,
        rejected.reason.as_str(),
        retry_after.as_secs_f64(),
    );
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(RETRY_AFTER, whole_seconds.max(1).into());
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
