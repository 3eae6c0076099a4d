//! A service that runs 8 reports at once, lets 16 wait and refuses the rest, with a metrics page.
#![expect(clippy::print_stdout, reason = "says where it listens")]

use std::{env, time::Duration};

use axum::{Router, routing::get};
use floodway::{Limiter, Queue, Registry};
use floodway_tower::{LimiterLayer, http};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let queue = Queue::fifo().capacity(16).max_wait(Duration::from_millis(250));
    let limiter = Limiter::builder("reports").limit(8).queue(queue).build()?;

    // A 503 with Retry-After for who is refused; outcomes by status for the metrics.
    let layer = LimiterLayer::new(limiter)
        .classify(http::HttpStatus::default())
        .respond(http::service_unavailable);

    let app = Router::new()
        .route("/report", get(report))
        .layer(layer)
        // After the layer, so that the page is there when the limiter is full.
        .merge(floodway_exporter::routes(Registry::global()));

    let address = env::args().nth(1).unwrap_or("127.0.0.1:8080".into());
    let listener = TcpListener::bind(address).await?;
    println!("http://{}/report and /metrics", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}

/// Stands for work that takes a tenth of a second.
async fn report() -> &'static str {
    tokio::time::sleep(Duration::from_millis(100)).await;
    "your report\n"
}
