//! The limiter in front of a reqwest client and of the server that it asks.

use axum::{
    Router,
    body::Body,
    http::{Response, StatusCode, header::CONTENT_LENGTH},
    routing::get,
};
use floodway::{Queue, RejectReason, Rejected};
use floodway_tower::{
    LimiterLayer,
    http::{HttpStatus, service_unavailable},
};
use futures::stream;
use http_body_util::BodyExt;
use tokio::net::TcpListener;
use tower::{Layer, ServiceExt, service_fn};

use crate::support::Bench;

/// Serves under `bench` and returns the URL.
async fn serve(bench: &Bench) -> String {
    let layer = LimiterLayer::new(bench.limiter.clone())
        .classify(HttpStatus::default())
        .respond(service_unavailable)
        .until_body_end();
    let parts = || Body::from_stream(stream::iter(["a", "b"].map(Ok::<_, std::io::Error>)));
    let app: Router = Router::new()
        .route("/text", get(async || "hello"))
        .route("/empty", get(async || StatusCode::NO_CONTENT))
        .route("/chunked", get(async move || parts()))
        .route(
            "/sized",
            get(async move || {
                Response::builder().header(CONTENT_LENGTH, 2).body(parts()).expect("a response")
            }),
        )
        .layer(layer);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async { axum::serve(listener, app).await });
    format!("http://{address}")
}

/// However a real server ends a response: the permits of both sides come back as successes.
#[tokio::test]
async fn every_kind_of_response_ends_on_both_sides() {
    let (server, client) = (Bench::new(|b| b.limit(1)), Bench::new(|b| b.limit(1)));
    let url = serve(&server).await;
    let reqwest = reqwest::Client::new();
    let send = service_fn(move |request| {
        let sent = reqwest.execute(request);
        async { sent.await.map(Response::from) }
    });
    let limited = LimiterLayer::new(client.limiter.clone())
        .classify(HttpStatus::default())
        .until_body_end()
        .layer(send);
    for (path, expected) in [("text", "hello"), ("empty", ""), ("chunked", "ab"), ("sized", "ab")] {
        let url = format!("{url}/{path}").parse().expect("a URL");
        let request = reqwest::Request::new(reqwest::Method::GET, url);
        let response = limited.clone().oneshot(request).await.expect(path);
        let body = response.into_body().collect().await.expect(path).to_bytes();
        assert_eq!(body, expected, "{path}");
    }
    client.check_completed([4, 0, 0]);
    server.check_completed([4, 0, 0]);
}

#[tokio::test]
async fn a_client_that_is_full_does_not_send() {
    let (server, client) =
        (Bench::new(|b| b.limit(1)), Bench::new(|b| b.limit(1).queue(Queue::none())));
    let url = serve(&server).await.parse().expect("a URL");
    let limited = LimiterLayer::new(client.limiter.clone()).layer(reqwest::Client::new());
    let _held = client.take();
    let request = reqwest::Request::new(reqwest::Method::GET, url);
    let error = limited.oneshot(request).await.unwrap_err();
    assert_eq!(error.downcast_ref::<Rejected>().unwrap().reason, RejectReason::NoPermit);
    server.check_completed([0, 0, 0]);
}
