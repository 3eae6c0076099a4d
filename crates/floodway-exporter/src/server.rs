//! A server of its own for processes that serve no HTTP otherwise.

use std::{io, net::SocketAddr};

use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

use crate::Exporter;

/// Serves the page until it is dropped or [shut down](Self::shutdown).
#[derive(Debug)]
#[must_use = "the server stops when this is dropped"]
pub struct Server {
    local_addr: SocketAddr,
    /// Dropped, it stops the server as well.
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<io::Result<()>>,
}

impl Exporter {
    /// Serves `GET /metrics` on `addr`; port 0 takes a free one. Prefer a loopback address: the
    /// page has no authentication.
    ///
    /// # Errors
    ///
    /// If `addr` cannot be bound, for example because the port is in use.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it is ready serves nothing.
    pub async fn serve(&self, addr: SocketAddr) -> Result<Server, ServeError> {
        let bound = TcpListener::bind(addr).await;
        let listener = bound.map_err(|source| ServeError { addr, source })?;
        let local_addr = listener.local_addr().map_err(|source| ServeError { addr, source })?;
        let (stop, stopped) = oneshot::channel::<()>();
        let server = axum::serve(listener, self.routes()).with_graceful_shutdown(async {
            // Either way it is time to stop.
            let _ = stopped.await;
        });
        let task = tokio::spawn(server.into_future());
        Ok(Server { local_addr, stop: Some(stop), task })
    }
}

impl Server {
    /// Where it serves.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Lets running scrapes finish and stops.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the server all the same, without waiting for it.
    pub async fn shutdown(mut self) {
        self.stop = None;
        // It ends with an error only if its runtime does.
        let _ = self.task.await;
    }
}

/// Why the page is not served.
#[derive(Debug, thiserror::Error)]
#[error("cannot serve metrics on {addr}")]
#[non_exhaustive]
pub struct ServeError {
    /// The address asked for.
    pub addr: SocketAddr,
    /// What the operating system said.
    pub source: io::Error,
}
