//! How much of the machine pages may take, however often they are asked for.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use axum::body::Bytes;
use tokio::{
    sync::{Mutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
    time::{Instant, sleep_until},
};

/// After a page that took `d`, the next is begun no sooner than `9 d` later: one core is busy with
/// pages for a tenth of the time at most.
const REST: u32 = 9;

/// A page that took seconds, because the machine was asleep or swapping, does not shut the door for
/// longer than a scrape.
const MAX_REST: Duration = Duration::from_secs(10);

/// Pages that are kept for those who asked for them in the meantime: both formats, or what is asked
/// for by browsers that began at different times.
const KEPT: usize = 4;

/// Requests that may wait for their page at once; each holds little more than its connection.
const MAX_WAITING: usize = 256;

/// Makes one page at a time, on a thread for blocking work, and rests in between.
///
/// Nobody gets a page that was begun before they asked, and all who asked for the same before it was
/// begun share it: a hundred clients at once cost two pages.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    turn: Arc<Mutex<Turn>>,
    waiting: Arc<Semaphore>,
}

#[derive(Debug)]
struct Turn {
    not_before: Instant,
    last: VecDeque<Page>,
}

#[derive(Clone, Debug)]
struct Page {
    begun: Instant,
    /// Pages with different keys are not shared.
    key: u64,
    bytes: Bytes,
}

/// Why there is no page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoPage {
    /// Too many wait already.
    Busy,
    /// Making it panicked.
    Failed,
}

impl Pace {
    pub(crate) fn new() -> Self {
        let turn = Turn { not_before: Instant::now(), last: VecDeque::new() };
        Self { turn: Arc::new(Mutex::new(turn)), waiting: Arc::new(Semaphore::new(MAX_WAITING)) }
    }

    /// A page that `make` makes from now on, or somebody else's of the same `key`.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it gives up its place; a page that was begun is made all the same, and the rest
    /// after it is kept: who asks and leaves costs no more than who stays.
    pub(crate) async fn page(
        &self,
        key: u64,
        make: impl FnOnce() -> Bytes + Send + 'static,
    ) -> Result<Bytes, NoPage> {
        let asked = Instant::now();
        let place = Arc::clone(&self.waiting).try_acquire_owned().map_err(|_| NoPage::Busy)?;
        let turn = Arc::clone(&self.turn).lock_owned().await;
        if let Some(page) = turn.last.iter().find(|page| page.key == key && page.begun >= asked) {
            return Ok(page.bytes.clone());
        }
        tokio::spawn(begin(turn, place, key, make)).await.unwrap_or(Err(NoPage::Failed))
    }
}

/// Runs to its end, whoever has gone meanwhile.
async fn begin(
    mut turn: OwnedMutexGuard<Turn>,
    _place: OwnedSemaphorePermit,
    key: u64,
    make: impl FnOnce() -> Bytes + Send + 'static,
) -> Result<Bytes, NoPage> {
    sleep_until(turn.not_before).await;
    let begun = Instant::now();
    let made = spawn_blocking(make).await;
    turn.not_before = Instant::now() + begun.elapsed().min(MAX_REST / REST) * REST;
    let bytes = made.map_err(|_| NoPage::Failed)?;
    turn.last.retain(|page| page.key != key);
    turn.last.push_front(Page { begun, key, bytes: bytes.clone() });
    turn.last.truncate(KEPT);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use futures::future::join_all;

    use super::*;

    static MADE: AtomicU64 = AtomicU64::new(0);

    fn make() -> Bytes {
        Bytes::from(MADE.fetch_add(1, Ordering::Relaxed).to_string())
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_at_once_shares_and_who_asks_later_does_not() {
        let pace = Pace::new();
        let pages = join_all((0..100).map(|_| pace.page(0, make))).await;
        assert!(pages.iter().all(|page| *page == Ok(Bytes::from("0"))), "{pages:?}");
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(pace.page(0, make).await, Ok(Bytes::from("1")));
        tokio::time::advance(Duration::from_millis(1)).await;
        let two = || join_all((0..100).map(|number| pace.page(number % 2, make)));
        let pages = two().await;
        assert!(pages.chunks(2).all(|pair| pair == &pages[..2]), "{pages:?}");
        assert_ne!(pages[0], pages[1]);
    }

    #[tokio::test]
    async fn pages_take_a_tenth_of_the_time() {
        let pace = Pace::new();
        let (began, took) = (Instant::now(), Duration::from_millis(2));
        for key in 0..4 {
            let spin = move || {
                let until = Instant::now() + took;
                while Instant::now() < until {}
                Bytes::new()
            };
            pace.page(key, spin).await.unwrap();
        }
        assert!(began.elapsed() >= took * 3 * (REST + 1), "{:?}", began.elapsed());
    }

    #[tokio::test]
    async fn a_page_that_panics_is_not_there_and_the_next_is() {
        let pace = Pace::new();
        assert_eq!(pace.page(0, || panic!("on purpose")).await, Err(NoPage::Failed));
        assert_eq!(pace.page(0, || Bytes::from("x")).await, Ok(Bytes::from("x")));
    }

    #[tokio::test(start_paused = true)]
    async fn more_than_a_few_hundred_do_not_wait() {
        let pace = Pace::new();
        let held = pace.turn.lock().await;
        let mut waiting: Vec<_> =
            (0..MAX_WAITING).map(|_| Box::pin(pace.page(0, Bytes::new))).collect();
        for page in &mut waiting {
            assert!(futures::poll!(page).is_pending());
        }
        assert_eq!(pace.page(0, Bytes::new).await, Err(NoPage::Busy));
        drop(waiting);
        drop(held);
        assert_eq!(pace.page(0, Bytes::new).await, Ok(Bytes::new()));
    }
}
