//! What a connection costs that nobody has to wait for.

use std::{convert::Infallible, future::ready};

use allocation_counter::measure;
use floodway::{Clock, Pool, PoolFailure, PoolLimiter, PoolSnapshot, Registry, Weight};
use futures::FutureExt;
use tokio::runtime::Builder;

use super::kit::far;

/// A pool that costs nothing.
#[derive(Clone)]
struct NullPool;

impl Pool for NullPool {
    type Connection = ();
    type Error = Infallible;

    fn snapshot(&self) -> PoolSnapshot {
        PoolSnapshot { max: 10, open: 10, idle: 10, closed: false }
    }

    fn acquire(&self) -> impl Future<Output = Result<(), Infallible>> + Send + 'static {
        ready(Ok(()))
    }

    fn release(&self, (): ()) -> Option<impl Future<Output = ()> + Send + 'static> {
        None::<std::future::Ready<()>>
    }

    fn failure(error: &Infallible) -> PoolFailure {
        match *error {}
    }
}

/// Runs `round` a few times to begin with and counts the allocations of a hundred more.
fn count(mut round: impl FnMut()) -> u64 {
    (0..10).for_each(|_| round());
    measure(|| (0..100).for_each(|_| round())).count_total
}

#[test]
fn a_connection_allocates_once_for_the_attempt_of_the_pool() {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let _entered = runtime.enter();
    let limiter = PoolLimiter::builder("db", NullPool)
        .registry(&Registry::new())
        .clock(Clock::tokio())
        .build()
        .unwrap();
    let connection = || drop(limiter.connection(far()).now_or_never().expect("at once").unwrap());
    assert_eq!(count(connection), 100);
    // From a claim, too; a refusal allocates nothing.
    let claim = limiter.claim(Weight::Exact(2), far()).now_or_never().expect("at once").unwrap();
    assert_eq!(
        count(|| drop(claim.connection(far()).now_or_never().expect("at once").unwrap())),
        100
    );
    let _held = [(); 2].map(|()| claim.connection(far()).now_or_never().expect("at once").unwrap());
    assert_eq!(
        count(|| assert!(claim.connection(far()).now_or_never().expect("at once").is_err())),
        0
    );
}
