//! What a worker has in hand: items that were delivered and have no outcome yet.

use std::{
    collections::HashMap,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::OwnedSemaphorePermit;

use crate::store::{Entry, Failed, Outcomes};

/// One delivery of one item.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item {
    pub(crate) number: u64,
    pub(crate) delivery: u32,
}

/// An entry, and the turn that it was read in, if its stream has turns.
#[derive(Debug)]
pub(crate) struct Delivered {
    pub(crate) entry: Entry,
    pub(crate) turn: Option<OwnedSemaphorePermit>,
}

/// Items by their index in the fan-out, which is all that the outcome of one that panicked has.
#[derive(Debug, Default)]
pub(crate) struct Hand(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    next_index: usize,
    items: HashMap<usize, InHand>,
}

#[derive(Debug)]
struct InHand {
    item: Item,
    /// The last item of an entry that has an outcome is the last that holds it.
    entry: Arc<Delivered>,
}

/// An entry that is handed out item by item.
#[derive(Debug)]
pub(crate) struct Opened {
    /// `None` with the last item.
    delivered: Option<Arc<Delivered>>,
    left: Range<u64>,
}

impl Opened {
    pub(crate) fn new(delivered: Delivered) -> Self {
        let left = delivered.entry.items.clone();
        Self { delivered: Some(Arc::new(delivered)), left }
    }
}

impl Hand {
    /// The next item of an entry; `None` after the last.
    pub(crate) fn take(&self, opened: &mut Opened) -> Option<Item> {
        let number = opened.left.next()?;
        let entry = match opened.left.is_empty() {
            true => opened.delivered.take()?,
            false => Arc::clone(opened.delivered.as_ref()?),
        };
        let item = Item { number, delivery: entry.entry.delivery };
        let mut inner = self.lock();
        let index = inner.next_index;
        inner.next_index += 1;
        inner.items.insert(index, InHand { item, entry });
        Some(item)
    }

    /// Puts what became of an item to the outcomes, with its entry if nothing else of it is left. The
    /// turn goes to `turns`: it ends when the outcome is recorded.
    pub(crate) fn settle(
        &self,
        index: usize,
        succeeded: bool,
        outcomes: &mut Outcomes,
        turns: &mut Vec<OwnedSemaphorePermit>,
    ) {
        let Some(InHand { item, entry }) = self.lock().items.remove(&index) else { return };
        let Item { number, delivery } = item;
        match succeeded {
            true => outcomes.succeeded.push(number),
            false => outcomes.failed.push(Failed { item: number, delivery }),
        }
        if let Some(Delivered { entry, turn }) = Arc::into_inner(entry) {
            outcomes.finished.push(entry);
            turns.extend(turn);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Lane;

    #[test]
    fn an_entry_is_finished_with_the_last_outcome_whatever_their_order() {
        let hand = Hand::default();
        let entry = Entry { lane: Lane::Stream, id: "1-0".into(), items: 4..7, delivery: 2 };
        let mut opened = Opened::new(Delivered { entry, turn: None });
        let mut items = Vec::new();
        while let Some(item) = hand.take(&mut opened) {
            items.push((item.number, item.delivery));
        }
        assert_eq!(items, [(4, 2), (5, 2), (6, 2)]);

        let (mut outcomes, mut turns) = (Outcomes::default(), Vec::new());
        hand.settle(2, true, &mut outcomes, &mut turns);
        hand.settle(0, false, &mut outcomes, &mut turns);
        assert!(outcomes.finished.is_empty());
        hand.settle(1, true, &mut outcomes, &mut turns);
        assert_eq!(outcomes.succeeded, [6, 5]);
        assert_eq!(outcomes.failed[0].item, 4);
        assert_eq!(outcomes.failed[0].delivery, 2);
        assert_eq!(outcomes.finished[0].id, "1-0");
    }
}
