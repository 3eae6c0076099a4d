//! Permits that are held until the end of the response's body.

use std::{convert::Infallible, pin::pin};

use axum::{
    Router,
    body::Body as AxumBody,
    http::{HeaderMap, HeaderValue, Request, Response, header::CONTENT_LENGTH},
    routing::get,
};
use bytes::Bytes;
use floodway::{Outcome, Queue};
use floodway_tower::{
    Classifier, EveryError, LimiterLayer,
    http::{AtEnd, BodyClassifier, BodyEnd, HttpStatus, too_many_requests},
};
use futures::{FutureExt, poll, stream};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use tower::{Layer, ServiceExt, service_fn};

use crate::support::Bench;

type Item = Result<Frame<Bytes>, &'static str>;

fn data(text: &'static str) -> Item {
    Ok(Frame::data(Bytes::from_static(text.as_bytes())))
}

fn trailers() -> Item {
    Ok(Frame::trailers(HeaderMap::from_iter([(
        "x-checksum".parse().expect("a name"),
        HeaderValue::from_static("abc"),
    )])))
}

fn body(items: Vec<Item>) -> impl Body<Data = Bytes, Error = &'static str> + Unpin {
    StreamBody::new(stream::iter(items))
}

/// A response of the status with the body.
fn response<B>(status: u16, body: B) -> Response<B> {
    Response::builder().status(status).body(body).expect("a response")
}

/// Reads `frames` frames of what a limited service answers and drops it; the permit is out until
/// the last of them and comes back with `expected`.
async fn check<B, C>(
    classifier: C,
    answer: impl Fn() -> Response<B> + Clone,
    frames: usize,
    expected: Outcome,
) where
    B: Body + Unpin,
    C: BodyClassifier<B, Infallible> + Clone,
{
    let bench = Bench::new(|b| b.limit(1));
    let layer = LimiterLayer::new(bench.limiter.clone())
        .classify(classifier)
        .respond(|_: &_| -> Response<B> { unreachable!("there is a permit") })
        .until_body_end();
    let service = service_fn(move |(): ()| std::future::ready(Ok::<_, Infallible>(answer())));
    let Ok(answer) = layer.layer(service).oneshot(()).await;
    let mut body = answer.into_body();
    for _ in 0..frames {
        bench.check(1, 0);
        drop(body.frame().await);
    }
    drop(body);
    bench.check_only(expected);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_body_says_the_outcome() {
    use Outcome::{Ignore, Overload, Success};
    let status = HttpStatus::default();
    let two = || vec![data("one"), data("two")];
    // The third poll finds that nothing is left.
    check(status, move || response(200, body(two())), 3, Success).await;
    check(status, move || response(503, body(two())), 3, Overload).await;
    check(status, move || response(500, body(two())), 3, Ignore).await;
    // Dropped before.
    check(status, move || response(200, body(two())), 2, Ignore).await;
    check(status, move || response(503, body(two())), 0, Ignore).await;
    // Nothing comes after trailers.
    check(status, || response(200, body(vec![data("one"), trailers()])), 2, Success).await;
    // A failure of the body is overload whatever the response said.
    check(status, || response(500, body(vec![data("one"), Err("reset")])), 2, Overload).await;
    check(EveryError::default(), || response(200, body(vec![Err("reset")])), 1, Overload).await;
    check(EveryError::default(), || response(503, body(vec![])), 1, Success).await;
    let closure = |_: &Result<Response<_>, Infallible>| Ignore;
    check(closure, || response(200, body(vec![data("one")])), 2, Ignore).await;
}

/// Servers do not ask a body that is at its end for more.
#[tokio::test(start_paused = true)]
async fn a_body_that_knows_its_end_needs_no_last_poll() {
    let status = HttpStatus::default();
    check(status, || response(204, Empty::<Bytes>::new()), 0, Outcome::Success).await;
    check(status, || response(429, Empty::<Bytes>::new()), 0, Outcome::Overload).await;
    check(status, || response(200, Full::<Bytes>::from("all of it")), 1, Outcome::Success).await;
    check(status, || response(200, Full::<Bytes>::from("")), 0, Outcome::Success).await;
}

#[tokio::test(start_paused = true)]
async fn all_bytes_of_the_content_length_are_the_end_for_who_drops_it_then() {
    let status = HttpStatus::default();
    let answer = |length: &'static str| {
        move || {
            let mut answer = response(200, body(vec![data("abc"), data("def"), trailers()]));
            answer.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static(length));
            answer
        }
    };
    check(status, answer("6"), 2, Outcome::Success).await;
    check(status, answer("6"), 3, Outcome::Success).await;
    check(status, answer("0"), 0, Outcome::Success).await;
    check(status, answer("7"), 2, Outcome::Ignore).await;
    check(status, answer("many"), 2, Outcome::Ignore).await;
}

/// A classifier of our own that reads a trailer.
#[derive(Clone, Copy)]
struct ByChecksum;

impl<B, Error> Classifier<Response<B>, Error> for ByChecksum {
    fn classify(&self, _: &Result<Response<B>, Error>) -> Outcome {
        Outcome::Ignore
    }
}

impl<B: Body, Error> BodyClassifier<B, Error> for ByChecksum
where
    B::Error: 'static,
{
    type AtEnd = fn(BodyEnd<'_, B::Error>) -> Outcome;

    fn at_end(&self, _: &Result<Response<B>, Error>) -> Self::AtEnd {
        |end| match end {
            BodyEnd::Complete { trailers: Some(trailers) } if !trailers.is_empty() => {
                Outcome::Success
            }
            _ => Outcome::Overload,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn trailers_can_be_read_by_any_classifier() {
    fn is_at_end<Error, E: AtEnd<Error>>(_: &E) {}
    is_at_end::<(), _>(&|_: BodyEnd<'_, ()>| Outcome::Ignore);
    check(ByChecksum, || response(200, body(vec![trailers()])), 1, Outcome::Success).await;
    check(ByChecksum, || response(200, body(vec![])), 1, Outcome::Overload).await;
}

#[tokio::test(start_paused = true)]
async fn frames_sizes_and_errors_pass_unchanged() {
    let bench = Bench::new(|b| b.limit(1));
    let layer = LimiterLayer::new(bench.limiter.clone()).until_body_end();
    let sized = layer.layer(service_fn(async |(): ()| {
        Ok::<_, Infallible>(response(200, Full::<Bytes>::from("four")))
    }));
    let answer = sized.oneshot(()).await.unwrap();
    assert_eq!(answer.body().size_hint().exact(), Some(4));
    assert!(!answer.body().is_end_stream());
    let mut body_of_four = answer.into_body();
    assert_eq!(body_of_four.frame().await.unwrap().unwrap().into_data().unwrap(), "four");
    assert!(body_of_four.is_end_stream());
    // The body is kept, the permit is not.
    bench.check(0, 0);

    let streamed = layer.layer(service_fn(async |(): ()| {
        let items = vec![data("one"), trailers(), Err("reset")];
        Ok::<_, Infallible>(response(200, body(items)))
    }));
    let mut streamed = streamed.oneshot(()).await.unwrap().into_body();
    assert_eq!(streamed.size_hint().upper(), None);
    assert_eq!(streamed.frame().await.unwrap().unwrap().into_data().unwrap(), "one");
    let found = streamed.frame().await.unwrap().unwrap().into_trailers().unwrap();
    assert_eq!(found["x-checksum"], "abc");
    assert_eq!(streamed.frame().await.unwrap().unwrap_err(), "reset");
    assert!(streamed.frame().await.is_none());
    bench.check_completed([2, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn an_error_in_place_of_a_response_gives_the_permit_back_at_once() {
    let bench = Bench::new(|b| b.limit(1));
    let layer =
        LimiterLayer::new(bench.limiter.clone()).classify(HttpStatus::default()).until_body_end();
    let fails = layer.layer(service_fn(async |(): ()| {
        Err::<Response<Full<Bytes>>, _>(std::io::Error::other("refused"))
    }));
    assert_eq!(fails.oneshot(()).await.map(drop).unwrap_err().to_string(), "refused");
    bench.check_only(Outcome::Overload);
}

/// The second request waits until the first response has been read.
#[tokio::test(start_paused = true)]
async fn the_next_request_runs_when_the_body_has_ended() {
    let bench = Bench::new(|b| b.limit(1));
    let service = LimiterLayer::new(bench.limiter.clone()).until_body_end().layer(service_fn(
        async |(): ()| Ok::<_, Infallible>(response(200, body(vec![data("one")]))),
    ));
    let first = service.clone().oneshot(()).await.unwrap();
    let mut second = pin!(service.oneshot(()));
    assert!(poll!(&mut second).is_pending());
    bench.check(1, 1);
    assert_eq!(first.into_body().collect().await.unwrap().to_bytes(), "one");
    drop(second.now_or_never().expect("ready").unwrap());
    bench.check_completed([1, 0, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_router_answers_rejections_without_a_permit() {
    let bench = Bench::new(|b| b.limit(1).queue(Queue::none()));
    let layer = LimiterLayer::new(bench.limiter.clone())
        .classify(HttpStatus::default())
        .respond(too_many_requests)
        .until_body_end();
    let stream = async || {
        AxumBody::from_stream(stream::iter(
            [data("a"), data("b")].map(|item| item.map(|frame| frame.into_data().expect("data"))),
        ))
    };
    let app: Router = Router::new().route("/", get(stream)).layer(layer);
    let request = || Request::get("/").body(AxumBody::empty()).expect("a request");
    let first = app.clone().oneshot(request()).await.unwrap();
    bench.check(1, 0);
    let second = app.clone().oneshot(request()).await.unwrap();
    assert_eq!(second.status(), 429);
    bench.check(1, 0);
    assert_eq!(first.into_body().collect().await.unwrap().to_bytes(), "ab");
    drop(second);
    bench.check_only(Outcome::Success);
    assert_eq!(app.oneshot(request()).await.unwrap().status(), 200);
}
