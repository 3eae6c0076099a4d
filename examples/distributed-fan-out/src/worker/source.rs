//! The source of a worker's fan-out: items of both streams, as they are asked for.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use anyhow::Result;
use futures_core::Stream;
use tokio::sync::{Semaphore, mpsc, watch};

use super::hand::{Delivered, Hand, Item, Opened};
use crate::{stop, store::Reader};

/// Items of entries that were read. Ends when both readers have.
#[derive(Debug)]
pub(crate) struct Items {
    hand: Arc<Hand>,
    opened: Option<Opened>,
    stream: mpsc::Receiver<Delivered>,
    again: mpsc::Receiver<Delivered>,
}

impl Items {
    pub(crate) const fn new(
        hand: Arc<Hand>,
        stream: mpsc::Receiver<Delivered>,
        again: mpsc::Receiver<Delivered>,
    ) -> Self {
        Self { hand, opened: None, stream, again }
    }

    /// The next entry; first what somebody has waited for longest.
    fn poll_entry(&mut self, context: &mut Context<'_>) -> Poll<Option<Delivered>> {
        match self.again.poll_recv(context) {
            Poll::Ready(Some(entry)) => return Poll::Ready(Some(entry)),
            Poll::Ready(None) => return self.stream.poll_recv(context),
            Poll::Pending => {}
        }
        match self.stream.poll_recv(context) {
            // The other may still have one.
            Poll::Ready(None) => Poll::Pending,
            poll => poll,
        }
    }
}

impl Stream for Items {
    type Item = Item;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Item>> {
        let this = &mut *self;
        loop {
            if let Some(opened) = &mut this.opened
                && let Some(item) = this.hand.take(opened)
            {
                return Poll::Ready(Some(item));
            }
            match ready!(this.poll_entry(context)) {
                Some(delivered) => this.opened = Some(Opened::new(delivered)),
                None => return Poll::Ready(None),
            }
        }
    }
}

/// Reads entries until `stop`, as many ahead as fit into `entries`, and no more than there are `turns`
/// if there are turns: the next once an earlier one has all its outcomes.
pub(crate) async fn read(
    mut reader: Reader,
    turns: Option<Arc<Semaphore>>,
    entries: mpsc::Sender<Delivered>,
    stop: watch::Receiver<bool>,
) -> Result<()> {
    loop {
        let ready = async {
            let turn = match &turns {
                Some(turns) => Some(Arc::clone(turns).acquire_owned().await.ok()?),
                None => None,
            };
            Some((turn, entries.reserve().await.ok()?))
        };
        let (turn, place) = tokio::select! {
            Some(ready) = ready => ready,
            () = stop::thrown(stop.clone()) => return Ok(()),
            else => return Ok(()),
        };
        let entry = loop {
            if *stop.borrow() {
                return Ok(());
            }
            if let Some(entry) = reader.next().await? {
                break entry;
            }
        };
        place.send(Delivered { entry, turn });
    }
}
