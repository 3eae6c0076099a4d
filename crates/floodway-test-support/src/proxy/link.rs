//! One direction of a connection: what comes in goes out when the toxics let it.

use std::{convert::Infallible, future::pending, io};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::tcp::{ReadHalf, WriteHalf},
    select,
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};

use super::toxic::{Direction, Toxics};

/// Bytes that are read at once.
const CHUNK: usize = 16 * 1024;
/// Chunks on their way, so 4 MiB at most; after that the sender has to wait, as with a real line.
const CHUNKS: usize = 256;

pub(super) struct Link {
    direction: Direction,
    toxics: watch::Receiver<Toxics>,
    random: fastrand::Rng,
    /// When a line of limited bandwidth has passed what was sent so far.
    free: Instant,
}

/// Bytes, and when they came. None of them means that the sender has ended.
struct Chunk {
    at: Instant,
    bytes: io::Result<Vec<u8>>,
}

impl Link {
    pub(super) fn new(direction: Direction, number: u64, toxics: watch::Receiver<Toxics>) -> Self {
        let random =
            fastrand::Rng::with_seed(2 * number + u64::from(direction == Direction::Upstream));
        Self { direction, toxics, random, free: Instant::now() }
    }

    /// Passes on what comes from `source`, its end included.
    ///
    /// Reading goes on while chunks wait to be sent, so that latency does not lessen throughput.
    ///
    /// # Errors
    ///
    /// If `source` broke, which the other direction has no way to notice.
    pub(super) async fn run(
        self,
        source: ReadHalf<'_>,
        destination: WriteHalf<'_>,
    ) -> io::Result<()> {
        let (sender, receiver) = mpsc::channel(CHUNKS);
        select! {
            result = self.send(receiver, destination) => result,
            never = receive(source, sender) => match never {},
        }
    }

    async fn send(
        mut self,
        mut chunks: mpsc::Receiver<Chunk>,
        mut destination: WriteHalf<'_>,
    ) -> io::Result<()> {
        while let Some(Chunk { at, bytes }) = chunks.recv().await {
            let luck = self.random.f64();
            self.may_send(at, luck).await;
            let bytes = bytes?;
            if bytes.is_empty() {
                // Fails if the receiver is gone, which is more than it was to be told.
                let _ = destination.shutdown().await;
                break;
            }
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                let portion = self.may_send(at, luck).await.min(rest.len());
                let (now, later) = rest.split_at(portion);
                if destination.write_all(now).await.is_err() {
                    // It no longer receives. The other direction sees its end as well, after what
                    // it sent before that.
                    return Ok(());
                }
                self.sent(portion);
                rest = later;
            }
        }
        Ok(())
    }

    /// Waits until bytes that came `at` that time may go, and says how many of them.
    async fn may_send(&mut self, at: Instant, luck: f64) -> usize {
        loop {
            let toxics = *self.toxics.borrow_and_update();
            let flow = toxics.flow(self.direction);
            let due = (!toxics.blackhole).then(|| self.free.max(at + flow.delay(luck)));
            // Not by a timer, which takes a millisecond even if the time has come.
            if due.is_some_and(|due| due <= Instant::now()) {
                return flow.portion();
            }
            select! {
                () = until(due) => {}
                changed = self.toxics.changed() => match changed {
                    // A slower line from before keeps nobody waiting.
                    Ok(()) => self.free = Instant::now(),
                    // The proxy is being dropped, and this with it.
                    Err(_) => pending().await,
                },
            }
        }
    }

    fn sent(&mut self, bytes: usize) {
        let now = Instant::now();
        let flow = self.toxics.borrow().flow(self.direction);
        self.free = self.free.max(now) + flow.time_for(bytes);
    }
}

/// Resolves at that time, or never.
async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => pending().await,
    }
}

/// Reads until the source ends, which is the last chunk, and then waits to be dropped.
async fn receive(mut source: ReadHalf<'_>, chunks: mpsc::Sender<Chunk>) -> Infallible {
    loop {
        let mut buffer = Vec::with_capacity(CHUNK);
        let bytes = source.read_buf(&mut buffer).await.map(|_| buffer);
        let ended = bytes.as_ref().map_or(true, Vec::is_empty);
        if chunks.send(Chunk { at: Instant::now(), bytes }).await.is_err() || ended {
            return pending().await;
        }
    }
}
