//! Rejections as HTTP responses, outcomes by HTTP status, and permits that last as long as a body.
//!
//! In an axum router, whose error type stays [`Infallible`](std::convert::Infallible):
//!
//! ```
//! # use axum::{body::Body, http::Request};
//! use axum::{Router, routing::get};
//! use floodway::Limiter;
//! use floodway_tower::{LimiterLayer, http};
//! # use tower::ServiceExt;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let limiter = Limiter::builder("api").limit(16).build()?;
//! let layer = LimiterLayer::new(limiter)
//!     .classify(http::HttpStatus::default())
//!     .respond(http::too_many_requests);
//! let app: Router = Router::new().route("/", get(async || "hello")).layer(layer);
//! # let response = app.oneshot(Request::get("/").body(Body::empty())?).await?;
//! # assert_eq!(response.status(), 200);
//! # Ok(())
//! # }
//! ```
//!
//! In front of a reqwest client, on responses of its own type:
//!
//! ```
//! use floodway::{Limiter, Outcome};
//! use floodway_tower::{LimiterLayer, http::HttpStatus};
//! use tower::{Service, ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! # let app = axum::Router::new().route("/", axum::routing::get(async || "hello"));
//! # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! # let url = format!("http://{}/", listener.local_addr()?).parse()?;
//! # tokio::spawn(async { axum::serve(listener, app).await });
//! let limiter = Limiter::builder("upstream").limit(16).build()?;
//! let mut client = ServiceBuilder::new()
//!     .layer(LimiterLayer::new(limiter).classify(
//!         |result: &reqwest::Result<reqwest::Response>| match result {
//!             Ok(response) => HttpStatus::default().outcome(response.status()),
//!             Err(_) => Outcome::Overload,
//!         },
//!     ))
//!     .service(reqwest::Client::new());
//!
//! let request = reqwest::Request::new(reqwest::Method::GET, url);
//! let response = client.ready().await?.call(request).await?;
//! assert_eq!(response.text().await?, "hello");
//! # Ok(())
//! # }
//! ```

mod body;
mod end;
mod no_connection;

use std::time::Duration;

use ::http::{
    HeaderValue, Response, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
};
use floodway::{Outcome, Rejected};

pub use self::{
    body::{AtBodyEnd, ResponseBody},
    end::{AtEnd, BodyClassifier, BodyEnd, Said},
    no_connection::no_connection,
};
use crate::Classifier;

/// Tells outcomes by status: `408`, which is what timeout layers answer, `429`, `503` and `504` are
/// overload; other server errors and `499` (the client hung up) say nothing about load; everything
/// else is a success. An error in place of a response is overload.
///
/// A response that another limiter of this process made of a rejection says nothing about load
/// either: nothing was tried.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct HttpStatus;

impl HttpStatus {
    /// The outcome of a call that was answered with `status`, for closures that classify other
    /// types of response.
    #[must_use]
    pub fn outcome(self, status: StatusCode) -> Outcome {
        match status {
            StatusCode::REQUEST_TIMEOUT
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => Outcome::Overload,
            status if status.is_server_error() || status.as_u16() == 499 => Outcome::Ignore,
            _ => Outcome::Success,
        }
    }
}

impl<Body, Error> Classifier<Response<Body>, Error> for HttpStatus {
    fn classify(&self, result: &Result<Response<Body>, Error>) -> Outcome {
        match result {
            Ok(response) if response.extensions().get::<Refused>().is_some() => Outcome::Ignore,
            Ok(response) => self.outcome(response.status()),
            Err(_) => Outcome::Overload,
        }
    }
}

/// Marks the responses that rejections were turned into.
#[derive(Clone, Copy, Debug)]
struct Refused;

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

/// The reason as JSON.
fn respond<Body: From<String>>(status: StatusCode, rejected: &Rejected) -> Response<Body> {
    // Reason and number need no escaping.
    let body = format!(
        r#"{{"error":"rejected","reason":"{}","retry_after_s":{:.3}}}"#,
        rejected.reason.as_str(),
        rejected.retry_after.as_secs_f64(),
    );
    let mut response = json(status, body, Some(rejected.retry_after));
    response.extensions_mut().insert(Refused);
    response
}

/// A response with `Retry-After` in whole seconds, rounded up.
fn json<Body: From<String>>(
    status: StatusCode,
    body: String,
    retry_after: Option<Duration>,
) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if let Some(retry_after) = retry_after {
        let whole_seconds = retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0);
        headers.insert(RETRY_AFTER, whole_seconds.max(1).into());
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
