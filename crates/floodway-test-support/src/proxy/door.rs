//! A port that can be closed and opened again, and that nobody else gets in the meantime.

use std::{
    future::pending,
    io, mem,
    net::{Ipv4Addr, SocketAddr},
};

use rustix::net::Shutdown;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1_024;

/// Two sockets are bound to the port. While one of them listens, connections are accepted; while
/// none does, they are refused, and the port is still taken. A listener that was closed cannot
/// listen again, so the other socket takes its place.
#[derive(Debug)]
pub(super) struct Door {
    address: SocketAddr,
    /// `None` while closed.
    listener: Option<TcpListener>,
    successor: TcpSocket,
}

impl Door {
    /// Listens on a free loopback port; to be called within a runtime.
    pub(super) fn open() -> io::Result<Self> {
        let first = bound_to((Ipv4Addr::LOCALHOST, 0).into())?;
        let address = first.local_addr()?;
        // Before the first one listens: after that, nobody else can be bound to the port.
        let successor = bound_to(address)?;
        Ok(Self { address, listener: Some(first.listen(BACKLOG)?), successor })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes or opens it; does nothing if it is so already.
    pub(super) fn set_closed(&mut self, closed: bool) -> io::Result<()> {
        if closed {
            if let Some(listener) = self.listener.take() {
                // A process that another thread starts at this moment has a copy of the socket
                // until it runs its program, and the copy would go on listening. Systems that
                // do not know this for listeners say so, and close it a little later.
                let _ = rustix::net::shutdown(listener, Shutdown::Both);
            }
        } else if self.listener.is_none() {
            let successor = bound_to(self.address)?;
            let next = mem::replace(&mut self.successor, successor);
            self.listener = Some(next.listen(BACKLOG)?);
        }
        Ok(())
    }

    /// The next connection; never, while closed.
    pub(super) async fn accept(&self) -> io::Result<TcpStream> {
        match &self.listener {
            Some(listener) => Ok(listener.accept().await?.0),
            None => pending().await,
        }
    }
}

fn bound_to(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    // Without it, a port could be bound neither twice nor while connections to it are open.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}
