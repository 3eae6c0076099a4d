//! `--serve`: the page and its metrics on loopback.

use std::sync::Arc;

use anyhow::Result;
use axum::{Router, response::Html, routing::get};
use floodway::Registry;
use tokio::net::TcpListener;

use crate::{dashboard::Dashboard, page};

/// Serves until Ctrl-C.
pub(crate) async fn until_ctrl_c(dashboard: Dashboard, port: Option<u16>) -> Result<()> {
    let dashboard = Arc::new(dashboard);
    let page = move || {
        let dashboard = Arc::clone(&dashboard);
        async move { Html(page::render(&dashboard.gather().await)) }
    };
    let app =
        Router::new().route("/", get(page)).merge(floodway_exporter::routes(Registry::global()));
    let listener = TcpListener::bind(("127.0.0.1", port.unwrap_or(0))).await?;
    println!("http://{}/ and /metrics", listener.local_addr()?);
    axum::serve(listener, app)
        .with_graceful_shutdown(async {
            // Without a handler, Ctrl-C ends the process as ever.
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
        })
        .await?;
    Ok(())
}
