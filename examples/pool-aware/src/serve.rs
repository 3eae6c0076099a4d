//! `--serve`: the limited service and its metrics on loopback.

use anyhow::{Context, Result};
use floodway::Registry;
use tokio::net::TcpListener;

use crate::{database::Database, service};

/// Serves until `end`.
pub(crate) async fn until(
    end: impl Future<Output = ()> + Send + 'static,
    database: &Database,
    port: Option<u16>,
) -> Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port.unwrap_or(0)))
        .await
        .with_context(|| format!("--port {}: cannot listen", port.unwrap_or(0)))?;
    let opened = database.pool().await?;
    let registry = Registry::global();
    let db = service::limiter(opened.pool.clone(), registry)?;
    let app = service::routes(db, database.query).merge(floodway_exporter::routes(registry));
    let address = listener.local_addr()?;
    for (path, what) in [
        ("report", "one connection"),
        ("audit", "two connections"),
        ("metrics", "what the pool does, as Prometheus reads it"),
    ] {
        println!("http://{address}/{path:<8} {what}");
    }
    println!("Ctrl-C ends");
    axum::serve(listener, app).with_graceful_shutdown(end).await?;
    opened.close().await.map(drop)
}
