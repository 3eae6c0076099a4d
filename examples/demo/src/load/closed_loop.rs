//! What the service can do: a few clients that wait for their answers.

use std::{cell::Cell, time::Duration};

use futures::future::join_all;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::{Answer, Client, mix::Mix};
use crate::{database::POOL_SIZE, stop::Stop};

/// A few more than connections: always somebody waits for one, and nobody for long.
const CLIENTS: u64 = POOL_SIZE as u64 + 4;

/// 2xx responses per second after a warm-up; `None` if interrupted.
pub(crate) async fn closed_loop(
    client: &Client,
    orders: u32,
    seed: u64,
    warm_up: Duration,
    duration: Duration,
    stop: &Stop,
) -> Option<f64> {
    let begin = Instant::now() + warm_up;
    let end = begin + duration;
    let successes = Cell::new(0_u64);
    let user = async |stream| {
        let mut mix = Mix::new(orders, seed, stream);
        loop {
            let answer = client.send(mix.draw()).await;
            let now = Instant::now();
            if now >= begin && now < end && answer == Answer::Success {
                successes.set(successes.get() + 1);
            }
        }
    };
    let users = join_all((0..CLIENTS).map(user));
    tokio::select! {
        () = stop.requested() => return None,
        _ = timeout_at(end, users) => sleep_until(end).await,
    }
    Some(successes.get() as f64 / duration.as_secs_f64())
}
