//! A pool of nothing, so that what remains is what a permit costs.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use floodway::{Pool, PoolFailure, PoolSnapshot};

/// Counts those that nobody uses, as a real pool does.
#[derive(Clone)]
pub(super) struct Null {
    max: u32,
    idle: Arc<AtomicU32>,
}

/// What is handed out.
pub(super) struct Nothing(Arc<AtomicU32>);

impl Null {
    pub(super) fn new(max: u32) -> Self {
        Self { max, idle: Arc::new(AtomicU32::new(max)) }
    }

    pub(super) fn take(&self) -> Nothing {
        self.idle.fetch_sub(1, Ordering::AcqRel);
        Nothing(Arc::clone(&self.idle))
    }
}

/// On every way out, as with a real pool.
impl Drop for Nothing {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

impl Pool for Null {
    type Connection = Nothing;
    type Error = Infallible;

    fn snapshot(&self) -> PoolSnapshot {
        let idle = self.idle.load(Ordering::Acquire);
        PoolSnapshot { max: self.max, open: self.max, idle, closed: false }
    }

    fn acquire(&self) -> impl Future<Output = Result<Nothing, Infallible>> + Send + 'static {
        ready(Ok(self.take()))
    }

    fn release(&self, connection: Nothing) -> Option<impl Future<Output = ()> + Send + 'static> {
        drop(connection);
        None::<Ready<()>>
    }

    fn failure(error: &Infallible) -> PoolFailure {
        match *error {}
    }
}
