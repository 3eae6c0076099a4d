//! gRPC statuses: how they are classified, and those of rejections.

use std::{convert::Infallible, time::Duration};

use axum::http::{HeaderMap, HeaderValue, Request, Response};
use bytes::Bytes;
use floodway::{Outcome, Queue};
use floodway_tower::{
    Classifier, LimiterLayer,
    grpc::{GrpcStatus, acquire, resource_exhausted, unavailable},
    http::{AtEnd, BodyClassifier, BodyEnd},
};
use http_body::Body;
use http_body_util::Empty;
use tokio::time::Instant;
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{Bench, ms};

/// The outcomes of codes 0 to 17, `S`uccess, `O`verload and `I`gnored; 17 does not exist.
const OUTCOMES: &str = "SIISOSSSOSSSIIOISI";

fn expected(code: usize) -> Outcome {
    match OUTCOMES.as_bytes()[code] {
        b'S' => Outcome::Success,
        b'O' => Outcome::Overload,
        _ => Outcome::Ignore,
    }
}

type Answer = Result<Response<Empty<Bytes>>, Infallible>;

fn answer(status: u16, headers: &HeaderMap) -> Answer {
    let mut response = Response::new(Empty::new());
    *response.status_mut() = status.try_into().expect("a status");
    response.headers_mut().extend(headers.clone());
    Ok(response)
}

fn grpc_status(text: &str) -> HeaderMap {
    HeaderMap::from_iter([(
        "grpc-status".parse().expect("a name"),
        HeaderValue::from_str(text).expect("a value"),
    )])
}

/// What the end of a body with these trailers says, after a head that said nothing.
fn at_end(answer: &Answer, trailers: Option<&HeaderMap>) -> Outcome {
    let end: BodyEnd<'_, Infallible> = BodyEnd::Complete { trailers };
    GrpcStatus::default().at_end(answer).classify(end)
}

#[test]
fn codes_are_classified_in_headers_and_in_trailers() {
    let head = answer(200, &HeaderMap::new());
    for code in 0..=17 {
        let status = grpc_status(&code.to_string());
        let trailers_only = answer(200, &status);
        let found = GrpcStatus::default().classify(&trailers_only);
        assert_eq!(found, expected(code), "{code} in headers");
        assert_eq!(at_end(&trailers_only, None), expected(code), "{code} in headers, at the end");
        assert_eq!(at_end(&head, Some(&status)), expected(code), "{code} in trailers");
        assert_eq!(GrpcStatus::default().outcome(code as u16), expected(code), "{code} alone");
    }
}

#[test]
fn a_status_that_is_missing_or_broken_is_unknown() {
    let head = answer(200, &HeaderMap::new());
    assert_eq!(at_end(&head, None), Outcome::Ignore);
    assert_eq!(at_end(&head, Some(&HeaderMap::new())), Outcome::Ignore);
    for broken in ["", "-1", "none", "99999999"] {
        assert_eq!(at_end(&head, Some(&grpc_status(broken))), Outcome::Ignore, "{broken:?}");
    }
    // Still to come.
    assert_eq!(GrpcStatus::default().classify(&head), Outcome::Success);
    let failed = GrpcStatus::default().at_end(&head).classify(BodyEnd::Failed(&"reset"));
    assert_eq!(failed, Outcome::Overload);
    let refused: Result<Response<()>, &str> = Err("connection refused");
    assert_eq!(GrpcStatus::default().classify(&refused), Outcome::Overload);
}

#[test]
fn answers_of_proxies_are_read_as_clients_do() {
    let classify = |status| GrpcStatus::default().classify(&answer(status, &HeaderMap::new()));
    for status in [429, 502, 503, 504] {
        assert_eq!(classify(status), Outcome::Overload, "{status}");
    }
    for status in [401, 403] {
        assert_eq!(classify(status), Outcome::Success, "{status}");
    }
    for status in [302, 400, 404, 500] {
        assert_eq!(classify(status), Outcome::Ignore, "{status}");
    }
    // What the service itself said counts.
    let both = answer(503, &grpc_status("5"));
    assert_eq!(GrpcStatus::default().classify(&both), Outcome::Success);
}

#[tokio::test(start_paused = true)]
async fn a_rejection_is_a_status_without_a_body() {
    let bench = Bench::new(|b| b.limit(1).queue(Queue::none()));
    let _held = bench.take();
    let mut rejected = bench.limiter.try_acquire().unwrap_err();
    // Rounded up: who comes back early is refused again.
    rejected.retry_after = Duration::from_micros(1_001);
    for (response, code) in
        [(resource_exhausted::<Empty<Bytes>>(&rejected), "8"), (unavailable(&rejected), "14")]
    {
        assert_eq!(response.status(), 200);
        assert!(response.body().is_end_stream());
        let headers = response.headers();
        assert_eq!(headers["content-type"], "application/grpc");
        assert_eq!(headers["grpc-status"], code);
        assert_eq!(headers["grpc-message"], "rejected: no_permit");
        assert_eq!(headers["grpc-retry-pushback-ms"], "2");
        assert_eq!(headers.len(), 4);
        let answer: Answer = Ok(response);
        assert_eq!(GrpcStatus::default().classify(&answer), Outcome::Overload);
    }
}

#[tokio::test(start_paused = true)]
async fn a_timeout_that_a_request_brings_ends_its_wait() {
    let bench = Bench::new(|b| b.limit(1));
    let _held = bench.take();
    let layer = LimiterLayer::new(bench.limiter.clone()).acquire_from(acquire::<()>);
    let service = layer.layer(service_fn(async |_| Ok::<_, Infallible>(())));
    let waits = async |timeout: Option<&str>| {
        let mut request = Request::new(());
        if let Some(timeout) = timeout {
            let value = HeaderValue::from_str(timeout).expect("a value");
            request.headers_mut().insert("grpc-timeout", value);
        }
        let started = Instant::now();
        service.clone().oneshot(request).await.unwrap_err();
        started.elapsed()
    };
    assert_eq!(waits(Some("20m")).await, ms(20));
    assert_eq!(waits(Some("0n")).await, ms(0));
    // The queue's own bound, a second, is left.
    assert_eq!(waits(Some("1H")).await, ms(1_000));
    assert_eq!(waits(Some("soon")).await, ms(1_000));
    assert_eq!(waits(None).await, ms(1_000));
}
