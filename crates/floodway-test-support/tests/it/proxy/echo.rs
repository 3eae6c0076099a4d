//! A server that sends back what it receives, and tells how its connections end.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::mpsc,
    thread,
    time::Duration,
};

pub(super) struct Echo {
    address: SocketAddr,
    ends: mpsc::Receiver<io::Result<u64>>,
}

impl Echo {
    /// Starts the server, which lasts as long as the tests do.
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (end, ends) = mpsc::channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, end) = (stream.unwrap(), end.clone());
                thread::spawn(move || {
                    stream.set_nodelay(true).unwrap();
                    // Fails if the test is over.
                    let _ = end.send(io::copy(&mut &stream, &mut &stream));
                });
            }
        });
        Self { address, ends }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many bytes came through the connection that ends next, or why it broke.
    pub(super) fn next_end(&self) -> io::Result<u64> {
        self.ends.recv_timeout(Duration::from_secs(10)).expect("a connection ends")
    }

    /// Whether all connections that came are still there, or have been asked about.
    pub(super) fn saw_no_end(&self) -> bool {
        self.ends.try_recv().is_err()
    }
}
