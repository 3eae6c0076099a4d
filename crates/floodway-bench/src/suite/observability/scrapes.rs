//! A service at five times its capacity, with and without fifty clients that scrape it.
//!
//! The work is all computation and the machine has no core to spare, so what pages cost is missing in
//! the goodput.

use std::{
    convert::Infallible,
    hint::black_box,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::Context;
use floodway::{Limiter, Queue};
use floodway_exporter::Exporter;
use floodway_metrics::Registry;
use floodway_tower::LimiterLayer;
use tokio::{
    runtime::{Builder, Runtime},
    task::yield_now,
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::{
    measure::{Effort, median},
    report::Report,
};

const CLIENTS: usize = 50;
const SCRAPES: usize = 1_000;
const OVERLOAD: f64 = 5.0;

/// Of a request: about a millisecond, so that a thousand a second are what a core can do, and what the
/// refusal of the others costs does not count.
const HASHES: usize = 100;

/// After which a request lets others have the thread, as requests with several steps do.
const STEP: usize = 10;

/// Components beside the one under load, so that a page has about a thousand series.
const OTHERS: usize = 7;

pub(super) fn measure(effort: Effort, report: &mut Report) -> anyhow::Result<()> {
    let (lap, laps) = match effort.rounds {
        rounds if rounds < Effort::FULL.rounds => (Duration::from_secs(1), 3),
        _ => (Duration::from_secs(4), 9),
    };
    let service = Bench::new()?;
    let capacity = service.capacity(lap);
    let (mut ratios, mut scrape_ms) = (Vec::new(), Vec::new());
    for turn in 0..laps {
        let mut goodput = [0.0; 2];
        // Each is the first in every other turn.
        for step in 0..2 {
            let scraped = (turn + step) % 2 == 0;
            let addr = service.addr;
            let clients = scraped.then(|| thread::spawn(move || scrape(addr)));
            goodput[usize::from(scraped)] = service.goodput(capacity * OVERLOAD, lap);
            if let Some(clients) = clients {
                let took = clients.join().ok().context("a client panicked")??;
                scrape_ms.push(took.as_secs_f64() * 1e3);
            }
        }
        ratios.push(goodput[1] / goodput[0]);
    }
    report.higher("obs.scrapes.capacity", capacity, "1/s", None);
    report.lower("obs.scrapes.1000_by_50_clients_ms", median(scrape_ms), "ms", None);
    report.higher("obs.goodput_while_scraped.vs_alone", median(ratios), "ratio", Some(0.98));
    Ok(())
}

struct Bench {
    runtime: Runtime,
    limiter: Limiter,
    addr: SocketAddr,
    /// Kept for as long as requests come.
    _server: floodway_exporter::Server,
    _others: Vec<Limiter>,
}

impl Bench {
    fn new() -> anyhow::Result<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let registry = Registry::new();
        let build = |name: &str| {
            let queue = Queue::fifo().capacity(16).max_wait(Duration::from_millis(100));
            Limiter::builder(name).limit(2).queue(queue).registry(&registry).build()
        };
        let others: Result<_, _> = (0..OTHERS).map(|number| build(&format!("l{number}"))).collect();
        let limiter = build("work")?;
        let exporter = Exporter::new(&registry);
        let server = runtime.block_on(exporter.serve(([127, 0, 0, 1], 0).into()))?;
        let addr = server.local_addr();
        Ok(Self { runtime, limiter, addr, _server: server, _others: others? })
    }

    /// What two callers that come back at once get through, per second.
    fn capacity(&self, lap: Duration) -> f64 {
        self.runtime.block_on(async {
            let until = Instant::now() + lap;
            let callers = (0..2).map(|_| {
                let mut service = service(&self.limiter);
                tokio::spawn(async move {
                    let mut done = 0_u64;
                    while Instant::now() < until {
                        if let Ok(ready) = service.ready().await {
                            done += u64::from(ready.call(()).await.is_ok());
                        }
                        yield_now().await;
                    }
                    done
                })
            });
            let done: u64 = futures::future::join_all(callers).await.into_iter().flatten().sum();
            done as f64 / lap.as_secs_f64()
        })
    }

    /// Requests that were answered per second, of `rate` that come per second, whatever becomes of
    /// the others.
    fn goodput(&self, rate: f64, lap: Duration) -> f64 {
        let done = Arc::new(AtomicU64::new(0));
        self.runtime.block_on(async {
            let begun = Instant::now();
            let mut ticks = interval(Duration::from_millis(1));
            ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
            let service = service(&self.limiter);
            let mut sent = 0.0;
            while begun.elapsed() < lap {
                ticks.tick().await;
                let due = begun.elapsed().as_secs_f64() * rate;
                while sent < due {
                    sent += 1.0;
                    let (service, done) = (service.clone(), Arc::clone(&done));
                    tokio::spawn(async move {
                        if service.oneshot(()).await.is_ok() {
                            done.fetch_add(1, Ordering::Relaxed);
                        }
                    });
                }
            }
            let answered = done.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64();
            // What waits still is not of the next lap.
            sleep_until(Instant::now() + Duration::from_millis(200)).await;
            answered
        })
    }
}

fn service(
    limiter: &Limiter,
) -> impl Service<(), Response = (), Future: Send, Error: Send> + Clone + Send + use<> {
    let work = service_fn(async |(): ()| {
        let mut data = [7_u8; 16 * 1024];
        for number in 1..=HASHES {
            if number % STEP == 0 {
                yield_now().await;
            }
            let hash = blake3::hash(&data);
            data[..32].copy_from_slice(hash.as_bytes());
        }
        black_box(data);
        Ok::<_, Infallible>(())
    });
    LimiterLayer::new(limiter.clone()).layer(work)
}

/// A thousand pages, by fifty clients at once, each after the one before.
fn scrape(addr: SocketAddr) -> anyhow::Result<Duration> {
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
    let begun = std::time::Instant::now();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| thread::spawn(move || (0..SCRAPES / CLIENTS).try_for_each(|_| page(addr))))
        .collect();
    for client in clients {
        client.join().ok().context("a client panicked")??;
    }
    Ok(begun.elapsed())
}

fn page(addr: SocketAddr) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(addr)?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: bench\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    anyhow::ensure!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    Ok(())
}
