//! Requests to a router: those that arrive when they are due, and those of a few clients.

mod arrivals;

use std::{cell::Cell, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
};
use futures::future::join_all;
use http_body_util::BodyExt;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until, timeout_at},
};
use tower::ServiceExt;

use self::arrivals::Arrivals;

/// What a caller got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// A 2xx response.
    Success,
    /// A 503 that names its cause.
    Refused { cause: String },
    /// Anything else.
    Failed,
}

/// A request that was answered. Times are from the end of the warm-up.
#[derive(Clone, Debug)]
pub(crate) struct Answered {
    /// `None` if it was due before that.
    pub(crate) due: Option<Duration>,
    pub(crate) at: Duration,
    pub(crate) answer: Answer,
}

/// How much, of what, and how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// Requests per second.
    pub(crate) rate: f64,
    /// Not measured, because a queue that fills hides at first what becomes of it.
    pub(crate) warm_up: Duration,
    /// What follows the warm-up.
    pub(crate) duration: Duration,
    /// Requests of a hundred that take two connections.
    pub(crate) two_connections: u8,
    pub(crate) seed: u64,
}

/// Sends each request when it is due and waits for the last answer. Leaves out what was answered in
/// the warm-up.
pub(crate) async fn open_loop(app: &Router, load: Load) -> Vec<Answered> {
    let Load { rate, warm_up, duration, two_connections, seed } = load;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut tasks = JoinSet::new();
    let begin = Instant::now();
    let arrivals = Arrivals::new(rate, seed);
    for due in arrivals.take_while(|due| *due < warm_up + duration) {
        sleep_until(begin + due).await;
        let path = draw(&mut random, two_connections);
        let app = app.clone();
        tasks.spawn(async move {
            let answer = send(app, path).await;
            let at = begin.elapsed().checked_sub(warm_up)?;
            Some(Answered { due: due.checked_sub(warm_up), at, answer })
        });
    }
    tasks.join_all().await.into_iter().flatten().collect()
}

/// 2xx responses per second to `clients` that send their next request when they have the answer;
/// the rate does not matter.
pub(crate) async fn closed_loop(app: &Router, clients: u32, load: Load) -> f64 {
    let begin = Instant::now() + load.warm_up;
    let end = begin + load.duration;
    let successes = Cell::new(0_u64);
    let client = async |client: u32| {
        let mut random = ChaCha8Rng::seed_from_u64(load.seed);
        random.set_stream(client.into());
        loop {
            let path = draw(&mut random, load.two_connections);
            let answer = send(app.clone(), path).await;
            if Instant::now() >= begin && answer == Answer::Success {
                successes.set(successes.get() + 1);
            }
        }
    };
    // The clients never end.
    let _: Result<Vec<()>, _> = timeout_at(end, join_all((0..clients).map(client))).await;
    successes.get() as f64 / load.duration.as_secs_f64()
}

fn draw(random: &mut ChaCha8Rng, two_connections: u8) -> &'static str {
    if random.random_range(0..100) < two_connections { "/audit" } else { "/report" }
}

/// The part of a refusal's body that tells refusals apart.
#[derive(Deserialize)]
struct Refusal {
    cause: String,
}

async fn send(app: Router, path: &str) -> Answer {
    let request = Request::get(path).body(Body::empty()).expect("a valid request");
    let Ok(response) = app.oneshot(request).await;
    let status = response.status();
    if status.is_success() {
        return Answer::Success;
    }
    let Ok(body) = response.into_body().collect().await else {
        return Answer::Failed;
    };
    match serde_json::from_slice(&body.to_bytes()) {
        Ok(Refusal { cause }) if status == StatusCode::SERVICE_UNAVAILABLE => {
            Answer::Refused { cause }
        }
        _ => Answer::Failed,
    }
}
