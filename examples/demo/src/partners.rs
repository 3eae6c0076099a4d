//! Two services of other companies, which the page of a customer asks: in this process, over HTTP.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result, anyhow};
use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    routing::get,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, LogNormal};
use serde_json::{Value, json};
use tokio::{net::TcpListener, runtime::Handle, sync::Semaphore, task::JoinSet, time::sleep};

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Partner {
    /// Where a parcel is.
    Carrier,
    /// What else somebody might like.
    Recommender,
}

impl Partner {
    pub(crate) const ALL: [Self; 2] = [Self::Carrier, Self::Recommender];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Carrier => "carrier",
            Self::Recommender => "recommender",
        }
    }

    /// Half of the answers take less, if nobody waits.
    const fn median_seconds(self) -> f64 {
        match self {
            Self::Carrier => 0.008,
            Self::Recommender => 0.015,
        }
    }
}

/// Requests that a partner works on at a time; others wait there, which is what an adaptive limit
/// has to notice.
const WORKERS: usize = 6;

/// Of the logarithm: one answer in twenty takes 2.3 times the median, one in a hundred 3.2 times.
const SPREAD: f64 = 0.5;

/// One answer in so many is an error, which a second attempt is worth.
const ANSWERS_PER_ERROR: u32 = 40;

/// Both services, as long as this is kept.
#[derive(Debug)]
pub(crate) struct Partners {
    addresses: [SocketAddr; Partner::ALL.len()],
    _tasks: JoinSet<std::io::Result<()>>,
}

/// What one of them is made of.
struct Desk {
    workers: Semaphore,
    takes: LogNormal<f64>,
    random: Mutex<ChaCha8Rng>,
}

impl Partners {
    /// Each on a free loopback port, on the threads of `runtime`.
    pub(crate) async fn start(runtime: &Handle, seed: u64) -> Result<Self> {
        let start = async move {
            let mut addresses = [SocketAddr::from(([127, 0, 0, 1], 0)); Partner::ALL.len()];
            let mut tasks = JoinSet::new();
            for (address, partner) in addresses.iter_mut().zip(Partner::ALL) {
                let listener = TcpListener::bind(*address).await?;
                *address = listener.local_addr()?;
                let router = router(partner, seed)?;
                tasks.spawn(async move { axum::serve(listener, router).await });
            }
            Ok::<_, anyhow::Error>(Self { addresses, _tasks: tasks })
        };
        let started = runtime.spawn(start).await.map_err(|error| anyhow!(error))?;
        started.context("cannot start the partner services")
    }

    /// Where `partner` answers `GET /{number}`.
    pub(crate) fn address(&self, partner: Partner) -> SocketAddr {
        self.addresses[partner as usize]
    }
}

fn router(partner: Partner, seed: u64) -> Result<Router> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(partner as u64);
    let desk = Desk {
        workers: Semaphore::new(WORKERS),
        takes: LogNormal::new(partner.median_seconds().ln(), SPREAD)?,
        random: Mutex::new(random),
    };
    Ok(Router::new().route("/{number}", get(answer)).with_state(Arc::new(desk)))
}

async fn answer(
    State(desk): State<Arc<Desk>>,
    Path(number): Path<i64>,
) -> Result<Json<Value>, StatusCode> {
    let _worker = desk.workers.acquire().await.expect("never closed");
    let (takes, fails) = desk.draw();
    sleep(takes).await;
    if fails {
        return Err(StatusCode::INTERNAL_SERVER_ERROR);
    }
    Ok(Json(json!({ "about": number })))
}

impl Desk {
    fn draw(&self) -> (Duration, bool) {
        // Numbers stay random whoever panicked.
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        let takes = Duration::from_secs_f64(self.takes.sample(&mut *random));
        (takes, random.random_range(0..ANSWERS_PER_ERROR) == 0)
    }
}
