//! One connection: two links between a client and the server, until they end or are cut.

use std::{io, net::SocketAddr};

use tokio::{
    io::{Interest, copy, sink},
    net::TcpStream,
    select,
    sync::watch,
    try_join,
};

use super::{
    link::Link,
    toxic::{Direction, Toxics},
};

/// What befalls connections that are open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Both sides see a reset.
    Reset,
    /// The server sees an end, the client sees nothing.
    HalfOpen,
}

pub(super) struct Connection {
    pub(super) number: u64,
    pub(super) client: TcpStream,
    pub(super) server: SocketAddr,
    pub(super) toxics: watch::Receiver<Toxics>,
    pub(super) fate: watch::Receiver<Fate>,
}

impl Connection {
    /// Forwards until both sides have ended, one of them broke, or fate strikes; gives back the
    /// client's side if it has become half open.
    pub(super) async fn run(mut self) -> Option<TcpStream> {
        // Outside the future, so that it is still there after that was dropped.
        let mut server = None;
        let forwarded = select! {
            biased;
            _ = self.fate.changed() => None,
            result = forward(self.number, &mut self.client, self.server, &mut server, self.toxics)
                => Some(result),
        };
        match forwarded {
            Some(Ok(())) => None,
            None if *self.fate.borrow() == Fate::HalfOpen => Some(self.client),
            // That the server cannot be reached is told the client in the same way: it is too late
            // to refuse its connection.
            None | Some(Err(_)) => {
                [Some(self.client), server].into_iter().flatten().for_each(reset);
                None
            }
        }
    }
}

async fn forward(
    number: u64,
    client: &mut TcpStream,
    address: SocketAddr,
    server: &mut Option<TcpStream>,
    mut toxics: watch::Receiver<Toxics>,
) -> io::Result<()> {
    // The attempt to connect falls into a black hole as well.
    let healed = toxics.wait_for(|toxics| !toxics.blackhole).await.is_ok();
    if !healed || given_up(client).await? {
        return Ok(());
    }
    let server = server.insert(TcpStream::connect(address).await?);
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let upstream = Link::new(Direction::Upstream, number, toxics.clone());
    let downstream = Link::new(Direction::Downstream, number, toxics);
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    try_join!(upstream.run(from_client, to_server), downstream.run(from_server, to_client))?;
    Ok(())
}

/// Whether the client has closed its side already, as far as is known without waiting.
async fn given_up(client: &TcpStream) -> io::Result<bool> {
    select! {
        biased;
        ready = client.ready(Interest::READABLE) => Ok(ready?.is_read_closed()),
        () = std::future::ready(()) => Ok(false),
    }
}

/// Swallows what the client sends, until it closes the connection or that is reset.
pub(super) async fn keep_half_open(mut client: TcpStream, mut fate: watch::Receiver<Fate>) {
    let mut nowhere = sink();
    let was_reset = select! {
        was_reset = fate.wait_for(|fate| *fate == Fate::Reset) => was_reset.is_ok(),
        _ = copy(&mut client, &mut nowhere) => false,
    };
    if was_reset {
        reset(client);
    }
}

/// Closes a connection at once, whatever is still on its way.
fn reset(stream: TcpStream) {
    // Fails if the connection is gone already.
    let _ = stream.set_zero_linger();
}
