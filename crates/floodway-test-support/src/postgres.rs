//! A PostgreSQL server of one test's own.

mod cluster;
mod owner;

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Result, bail};

use self::cluster::Cluster;
use crate::{Proxy, binary, port, process::Server, requirement};

/// How often a port that was taken in the meantime is replaced by another.
const ATTEMPTS: u32 = 5;

/// A running server with an empty database, on a loopback port of its own.
///
/// It trusts every connection as user `postgres`, keeps nothing safe from a crash, and is stopped
/// and deleted on drop.
#[derive(Debug)]
#[must_use = "the server stops when this is dropped"]
pub struct Postgres {
    /// `None` while stopped. Declared before the cluster, so that the server is gone when its files
    /// go.
    server: Option<Server>,
    port: u16,
    cluster: Cluster,
}

impl Postgres {
    /// Starts a server; `None`, after saying so, if PostgreSQL is not installed.
    ///
    /// # Panics
    ///
    /// If PostgreSQL is not installed and [`required`](crate::required), or does not start.
    #[must_use]
    pub fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    /// As [`start`](Self::start), with settings such as `("max_connections", "50")`.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start), and if the server refuses a setting.
    #[must_use]
    pub fn start_with(settings: &[(&str, &str)]) -> Option<Self> {
        let Some(programs) = binary::postgres_folder() else {
            requirement::skip("PostgreSQL is not installed");
            return None;
        };
        let started = Cluster::create(programs, settings).and_then(Self::launch);
        Some(started.unwrap_or_else(|error| panic!("PostgreSQL does not start: {error:?}")))
    }

    /// Stops the server as an operator would who is in a hurry: connections are closed, and what
    /// runs on them is rolled back. Does nothing if it is stopped.
    pub fn stop(&mut self) {
        self.server = None;
    }

    /// Stops the server, if it runs, and starts it with the same data, settings and port.
    ///
    /// # Panics
    ///
    /// If the server does not start, for example because somebody took the port meanwhile.
    pub fn restart(&mut self) {
        self.stop();
        let server = self.cluster.serve(self.port);
        let server = server.unwrap_or_else(|error| panic!("PostgreSQL does not start: {error:?}"));
        assert!(server.is_some(), "PostgreSQL does not start again; its log:\n{}", self.log());
        self.server = server;
    }

    /// Where to connect: `postgres://postgres@127.0.0.1:PORT/postgres`.
    #[must_use]
    pub fn url(&self) -> String {
        url(self.address())
    }

    /// Where to connect to reach it through `proxy`: [`url`](Self::url) with the proxy's address.
    #[must_use]
    pub fn url_through(&self, proxy: &Proxy) -> String {
        url(proxy.address())
    }

    /// Where it listens, for a [`Proxy`].
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The loopback port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The server's process, whose children serve the connections.
    ///
    /// # Panics
    ///
    /// If the server is stopped.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.server.as_ref().expect("the server runs").pid()
    }

    /// What the server wrote to its log since it was started last.
    #[must_use]
    pub fn log(&self) -> String {
        self.cluster.log()
    }

    fn launch(cluster: Cluster) -> Result<Self> {
        for _ in 0..ATTEMPTS {
            let port = port::free_port();
            if let Some(server) = cluster.serve(port)? {
                return Ok(Self { server: Some(server), port, cluster });
            }
            let log = cluster.log();
            // Messages are in English: the cluster's locale is C.
            if !log.contains("Address already in use") {
                bail!("the server ended or did not become ready; its log:\n{log}");
            }
        }
        bail!("{ATTEMPTS} free ports were taken before the server could listen on them");
    }
}

fn url(address: SocketAddr) -> String {
    format!("postgres://postgres@{address}/postgres")
}
