//! What callers on the network are told: under axum and tonic.

use axum::{
    Router,
    body::Body,
    http::{Request, Response},
    routing::get,
};
use floodway::{ConnectionError, Limiter, Outcome, Pooled};
use floodway_metrics::catalogue::limiter as limiter_metrics;
use floodway_tower::{
    Classifier, LimiterLayer, PoolLimitLayer, grpc,
    http::{self, HttpStatus},
};
use http_body_util::BodyExt;
use tokio::time::Instant;
use tonic::{body::Body as GrpcBody, service::Routes};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tower::{Layer, ServiceExt};

use super::{Bench, CountingPool, LONG, Never, ms};

async fn taken(bench: &Bench) -> Pooled<CountingPool> {
    bench.limiter.connection(Instant::now() + LONG).await.expect("one is free")
}

fn request() -> Request<Body> {
    Request::get("/").body(Body::empty()).expect("a request")
}

async fn text(response: Response<Body>) -> String {
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    String::from_utf8(body.to_vec()).expect("text")
}

#[tokio::test(start_paused = true)]
async fn axum_answers_503_with_retry_after_and_the_cause() {
    let bench = Bench::new(1);
    let layer = bench.layer().deadline_in(ms(20)).respond(http::no_connection);
    let app: Router = Router::new().route("/", get(async || "hello")).layer(layer);
    let held = taken(&bench).await;
    let response = app.clone().oneshot(request()).await.unwrap();
    assert_eq!(response.status(), 503);
    let retry_after: u64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=2).contains(&retry_after), "{retry_after}");
    assert_eq!(response.headers()["content-type"], "application/json");
    let body = text(response).await;
    let start = r#"{"error":"no_connection","cause":"pool_held","retry_after_s":"#;
    assert!(body.starts_with(start) && body.ends_with('}'), "{body}");
    drop(held);
    assert_eq!(text(app.oneshot(request()).await.unwrap()).await, "hello");
}

#[tokio::test(start_paused = true)]
async fn a_mistake_of_the_service_is_not_to_be_tried_again() {
    let bench = Bench::new(4);
    let layer = || bench.layer().respond(http::no_connection);
    let twice: Router =
        Router::new().route("/", get(async || "hello")).layer(layer()).layer(layer());
    let response = twice.oneshot(request()).await.unwrap();
    assert_eq!(response.status(), 500);
    assert!(!response.headers().contains_key("retry-after"));
    assert_eq!(text(response).await, r#"{"error":"no_connection","cause":"nested"}"#);
}

/// What the pool refused was not tried, so it says nothing to a limiter further out; what it failed
/// to deliver was.
#[tokio::test(start_paused = true)]
async fn only_what_was_tried_is_overload_to_an_outer_limiter() {
    let bench = Bench::new(1);
    let outer = Limiter::builder("outer").limit(1).registry(&bench.registry).build().unwrap();
    let app: Router = Router::new()
        .route("/", get(async || "hello"))
        .layer(bench.layer().deadline_in(ms(5)).respond(http::no_connection))
        .layer(
            LimiterLayer::new(outer)
                .classify(HttpStatus::default())
                .respond(http::too_many_requests),
        );
    let _held = taken(&bench).await;
    assert_eq!(app.clone().oneshot(request()).await.unwrap().status(), 503);
    let snapshot = bench.registry.snapshot();
    let completed =
        |outcome| snapshot.number(&limiter_metrics::COMPLETED, &["outer", outcome]).unwrap();
    assert_eq!((completed("overload"), completed("ignore")), (0.0, 1.0));

    let late: ConnectionError<Never> = ConnectionError::Deadline { connect: None };
    for (error, cause) in [(late, "connect_failing"), (ConnectionError::Pool(Never), "pool_error")]
    {
        let response: Response<Body> = http::no_connection(&error);
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], "1");
        let result: Result<_, Never> = Ok(response);
        assert_eq!(HttpStatus::default().classify(&result), Outcome::Overload);
        let expected = format!(r#""cause":"{cause}","retry_after_s":1.000"#);
        let Ok(response) = result else { unreachable!() };
        assert!(text(response).await.contains(&expected), "{expected}");
    }
}

/// The client of tonic reads what the layer answers.
#[tokio::test(start_paused = true)]
async fn tonic_answers_unavailable_with_a_pushback_and_the_cause() {
    let bench = Bench::new(1);
    let (_reporter, health) = tonic_health::server::health_reporter();
    let layer =
        |layer: PoolLimitLayer<CountingPool>| layer.respond(grpc::no_connection::<GrpcBody, _>);
    let routes = Routes::new(health).prepare();
    let service = layer(bench.layer().deadline_in(ms(20))).layer(routes.clone());
    let mut client = HealthClient::new(service);
    client.check(HealthCheckRequest::default()).await.expect("served");

    let held = taken(&bench).await;
    let status = client.check(HealthCheckRequest::default()).await.expect_err("refused");
    assert_eq!(status.code(), tonic::Code::Unavailable);
    assert_eq!(status.message(), "no connection: pool_held");
    let pushback: u64 =
        status.metadata().get("grpc-retry-pushback-ms").unwrap().to_str().unwrap().parse().unwrap();
    assert!((1..=1_500).contains(&pushback), "{pushback}");
    drop(held);

    let twice = layer(bench.layer()).layer(layer(bench.layer()).layer(routes));
    let status = HealthClient::new(twice).check(HealthCheckRequest::default()).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (tonic::Code::Internal, "no connection: nested"));
    assert!(status.metadata().get("grpc-retry-pushback-ms").is_none());
}
