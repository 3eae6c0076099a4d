//! The limiter in front of a tonic server and of a tonic client, over a real connection.

use std::sync::Arc;

use axum::http::{Request, Response};
use bytes::Bytes;
use floodway::Queue;
use floodway_tower::{
    LimiterLayer,
    grpc::{self, GrpcStatus},
};
use futures::{StreamExt, future::join, stream, stream::BoxStream};
use tokio::{net::TcpListener, sync::Semaphore};
use tonic::{
    Code, Status,
    body::Body,
    service::{LayerExt, Routes},
    transport::{Channel, Endpoint, Server, server::TcpIncoming},
};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse,
    health_client::HealthClient,
    health_server::{Health, HealthServer},
};
use tower::{Layer, Service, layer::util::Identity};

use crate::support::Bench;

/// Answers with the code that the request names, at once or at the end of a stream. `check` and
/// `watch` wait for a gate; who comes first opens the other side's.
#[derive(Clone)]
struct Probe {
    entered: Arc<Semaphore>,
    gate: Arc<Semaphore>,
}

impl Probe {
    /// With an open gate.
    fn open() -> Self {
        let gate = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS));
        Self { entered: Arc::new(Semaphore::new(0)), gate }
    }

    /// With a gate that lets nobody through.
    fn closed() -> Self {
        Self { gate: Arc::new(Semaphore::new(0)), ..Self::open() }
    }

    /// Waits until a request has reached the service.
    async fn entered(&self) {
        self.entered.acquire().await.expect("never closed").forget();
    }

    async fn pass(&self) {
        self.entered.add_permits(1);
        self.gate.acquire().await.expect("never closed").forget();
    }
}

fn status_of(request: tonic::Request<HealthCheckRequest>) -> Result<(), Status> {
    match Code::from(request.into_inner().service.parse::<i32>().expect("a code")) {
        Code::Ok => Ok(()),
        code => Err(Status::new(code, "as asked")),
    }
}

#[tonic::async_trait]
impl Health for Probe {
    async fn check(
        &self,
        request: tonic::Request<HealthCheckRequest>,
    ) -> Result<tonic::Response<HealthCheckResponse>, Status> {
        self.pass().await;
        status_of(request)?;
        Ok(tonic::Response::new(HealthCheckResponse::default()))
    }

    type WatchStream = BoxStream<'static, Result<HealthCheckResponse, Status>>;

    /// One message, then the gate, then the end.
    async fn watch(
        &self,
        request: tonic::Request<HealthCheckRequest>,
    ) -> Result<tonic::Response<Self::WatchStream>, Status> {
        let (probe, end) = (self.clone(), status_of(request));
        let last = stream::once(async move {
            probe.pass().await;
            end.map(|()| HealthCheckResponse::default())
        });
        let first = stream::iter([Ok(HealthCheckResponse::default())]);
        Ok(tonic::Response::new(first.chain(last).boxed()))
    }
}

fn request(code: Code) -> HealthCheckRequest {
    HealthCheckRequest { service: i32::from(code).to_string() }
}

/// Serves `routes` under `layer` and connects to it.
async fn serve<L, B>(layer: L, routes: Routes) -> Channel
where
    L: Layer<Routes> + Clone + Send + 'static,
    L::Service: Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
    <L::Service as Service<Request<Body>>>::Future: Send,
    <L::Service as Service<Request<Body>>>::Error: Into<tower::BoxError> + Send,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<tower::BoxError>,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let server = Server::builder().layer(layer).add_routes(routes);
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
    let endpoint = Endpoint::try_from(format!("http://{address}")).expect("a URL");
    endpoint.connect().await.expect("connects")
}

macro_rules! layer {
    ($bench:expr) => {
        LimiterLayer::new($bench.limiter.clone())
            .classify(GrpcStatus::default())
            .respond(grpc::resource_exhausted::<Body>)
            .until_body_end()
    };
}

/// Asks for each code, as the answer and at the end of a stream: 1 + 2 successes, 1 + 1 times
/// overload, 1 + 1 ignored.
async fn ask_for_every_outcome<S, B>(mut client: HealthClient<S>)
where
    S: Service<Request<Body>, Response = Response<B>> + Clone,
    S: tonic::client::GrpcService<Body, ResponseBody = B>,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<tower::BoxError> + Send,
{
    for code in [Code::Ok, Code::NotFound, Code::ResourceExhausted, Code::Internal] {
        let answer = client.check(request(code)).await.map(drop);
        assert_eq!(answer.map_or_else(|status| status.code(), |()| Code::Ok), code);
    }
    for code in [Code::Ok, Code::Unavailable, Code::Unknown] {
        let mut stream = client.watch(request(code)).await.unwrap().into_inner();
        assert!(stream.message().await.unwrap().is_some());
        let mut end = stream.message().await;
        while let Ok(Some(_)) = end {
            end = stream.message().await;
        }
        assert_eq!(end.map_or_else(|status| status.code(), |_| Code::Ok), code);
    }
}

#[tokio::test]
async fn a_server_sees_the_status_of_calls_and_of_streams() {
    let bench = Bench::new(|b| b.limit(1));
    let routes = Routes::new(HealthServer::new(Probe::open()));
    let channel = serve(layer!(bench), routes).await;
    ask_for_every_outcome(HealthClient::new(channel)).await;
    bench.check_completed([3, 2, 2]);
}

#[tokio::test]
async fn a_client_sees_the_status_of_calls_and_of_streams() {
    let bench = Bench::new(|b| b.limit(1));
    let routes = Routes::new(HealthServer::new(Probe::open()));
    let channel = serve(Identity::new(), routes).await;
    ask_for_every_outcome(HealthClient::new(layer!(bench).layer(channel))).await;
    bench.check_completed([3, 2, 2]);
}

/// grpc/grpc-rust#1616 and #2189: a limit per connection made the connection not ready, so the
/// shedding layer outside of it was never asked and requests queued.
#[tokio::test]
async fn a_second_call_on_the_same_connection_is_refused_with_a_status() {
    let bench = Bench::new(|b| b.limit(1).queue(Queue::none()));
    let probe = Probe::closed();
    let routes = Routes::new(HealthServer::new(probe.clone()));
    let mut client = HealthClient::new(serve(layer!(bench), routes).await);
    let mut other = client.clone();
    let refused = async {
        probe.entered().await;
        let refused = other.check(request(Code::Ok)).await.unwrap_err();
        probe.gate.add_permits(1);
        refused
    };
    let (served, refused) = join(client.check(request(Code::Ok)), refused).await;
    served.unwrap();
    assert_eq!(
        (refused.code(), refused.message()),
        (Code::ResourceExhausted, "rejected: no_permit")
    );
    let pushback = refused.metadata().get("grpc-retry-pushback-ms").unwrap().to_str().unwrap();
    assert!((1_000..=1_500).contains(&pushback.parse().unwrap()), "{pushback} ms");
    bench.check_completed([1, 0, 0]);
}

#[tokio::test]
async fn a_stream_holds_its_permit_until_it_ends() {
    let bench = Bench::new(|b| b.limit(1));
    let probe = Probe::closed();
    let routes = Routes::new(HealthServer::new(probe.clone()));
    let mut client = HealthClient::new(serve(layer!(bench), routes).await);
    let mut stream = client.watch(request(Code::Ok)).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());
    probe.entered().await;
    bench.check(1, 0);
    probe.gate.add_permits(1);
    assert!(stream.message().await.unwrap().is_some());
    assert!(stream.message().await.unwrap().is_none());
    bench.check_completed([1, 0, 0]);
}

#[tokio::test]
async fn a_client_gets_a_status_for_what_it_refuses_itself() {
    let bench = Bench::new(|b| b.limit(1).queue(Queue::none()));
    let channel = Channel::from_static("http://127.0.0.1:1").connect_lazy();
    let mut client = HealthClient::new(layer!(bench).layer(channel));
    let _held = bench.take();
    let refused = client.check(request(Code::Ok)).await.unwrap_err();
    assert_eq!(
        (refused.code(), refused.message()),
        (Code::ResourceExhausted, "rejected: no_permit")
    );
}

/// iotaledger/iota#12137: a limit around one service of several loses the name by which tonic
/// routes to it, and cannot refuse without an error that routers do not take.
#[tokio::test]
async fn one_service_of_several_can_be_limited() {
    let bench = Bench::new(|b| b.limit(1).queue(Queue::none()));
    let limited = layer!(bench).named_layer(HealthServer::new(Probe::open()));
    let channel = serve(Identity::new(), Routes::new(limited)).await;
    let mut client = HealthClient::new(channel);
    client.check(request(Code::Ok)).await.unwrap();
    bench.check_completed([1, 0, 0]);
    let _held = bench.take();
    let refused = client.check(request(Code::Ok)).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
}
