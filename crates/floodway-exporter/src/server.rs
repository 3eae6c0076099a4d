//! A server of its own for processes that serve no HTTP otherwise, or serve it to strangers.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, response::Redirect, routing::get};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, oneshot},
    task::{JoinHandle, JoinSet},
    time::{sleep, timeout},
};

use crate::Exporter;

/// Connections at once. Each carries one request and ends: a browser that shows the page needs six.
const MAX_CONNECTIONS: usize = 64;

/// Longest time for a client to say what it wants.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest life of a connection, in which Prometheus gives up too (`scrape_timeout`, 10 s).
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes: more than a header of a browser, and what a client that sends without end can fill.
const MAX_HEADER: usize = 16 * 1024;

/// How long answers that have begun may take when the server stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);

/// After an `accept` that failed, as when the process has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves the pages until it is dropped or [shut down](Self::shutdown).
#[derive(Debug)]
#[must_use = "the server stops when this is dropped"]
pub struct Server {
    local_addr: SocketAddr,
    /// Dropped, it stops the server as well.
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Exporter {
    /// Serves `GET /metrics` and the status page, `GET /floodway` and `GET /`, on `addr`; port 0 takes a
    /// free one.
    ///
    /// Clients that are slow or hostile cannot hold it for long: a connection carries one request and
    /// lives for ten seconds at most, five until its header is there; there are 64 at a time, and further
    /// ones wait to be accepted.
    ///
    /// # Errors
    ///
    /// If `addr` is no loopback address and there is neither a [token](Self::with_token) nor
    /// [`allow_remote`](Self::allow_remote), or if it cannot be bound, for example because the port
    /// is in use.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it is ready serves nothing.
    pub async fn serve(&self, addr: SocketAddr) -> Result<Server, ServeError> {
        if !addr.ip().is_loopback() && !self.has_token() && !self.allow_remote {
            return Err(ServeError::Remote { addr });
        }
        let bound = TcpListener::bind(addr).await;
        let listener = bound.map_err(|source| ServeError::Bind { addr, source })?;
        let local_addr =
            listener.local_addr().map_err(|source| ServeError::Bind { addr, source })?;
        let (stop, stopped) = oneshot::channel();
        // For who opens the address as it was printed.
        let routes = self.bare_routes().route("/", get(async || Redirect::temporary("floodway")));
        let task = tokio::spawn(accept(listener, routes, stopped));
        Ok(Server { local_addr, stop: Some(stop), task })
    }
}

impl Server {
    /// Where it serves.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Lets running scrapes finish, for a second at most, and stops.
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

async fn accept(listener: TcpListener, routes: Router, mut stopped: oneshot::Receiver<()>) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let accepted = tokio::select! {
            biased;
            _ = &mut stopped => break,
            accepted = next => accepted,
        };
        match accepted {
            (Ok(place), Ok((stream, _))) => {
                let routes = routes.clone();
                connections.spawn(async move {
                    let _place = place;
                    // Whoever is too slow has lost the connection, and nobody else anything.
                    let _ = timeout(CONNECTION_TIMEOUT, serve_one(stream, routes)).await;
                });
            }
            _ => sleep(ACCEPT_PAUSE).await,
        }
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    let _ = timeout(STOP_TIMEOUT, async { while connections.join_next().await.is_some() {} }).await;
}

async fn serve_one(stream: TcpStream, routes: Router) -> Result<(), hyper::Error> {
    let _ = stream.set_nodelay(true);
    let service = TowerToHyperService::new(routes);
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEADER)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

/// Why the pages are not served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// Everybody could read them.
    #[error(
        "addr: {addr} is no loopback address, so that others could read the metrics; set a token, \
         or call allow_remote"
    )]
    Remote {
        /// The address asked for.
        addr: SocketAddr,
    },
    /// The address is not to be had.
    #[error("cannot serve metrics on {addr}")]
    Bind {
        /// The address asked for.
        addr: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
}
