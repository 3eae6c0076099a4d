//! The limiter in an axum router.

use axum::{
    Router,
    body::Body,
    extract::Path,
    http::{Request, Response, StatusCode},
    routing::get,
};
use floodway::{Limiter, Outcome, Queue, Registry};
use floodway_metrics::catalogue::limiter as metrics;
use floodway_tower::{
    Classifier, LimiterLayer,
    http::{HttpStatus, service_unavailable, too_many_requests},
};
use http_body_util::BodyExt;
use tower::ServiceExt;

fn request(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn a_rejection_is_a_response_with_retry_after_and_the_reason() {
    let limiter = Limiter::builder("api")
        .limit(1)
        .queue(Queue::none())
        .registry(&Registry::new())
        .build()
        .unwrap();
    let _held = limiter.try_acquire().unwrap();
    for (layer, expected) in [
        (LimiterLayer::new(limiter.clone()).respond(too_many_requests as fn(&_) -> _), 429),
        (LimiterLayer::new(limiter.clone()).respond(service_unavailable as fn(&_) -> _), 503),
    ] {
        let app: Router = Router::new().route("/", get(async || "hello")).layer(layer);
        let response = app.oneshot(request("/")).await.unwrap();
        assert_eq!(response.status().as_u16(), expected);
        // Nothing is known: a second, up to half more so that clients part, rounded up.
        assert_eq!(response.headers()["retry-after"], "2");
        assert_eq!(response.headers()["content-type"], "application/json");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let body = std::str::from_utf8(&body).unwrap();
        let start = r#"{"error":"rejected","reason":"no_permit","retry_after_s":1."#;
        assert!(body.starts_with(start) && body.ends_with('}'), "{body}");
    }
}

#[tokio::test]
async fn statuses_are_classified() {
    let registry = Registry::new();
    let limiter = Limiter::builder("api").limit(1).registry(&registry).build().unwrap();
    let app: Router = Router::new()
        .route("/{status}", get(async |Path(code): Path<u16>| StatusCode::from_u16(code).unwrap()))
        .layer(
            LimiterLayer::new(limiter).classify(HttpStatus::default()).respond(too_many_requests),
        );
    for status in ["200", "404", "408", "429", "499", "500", "503", "504"] {
        let response = app.clone().oneshot(request(&format!("/{status}"))).await.unwrap();
        assert_eq!(response.status().as_str(), status);
    }
    let completed = |outcome| registry.snapshot().number(&metrics::COMPLETED, &["api", outcome]);
    assert_eq!(completed("success"), Some(2.0));
    assert_eq!(completed("overload"), Some(4.0));
    assert_eq!(completed("ignore"), Some(2.0));
    let error: Result<Response<()>, &str> = Err("connection refused");
    assert_eq!(HttpStatus::default().classify(&error), Outcome::Overload);
}

/// Two limiters in a row: what the inner one refuses was not tried, so it says nothing to the outer.
#[tokio::test]
async fn a_refusal_of_an_inner_limiter_is_no_sample_of_the_outer() {
    let registry = Registry::new();
    let limiter = |name| Limiter::builder(name).limit(1).queue(Queue::none()).registry(&registry);
    let inner = limiter("inner").build().unwrap();
    let _held = inner.try_acquire().unwrap();
    let layer = |limiter| {
        let layer = LimiterLayer::new(limiter).classify(HttpStatus::default());
        layer.respond(service_unavailable as fn(&_) -> _)
    };
    let app: Router = Router::new()
        .route("/", get(async || "hello"))
        .layer(layer(inner))
        .layer(layer(limiter("outer").build().unwrap()));
    let response = app.clone().oneshot(request("/")).await.unwrap();
    assert_eq!(response.status().as_u16(), 503);
    let completed = |outcome| registry.snapshot().number(&metrics::COMPLETED, &["outer", outcome]);
    assert_eq!((completed("overload"), completed("ignore")), (Some(0.0), Some(1.0)));
}
