//! A worker while its connection lasts: reads, runs, records, and gives signs of life.

use std::{
    num::NonZeroUsize,
    sync::{Arc, LazyLock},
};

use anyhow::{Result, bail};
use floodway::fan_out::{FanOutExt, ItemError, Name, Outcome};
use floodway_fleet::LeaseSnapshot;
use futures::StreamExt;
use tokio::{
    sync::{Semaphore, mpsc, watch},
    time::{Duration, Instant, MissedTickBehavior, interval},
};

use super::{
    hand::{Delivered, Hand, Item},
    permits::Permits,
    source::{self, Items},
};
use crate::{
    server::Server,
    store::{Beat, Lane, Outcomes, Reader, Store},
    work::Poisoned,
};

/// Several times within the time that a consumer is taken for alive.
const BEAT: Duration = Duration::from_millis(400);

/// Outcomes that are recorded in one step. What ends while a step is on its way goes with the next, so
/// steps are as large as the load makes them.
const OUTCOMES_AT_A_TIME: usize = 512;

/// Entries that are read before they are asked for. What is read and not begun is delivered again, too,
/// when the worker dies.
const ENTRIES_AHEAD: usize = 1;

static NAME: LazyLock<Name> =
    LazyLock::new(|| Name::new("distributed-fan-out").expect("the name is valid"));

/// One consumer of the group.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    pub(crate) server: &'a Server,
    pub(crate) store: Store,
    /// What is counted by.
    pub(crate) worker: &'a str,
    /// Of this session alone.
    pub(crate) consumer: String,
    pub(crate) concurrency: NonZeroUsize,
    pub(crate) permits: &'a Permits,
}

impl Session<'_> {
    /// Runs until every item of the job has an outcome, or what is in hand has one after `stop`.
    pub(crate) async fn run(self, stop: &watch::Sender<bool>) -> Result<()> {
        // Before the first read: who reads and has given no sign of life is dead.
        self.beat(true, Duration::ZERO).await?;
        let (stream, streamed) = mpsc::channel(ENTRIES_AHEAD);
        let (again, repeated) = mpsc::channel(ENTRIES_AHEAD);
        let reading = self.read(Lane::Stream, None, stream, stop.subscribe());
        // One at a time: an item that ends its process takes no more than one of those with it that
        // may be the next to do so, and they are told apart by who is left.
        let turns = Some(Arc::new(Semaphore::new(1)));
        let repeating = self.read(Lane::Again, turns, again, stop.subscribe());
        let hand = Arc::new(Hand::default());
        let items = Items::new(Arc::clone(&hand), streamed, repeated);
        let working = self.work(items, &hand, stop);
        tokio::select! {
            ended = async { tokio::try_join!(reading, repeating, working) } => ended.map(drop),
            failed = self.live(stop) => failed,
        }
    }

    async fn read(
        &self,
        lane: Lane,
        turns: Option<Arc<Semaphore>>,
        entries: mpsc::Sender<Delivered>,
        stop: watch::Receiver<bool>,
    ) -> Result<()> {
        let connection = self.server.connect().await?;
        let reader = Reader::new(connection, &self.store, lane, &self.consumer);
        source::read(reader, turns, entries, stop).await
    }

    /// The fan-out: a permit, then an item, then its outcome into Redis.
    async fn work(&self, items: Items, hand: &Hand, stop: &watch::Sender<bool>) -> Result<()> {
        let operation = self.store.job().operation();
        let outcomes = items
            .fan_out(move |item: Item| operation.run(item.number))
            .limiter(self.permits.limiter())
            .concurrency(self.concurrency)
            .name(&NAME)
            .stream();
        let mut ready = outcomes.ready_chunks(OUTCOMES_AT_A_TIME);
        while let Some(ended) = ready.next().await {
            let (mut outcomes, mut turns) = (Outcomes::default(), Vec::new());
            for Outcome { index, result, .. } in ended {
                hand.settle(index, has_succeeded(result)?, &mut outcomes, &mut turns);
            }
            if self.store.record(self.worker, &outcomes).await? == 0 {
                stop.send_replace(true);
            }
        }
        Ok(())
    }

    /// Beats, and looks after what dead workers have left, for ever.
    async fn live(&self, stop: &watch::Sender<bool>) -> Result<()> {
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last = Instant::now();
        loop {
            beat.tick().await;
            let now = Instant::now();
            self.beat(false, now - last).await?;
            last = now;
            if self.store.reclaim().await? == 0 {
                stop.send_replace(true);
            }
        }
    }

    async fn beat(&self, started: bool, elapsed: Duration) -> Result<()> {
        let Self { consumer, worker, permits, .. } = self;
        permits.check(worker)?;
        let LeaseSnapshot { grant: permits, outstanding, .. } = permits.snapshot();
        let beat = Beat { consumer, worker, started, elapsed, permits, outstanding };
        self.store.beat(beat).await.map(drop)
    }
}

/// Whether an item has succeeded, rather than failed by itself.
fn has_succeeded(result: Result<(), ItemError<Poisoned>>) -> Result<bool> {
    match result {
        Ok(()) => Ok(true),
        // Says nothing about the item: it stays with this consumer until that is taken for dead.
        Err(
            error @ (ItemError::Cancelled(_) | ItemError::NotStarted(_) | ItemError::Rejected(_)),
        ) => {
            bail!("an item was not run: {error}")
        }
        Err(_) => Ok(false),
    }
}
