//! What the tests of fan-outs share.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
};

pub(super) use super::{Gauge, nz};
use floodway::{Limiter, LimiterBuilder, Registry};
use tokio::time::timeout;

use crate::support::ms;

/// How often a fan-out of these tests is polled at most before it is said to spin.
const MOST_POLLS: usize = 1_000_000;

/// The output of a future that is to end: not to hang for a day, nor to spin.
#[track_caller]
pub(super) fn ends<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let location = std::panic::Location::caller();
    async move {
        let mut future = pin!(future);
        let mut polls = 0;
        let watched = poll_fn(|context| {
            polls += 1;
            assert!(polls < MOST_POLLS, "it spins: {location}");
            future.as_mut().poll(context)
        });
        timeout(ms(86_400_000), watched).await.unwrap_or_else(|_| panic!("it hangs: {location}"))
    }
}

pub(super) fn limiter(describe: impl FnOnce(LimiterBuilder) -> LimiterBuilder) -> Limiter {
    let builder = Limiter::builder("fan-out").registry(&Registry::new());
    describe(builder).build().expect("a valid description")
}

/// Counts.
#[derive(Clone, Default)]
pub(super) struct Count(Arc<AtomicUsize>);

impl Count {
    pub(super) fn up(&self) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst)
    }

    pub(super) fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// Whether a poll gave nothing.
pub(super) async fn waits<F: Future + Unpin>(future: &mut F) -> bool {
    poll_fn(|context| Poll::Ready(std::pin::Pin::new(&mut *future).poll(context).is_pending()))
        .await
}

/// Panics without the noise.
pub(super) fn panics() -> ! {
    std::panic::resume_unwind(Box::new("on purpose"))
}

/// What an operation that cannot fail results in.
pub(super) type R<T> = Result<T, std::convert::Infallible>;
