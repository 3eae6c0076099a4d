//! The proxy's only loop: accepts connections and does what it is told.

use std::{net::SocketAddr, sync::mpsc::SyncSender};

use tokio::{
    net::TcpStream,
    select,
    sync::{mpsc::UnboundedReceiver, watch},
    task::JoinSet,
};

use super::{
    Connections,
    connection::{Connection, Fate, keep_half_open},
    door::Door,
    toxic::{Toxic, Toxics},
};

/// What is to be changed, and whom to tell that it was.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) change: Change,
    pub(super) done: SyncSender<()>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Change {
    Set(Toxic),
    Heal,
    Strike(Fate),
}

pub(super) struct Service {
    server: SocketAddr,
    door: Door,
    counts: watch::Sender<Connections>,
    accepted: u64,
    toxics: watch::Sender<Toxics>,
    /// What befell all connections of a moment; only those that were there notice a change.
    fate: watch::Sender<Fate>,
    /// Each gives back the client's side if it has become half open.
    forwarding: JoinSet<Option<TcpStream>>,
    half_open: JoinSet<()>,
}

impl Service {
    pub(super) fn new(server: SocketAddr, door: Door, counts: watch::Sender<Connections>) -> Self {
        Self {
            server,
            door,
            counts,
            accepted: 0,
            toxics: watch::Sender::default(),
            fate: watch::Sender::new(Fate::HalfOpen),
            forwarding: JoinSet::new(),
            half_open: JoinSet::new(),
        }
    }

    /// Runs until nobody can send a command any more.
    pub(super) async fn run(mut self, mut commands: UnboundedReceiver<Command>) {
        loop {
            select! {
                command = commands.recv() => {
                    let Some(Command { change, done }) = command else {
                        return;
                    };
                    self.apply(change).await;
                    self.publish();
                    // Fails if the caller panicked meanwhile.
                    let _ = done.send(());
                }
                client = self.door.accept() => {
                    self.welcome(client.expect("a connection can be accepted"));
                    self.publish();
                }
                Some(ended) = self.forwarding.join_next() => {
                    self.keep(ended.expect("forwarding does not panic"));
                    self.publish();
                }
                Some(_) = self.half_open.join_next() => self.publish(),
            }
        }
    }

    async fn apply(&mut self, change: Change) {
        match change {
            Change::Set(toxic) => self.toxics.send_modify(|toxics| toxics.set(toxic)),
            Change::Heal => self.toxics.send_modify(|toxics| *toxics = Toxics::default()),
            Change::Strike(fate) => self.strike(fate).await,
        }
        let refuse = self.toxics.borrow().refuse;
        self.door.set_closed(refuse).expect("the port is still ours");
    }

    /// Waits until all connections have met their fate, which none of them can delay.
    async fn strike(&mut self, fate: Fate) {
        self.fate.send_replace(fate);
        while let Some(ended) = self.forwarding.join_next().await {
            self.keep(ended.expect("forwarding does not panic"));
        }
        if fate == Fate::Reset {
            while self.half_open.join_next().await.is_some() {}
        }
    }

    fn welcome(&mut self, client: TcpStream) {
        self.accepted += 1;
        let connection = Connection {
            number: self.accepted,
            client,
            server: self.server,
            toxics: self.toxics.subscribe(),
            fate: self.fate.subscribe(),
        };
        self.forwarding.spawn(connection.run());
    }

    fn keep(&mut self, half_open: Option<TcpStream>) {
        if let Some(client) = half_open {
            self.half_open.spawn(keep_half_open(client, self.fate.subscribe()));
        }
    }

    fn publish(&self) {
        let open = self.forwarding.len() + self.half_open.len();
        self.counts.send_replace(Connections { open, accepted: self.accepted });
    }
}
