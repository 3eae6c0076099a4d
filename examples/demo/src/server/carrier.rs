//! The connections to the carrier: each costs a handshake, so they are kept for a while, and how they
//! open is watched.

use std::{io, net::SocketAddr, time::Duration};

use anyhow::Result;
use deadpool::{
    Runtime,
    managed::{self, Manager, Metrics, RecycleError, RecycleResult},
};
use floodway::{Ceiling, PoolLimiter};
use floodway_fleet::{Fleet, Lease, MemoryStore};
use floodway_pool::{DeadpoolPool, Observed};
use http_body_util::Empty;
use hyper::{
    Request,
    body::Bytes,
    client::conn::http1::{SendRequest, handshake},
    header::HOST,
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{net::TcpStream, time::Instant};

use super::page;

/// At a time: more than the carrier works on, so that finding out how much that is stays with the
/// limiter of the questions.
const MAX_CONNECTIONS: usize = 16;

/// What the carrier gives all replicas of the shop together. With a storage that replicas share, each would
/// have a part; this one has it alone.
const BUDGET: u32 = 16;

/// When a connection is replaced. Without that, all would stay with the servers that the carrier had
/// when they were opened.
const MAX_AGE: Duration = Duration::from_secs(3);

/// For a handshake, and for a look at a connection that is to be used again.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Asks the carrier, over as many connections as it takes.
#[derive(Debug)]
pub(super) struct Carrier {
    address: SocketAddr,
    connections: PoolLimiter<DeadpoolPool<Observed<Opener>>>,
    /// Ends when it is dropped.
    _lease: Lease,
}

/// Opens connections of HTTP/1.1.
#[derive(Debug)]
struct Opener(SocketAddr);

impl Carrier {
    /// Opens nothing yet. Inside of a runtime, for the renewals of the lease.
    pub(super) fn new(address: SocketAddr) -> Result<Self> {
        let pool: managed::Pool<_> = managed::Pool::builder(Observed::new(Opener(address)))
            .max_size(MAX_CONNECTIONS)
            .runtime(Runtime::Tokio1)
            .create_timeout(Some(CONNECT_TIMEOUT))
            .recycle_timeout(Some(CONNECT_TIMEOUT))
            .build()?;
        let fleet = Fleet::builder(MemoryStore::new()).replica("demo").build()?;
        let budget = fleet.budget("carrier-http", BUDGET).margin(0).build()?;
        let connections = PoolLimiter::builder("carrier-http", DeadpoolPool::observed(pool))
            .ceiling(budget.ceiling())
            .build()?;
        let lease = budget.lease(&connections)?;
        Ok(Self { address, connections, _lease: lease })
    }

    /// How many questions there are connections for.
    pub(super) fn ceiling(&self) -> Ceiling {
        self.connections.ceiling()
    }

    /// What it says about `number`.
    pub(super) async fn ask(&self, number: i64, deadline: Instant) -> Result<Value> {
        let request = Request::get(format!("/{number}")).header(HOST, self.address.to_string());
        let request = request.body(Empty::new())?;
        let mut connection = self.connections.connection(deadline).await?;
        page::read(connection.send_request(request).await?).await
    }
}

impl Manager for Opener {
    type Type = SendRequest<Empty<Bytes>>;
    type Error = io::Error;

    async fn create(&self) -> io::Result<Self::Type> {
        let stream = TcpStream::connect(self.0).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        // Ends with the sender. What goes wrong, who sends next is told.
        tokio::spawn(connection);
        Ok(sender)
    }

    async fn recycle(
        &self,
        sender: &mut Self::Type,
        metrics: &Metrics,
    ) -> RecycleResult<io::Error> {
        if metrics.age() >= MAX_AGE {
            return Err(RecycleError::message("it has been open for long enough"));
        }
        // If nobody waited for the last answer, the connection closes instead.
        sender.ready().await.map_err(|error| RecycleError::Backend(io::Error::other(error)))
    }
}
