//! Defects of the pools that the adapters work around. When one of these fails, it was mended.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use deadpool::managed::{self, Metrics, Pool as Deadpool, RecycleResult, Timeouts};
use futures::FutureExt;

/// A manager for every pool, whose connections are numbers.
#[derive(Clone, Default)]
pub(crate) struct Fake {
    opened: Arc<AtomicU32>,
    behaviour: Behaviour,
}

#[derive(Clone, Copy, Default)]
enum Behaviour {
    #[default]
    Connects,
    NeverConnects,
    Fails,
}

#[derive(Debug, PartialEq)]
pub(crate) struct FakeError;

impl fmt::Display for FakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("refused")
    }
}

impl std::error::Error for FakeError {}

impl Fake {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn that_never_connects() -> Self {
        Self { behaviour: Behaviour::NeverConnects, ..Self::default() }
    }

    fn that_fails() -> Self {
        Self { behaviour: Behaviour::Fails, ..Self::default() }
    }

    /// How many connections were opened so far.
    pub(crate) fn connects(&self) -> u32 {
        self.opened.load(Ordering::SeqCst)
    }

    async fn open(&self) -> Result<u32, FakeError> {
        match self.behaviour {
            Behaviour::Connects => Ok(self.opened.fetch_add(1, Ordering::SeqCst)),
            Behaviour::NeverConnects => std::future::pending().await,
            Behaviour::Fails => Err(FakeError),
        }
    }
}

impl managed::Manager for Fake {
    type Type = u32;
    type Error = FakeError;

    async fn create(&self) -> Result<u32, FakeError> {
        self.open().await
    }

    async fn recycle(&self, _: &mut u32, _: &Metrics) -> RecycleResult<FakeError> {
        Ok(())
    }
}

impl bb8::ManageConnection for Fake {
    type Connection = u32;
    type Error = FakeError;

    async fn connect(&self) -> Result<u32, FakeError> {
        self.open().await
    }

    async fn is_valid(&self, _: &mut u32) -> Result<(), FakeError> {
        Ok(())
    }

    fn has_broken(&self, _: &mut u32) -> bool {
        false
    }
}

#[mobc::async_trait]
impl mobc::Manager for Fake {
    type Connection = u32;
    type Error = FakeError;

    async fn connect(&self) -> Result<u32, FakeError> {
        self.open().await
    }

    async fn check(&self, connection: u32) -> Result<u32, FakeError> {
        Ok(connection)
    }
}

fn deadpool(manager: Fake) -> Deadpool<Fake> {
    Deadpool::builder(manager).max_size(10).build().expect("a valid description")
}

/// How many connections `pool` gives at once.
async fn most(pool: &Deadpool<Fake>) -> usize {
    let at_once = Timeouts { wait: Some(Duration::ZERO), create: None, recycle: None };
    let mut taken = Vec::new();
    while let Ok(connection) = pool.timeout_get(&at_once).await {
        taken.push(connection);
    }
    taken.len()
}

#[tokio::test]
async fn deadpool_that_has_not_grown_keeps_its_permits_when_it_shrinks() {
    let pool = deadpool(Fake::new());
    pool.resize(4);
    let most = most(&pool).await;
    assert_eq!(most, 10, "upstream mended this: drop the workaround in src/deadpool.rs");
}

#[tokio::test]
async fn deadpool_that_grows_again_has_more_permits_than_before() {
    let pool = deadpool(Fake::new());
    for _ in 0..5 {
        pool.resize(4);
        pool.resize(10);
    }
    let most = most(&pool).await;
    assert_eq!(most, 40, "upstream mended this: drop the workaround in src/deadpool.rs");
}

#[tokio::test]
async fn deadpool_counts_who_connects_as_waiting() {
    let pool = deadpool(Fake::that_never_connects());
    let mut connecting = pool.get().boxed();
    assert!((&mut connecting).now_or_never().is_none());
    let status = pool.status();
    assert_eq!(
        (status.size, status.waiting),
        (0, 1),
        "upstream mended this: drop the workaround in src/deadpool.rs"
    );
}

#[tokio::test]
async fn bb8_counts_who_left_as_pending() {
    let builder = bb8::Pool::builder().max_size(1);
    let pool = builder.build_unchecked(Fake::that_never_connects());
    for _ in 0..50 {
        assert!(pool.get().now_or_never().is_none());
    }
    assert_eq!(
        pool.state().statistics.pending_gets(),
        50,
        "upstream mended this: drop the workaround in src/bb8.rs"
    );
}

#[tokio::test(start_paused = true)]
async fn bb8_without_retries_lets_the_caller_wait_for_nothing() {
    let builder = bb8::Pool::builder().max_size(1).retry_connection(false);
    let pool = builder.build_unchecked(Fake::that_fails());
    let error = pool.get().await.expect_err("it cannot connect");
    assert_eq!(
        error,
        bb8::RunError::TimedOut,
        "upstream mended this: drop the workaround in src/bb8.rs"
    );
}

#[tokio::test]
async fn mobc_takes_no_notice_of_a_new_maximum() {
    let pool = mobc::Pool::builder().max_open(10).build(Fake::new());
    pool.set_max_open_conns(4).await;
    let mut taken = Vec::new();
    while let Some(connection) = pool.get().now_or_never() {
        taken.push(connection.expect("it connects"));
    }
    assert_eq!(
        taken.len(),
        10,
        "upstream mended this: drop the paragraph about mobc in src/lib.rs"
    );
}

#[tokio::test]
async fn mobc_counts_who_left_as_waiting() {
    let pool = mobc::Pool::builder().max_open(1).build(Fake::new());
    let _taken = pool.get().await.expect("it connects");
    for _ in 0..20 {
        assert!(pool.get().now_or_never().is_none());
    }
    let waiting = pool.state().await.wait_count;
    assert_eq!(waiting, 20, "upstream mended this: drop the paragraph about mobc in src/lib.rs");
}
