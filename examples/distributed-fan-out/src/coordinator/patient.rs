//! A job in Redis for who does not give up when the connection is lost.

use std::time::Duration;

use anyhow::Result;
use tokio::time::{Instant, sleep};

use crate::{
    server::Server,
    store::{Gone, Store},
};

/// Until it connects again.
const PAUSE: Duration = Duration::from_millis(200);

/// How long it goes on trying.
const PATIENCE: Duration = Duration::from_secs(30);

/// A store and where to find it again.
#[derive(Clone, Debug)]
pub(crate) struct Patient<'a> {
    server: &'a Server,
    store: Store,
}

impl<'a> Patient<'a> {
    pub(crate) const fn new(server: &'a Server, store: Store) -> Self {
        Self { server, store }
    }

    pub(crate) const fn server(&self) -> &'a Server {
        self.server
    }

    pub(crate) const fn store(&self) -> &Store {
        &self.store
    }

    /// Does it again, through new connections, while it fails: only for what may be done twice.
    pub(crate) async fn call<T>(&mut self, call: impl AsyncFn(&Store) -> Result<T>) -> Result<T> {
        let began = Instant::now();
        loop {
            match call(&self.store).await {
                Ok(value) => return Ok(value),
                Err(error) if error.is::<Gone>() || began.elapsed() > PATIENCE => {
                    return Err(error);
                }
                Err(_) => sleep(PAUSE).await,
            }
            if let Ok(connection) = self.server.connect().await {
                self.store = self.store.through(connection);
            }
        }
    }
}
