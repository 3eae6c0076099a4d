//! Auto traits, error traits and allocation of the public types.

use std::error::Error;

use floodway::{
    Acquiring, BuildError, Ceiling, ConnectionError, LimitError, Limiter, Outcome, Permit, Rejected,
};
use futures::{FutureExt, future::poll_immediate};

use crate::support::{Bench, is_pending, ms};

fn send_sync_static<T: Send + Sync + 'static>() {}
fn error<T: Error + Send + Sync + 'static>() {}

#[test]
fn handles_permits_and_futures_cross_threads_and_errors_are_errors() {
    send_sync_static::<Limiter>();
    send_sync_static::<Permit>();
    send_sync_static::<Ceiling>();
    fn send_unpin<T: Send + Unpin + 'static>() {}
    send_unpin::<Acquiring>();
    error::<Rejected>();
    error::<BuildError>();
    error::<LimitError>();
    error::<ConnectionError<std::io::Error>>();
}

#[test]
fn a_refusal_says_why_and_when_to_come_back() {
    let bench = Bench::new(|b| b.limit(1));
    let _held = bench.take();
    let refused = bench.limiter.try_acquire().unwrap_err();
    // Up to half longer, at random, than the second that stands for "unknown".
    assert!((ms(1_000)..ms(1_500)).contains(&refused.retry_after), "{:?}", refused.retry_after);
    let why = "rejected: no permit is free; 1 of 1 permits in flight, retry after ";
    assert_eq!(refused.to_string(), format!("{why}{:?}", refused.retry_after));
}

#[test]
fn a_free_permit_allocates_nothing() {
    let bench = Bench::new(|b| b.limit(4));
    let round = || {
        let permit = bench.limiter.acquire().now_or_never().expect("ready").expect("free");
        permit.complete(Outcome::Success);
        drop(bench.take());
    };
    round();
    assert_eq!(allocation_counter::measure(|| (0..100).for_each(|_| round())).count_total, 0);
}

/// A queue whose storage grew once is reused, and one timer watches over all who wait.
#[tokio::test(start_paused = true)]
async fn a_wait_allocates_nothing() {
    let bench = Bench::new(|b| b.limit(1));
    let _held = bench.take();
    // Starts the watch, which lasts for as long as anybody waits.
    let mut first = bench.limiter.acquire();
    assert!(is_pending(&mut first).await);
    let wait = || {
        let pending = poll_immediate(bench.limiter.acquire()).now_or_never();
        assert!(matches!(pending, Some(None)), "waits, and is dropped");
    };
    (0..200).for_each(|_| wait());
    let measured = allocation_counter::measure(|| (0..1_000).for_each(|_| wait()));
    assert_eq!((measured.count_total, measured.count_current), (0, 0));
}
