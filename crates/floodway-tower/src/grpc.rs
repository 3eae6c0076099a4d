//! Rejections as gRPC statuses, and outcomes by gRPC status.
//!
//! Under tonic's server, where the status of a stream comes after its body:
//!
//! ```
//! use floodway::Limiter;
//! use floodway_tower::{LimiterLayer, grpc};
//! use tonic::{body::Body, transport::Server};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let limiter = Limiter::builder("grpc").limit(16).build()?;
//! let layer = LimiterLayer::new(limiter)
//!     .classify(grpc::GrpcStatus::default())
//!     .respond(grpc::resource_exhausted::<Body>)
//!     .until_body_end();
//! # let (_, service) = tonic_health::server::health_reporter();
//! let server = Server::builder().layer(layer).add_service(service);
//! # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! # let address = listener.local_addr()?;
//! # tokio::spawn(server.serve_with_incoming(
//! #     tonic::transport::server::TcpIncoming::from(listener),
//! # ));
//! #
//! # let channel = tonic::transport::Endpoint::try_from(format!("http://{address}"))?;
//! # let channel = channel.connect().await?;
//! # let mut client = tonic_health::pb::health_client::HealthClient::new(channel);
//! # let request = tonic_health::pb::HealthCheckRequest::default();
//! # client.check(request).await?;
//! # Ok(())
//! # }
//! ```
//!
//! To limit one service of several, `named_layer` of tonic's `LayerExt` keeps the name by which
//! tonic routes to it: `add_service(layer.named_layer(service))`.
//!
//! In front of a client: a channel is a service, and a limited channel is one.
//!
//! ```
//! use floodway::Limiter;
//! use floodway_tower::{LimiterLayer, grpc};
//! use tonic::{body::Body, transport::Channel};
//! use tonic_health::pb::health_client::HealthClient;
//! use tower::Layer;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let limiter = Limiter::builder("health").limit(16).build()?;
//! let layer = LimiterLayer::new(limiter)
//!     .classify(grpc::GrpcStatus::default())
//!     .respond(grpc::resource_exhausted::<Body>)
//!     .until_body_end();
//! let channel = Channel::from_static("http://[::1]:50051").connect_lazy();
//! let client = HealthClient::new(layer.layer(channel));
//! # let _ = client;
//! # Ok(())
//! # }
//! ```

mod code;
mod respond;
mod timeout;

use ::http::Response;
use floodway::Outcome;
use http_body::Body;

use self::code::Code;
pub use self::{
    respond::{no_connection, resource_exhausted, unavailable},
    timeout::acquire,
};
use crate::{
    Classifier,
    http::{AtEnd, BodyClassifier, BodyEnd},
};

/// Tells outcomes by gRPC status, in line with what [`HttpStatus`](crate::http::HttpStatus) says
/// of the [equivalent HTTP status][codes].
///
/// | outcome | codes |
/// |---|---|
/// | overload | `DEADLINE_EXCEEDED`, `RESOURCE_EXHAUSTED`, `UNAVAILABLE` |
/// | ignored, says nothing about load | `CANCELLED`, `UNKNOWN`, `UNIMPLEMENTED`, `INTERNAL`, `DATA_LOSS`, codes that do not exist |
/// | success, a valid answer | `OK` and the others, which are about the request |
///
/// `ABORTED` is a success: two transactions met, which a service that has time to spare answers
/// as well, and the call did its work. Where aborts come from contention that a lower limit would
/// relieve, use a closure.
///
/// The status is in the headers if there is nothing else (`Trailers-Only`) and in the trailers
/// after the body otherwise. So only [`until_body_end`](crate::LimiterLayer::until_body_end) sees
/// it always; at the response, a call whose status is still to come counts as a success. A body
/// that fails is overload, like an error in place of a response; one that ends without a status is
/// ignored. An answer that is not `200` comes from a proxy and is read as [gRPC clients do][http].
///
/// [codes]: https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto
/// [http]: https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct GrpcStatus;

impl GrpcStatus {
    /// The outcome of a call that ended with the status of this number, for closures that
    /// classify other types of response.
    #[must_use]
    pub fn outcome(self, code: u16) -> Outcome {
        Code(code).outcome()
    }
}

impl<B, Error> Classifier<Response<B>, Error> for GrpcStatus {
    fn classify(&self, result: &Result<Response<B>, Error>) -> Outcome {
        match result {
            Ok(response) => Code::of_response(response).map_or(Outcome::Success, Code::outcome),
            Err(_) => Outcome::Overload,
        }
    }
}

impl<B: Body, Error> BodyClassifier<B, Error> for GrpcStatus {
    type AtEnd = Trailers;

    fn at_end(&self, result: &Result<Response<B>, Error>) -> Trailers {
        Trailers { code: result.as_ref().ok().and_then(Code::of_response) }
    }
}

/// The status of the headers, or else that of the trailers. Made by [`GrpcStatus`].
#[derive(Clone, Copy, Debug)]
pub struct Trailers {
    /// What the headers said.
    code: Option<Code>,
}

impl<Error> AtEnd<Error> for Trailers {
    fn classify(&self, end: BodyEnd<'_, Error>) -> Outcome {
        let trailers = match end {
            BodyEnd::Complete { trailers } => trailers,
            BodyEnd::Failed(_) => return Outcome::Overload,
        };
        let code = self.code.or_else(|| trailers.and_then(Code::of_headers));
        code.map_or(Outcome::Ignore, Code::outcome)
    }
}
