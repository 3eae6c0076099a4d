//! A service with a limiter at the door, one at the pool, a batcher, and all that it shows of itself.
#![expect(clippy::print_stdout, reason = "says where it listens")]

mod orders;
mod telemetry;

use std::{env, time::Duration};

use axum::{Router, middleware::from_fn, routing};
use floodway::{Limiter, Queue};
use floodway_tower::{LimiterLayer, http};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // More than there are connections, because orders that come together share one.
    let queue = Queue::fifo().capacity(64).max_wait(Duration::from_millis(250));
    let door = Limiter::builder("http").limit(64).bounds(1..=256).queue(queue).build()?;
    // Before anything is counted: what the facade is told before it has a recorder is lost.
    let (pages, exporting) = telemetry::start(door.handle()).await?;

    // The router has clones: what it takes along when it ends is missing in the last export.
    let orders = orders::open().await?;
    let layer = LimiterLayer::new(door.clone())
        .classify(http::HttpStatus::default())
        .respond(http::service_unavailable);
    let app = Router::new()
        .route("/orders", routing::post(orders::create))
        .route("/orders/{id}", routing::get(orders::find))
        .with_state(orders.clone())
        .layer(layer)
        // Outside of the limiter, so that the wait for it is in the trace.
        .layer(from_fn(telemetry::trace));

    let address = env::var("ADDRESS").unwrap_or("127.0.0.1:8080".into());
    let listener = TcpListener::bind(address).await?;
    println!("http://{}/orders", listener.local_addr()?);
    println!("http://{}/floodway and /metrics", pages.local_addr());
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = async move {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
    };
    axum::serve(listener, app).with_graceful_shutdown(stop).await?;
    if let Some(exporting) = exporting {
        exporting.shutdown().await;
    }
    pages.shutdown().await;
    Ok(())
}
