//! A network that fails on demand: a TCP proxy in front of one server.

mod connection;
mod door;
mod link;
mod service;
mod toxic;

use std::{
    net::SocketAddr,
    sync::mpsc,
    thread::{self, JoinHandle},
};

use tokio::{
    runtime,
    sync::{mpsc::UnboundedSender, watch},
};

pub use self::toxic::{Direction, Toxic};
use self::{
    connection::Fate,
    door::Door,
    service::{Change, Command, Service},
};

/// A proxy between clients and one TCP server, on a loopback port of its own, that can be told to
/// fail and to work again while connections run through it.
///
/// The names are those of Toxiproxy (<https://github.com/Shopify/toxiproxy>), which is not used
/// because it is a program in another language that would have to be installed. netem would do
/// more, and needs root and a module of the kernel.
///
/// It runs in a thread of its own, so that it neither slows down when the test's runtime is busy
/// nor follows that runtime's clock. Every method has done what it says when it returns, and none
/// waits longer than it takes that thread to wake up. Dropping the proxy closes all connections.
#[derive(Debug)]
#[must_use = "the proxy stops when this is dropped"]
pub struct Proxy {
    address: SocketAddr,
    connections: watch::Receiver<Connections>,
    /// `None` only while being dropped.
    running: Option<(UnboundedSender<Command>, JoinHandle<()>)>,
}

/// What went through a [`Proxy`] so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connections {
    /// Connections that clients have open now, as far as the proxy can see.
    pub open: usize,
    /// Connections that were ever accepted.
    pub accepted: u64,
}

impl Proxy {
    /// Starts to forward to the server at `server`, which need not be there yet.
    ///
    /// # Panics
    ///
    /// If the system has no free port or no thread left.
    pub fn start(server: SocketAddr) -> Self {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime for the proxy");
        let door = {
            let _context = runtime.enter();
            Door::open().expect("a free loopback port")
        };
        let address = door.address();
        let (commands, orders) = tokio::sync::mpsc::unbounded_channel();
        let (counts, connections) = watch::channel(Connections::default());
        let service = Service::new(server, door, counts);
        let thread = thread::Builder::new()
            .name("fault-proxy".to_owned())
            .spawn(move || runtime.block_on(service.run(orders)))
            .expect("a thread for the proxy");
        Self { address, connections, running: Some((commands, thread)) }
    }

    /// Where clients connect instead of to the server.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections there are and were.
    #[must_use]
    pub fn connections(&self) -> Connections {
        *self.connections.borrow()
    }

    /// Puts a toxic between the clients and the server, beside those that are there; a second one
    /// of the same kind and direction replaces the first.
    ///
    /// # Panics
    ///
    /// If the proxy's thread has panicked.
    pub fn set(&self, toxic: Toxic) {
        self.change(Change::Set(toxic));
    }

    /// Takes all toxics away. What they held back flows on at once.
    ///
    /// Connections that were reset or are half open stay so.
    ///
    /// # Panics
    ///
    /// As [`set`](Self::set).
    pub fn heal(&self) {
        self.change(Change::Heal);
    }

    /// Cuts every connection that is open now, towards both sides, by a TCP reset. New ones are
    /// not affected.
    ///
    /// A connection counts as open once something has passed through it. Before that it may still
    /// be on its way into the proxy.
    ///
    /// # Panics
    ///
    /// As [`set`](Self::set).
    pub fn reset_connections(&self) {
        self.change(Change::Strike(Fate::Reset));
    }

    /// Closes every connection that is open now towards the server, and lets the client believe in
    /// it: what the client sends goes nowhere, and nothing ever comes back. New connections are not
    /// affected.
    ///
    /// So it is after a firewall has forgotten a connection, or a host went away without a word.
    /// What counts as open is as for [`reset_connections`](Self::reset_connections).
    ///
    /// # Panics
    ///
    /// As [`set`](Self::set).
    pub fn half_open_connections(&self) {
        self.change(Change::Strike(Fate::HalfOpen));
    }

    fn change(&self, change: Change) {
        let (commands, _) = self.running.as_ref().expect("running until dropped");
        let (done, acknowledged) = mpsc::sync_channel(1);
        // Blocking, also in async code: the other thread answers without waiting for anybody.
        commands.send(Command { change, done }).expect("the proxy's thread runs");
        acknowledged.recv().expect("the proxy's thread does not panic");
    }
}

/// Waits for the thread, so that the port is free and no connection is left when a test goes on.
impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some((commands, thread)) = self.running.take() {
            drop(commands);
            // If it panicked, it has said so.
            let _ = thread.join();
        }
    }
}
