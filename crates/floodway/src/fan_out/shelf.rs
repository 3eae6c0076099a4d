//! Where outcomes lie until the consumer takes them.

use std::{collections::VecDeque, ops::Range};

use super::{ItemError, Outcome, StopReason, Timing};

/// Outcomes that were not delivered yet, in the order of their end or of their index.
pub(super) struct Shelf<T, E> {
    order: Order<T, E>,
    delivered: usize,
    /// Items that never ran and have the highest indices: made when they are asked for.
    rest: Option<(Range<usize>, StopReason)>,
}

enum Order<T, E> {
    OfEnd(VecDeque<Outcome<T, E>>),
    /// The first place belongs to the next index to deliver.
    OfIndex(VecDeque<Option<Outcome<T, E>>>),
}

impl<T, E> Shelf<T, E> {
    pub(super) const fn new(ordered: bool) -> Self {
        let order =
            if ordered { Order::OfIndex(VecDeque::new()) } else { Order::OfEnd(VecDeque::new()) };
        Self { order, delivered: 0, rest: None }
    }

    /// So many outcomes are expected.
    pub(super) fn reserve(&mut self, expected: usize) {
        if let Order::OfEnd(queue) = &mut self.order {
            // A source may announce more than there is memory for.
            queue.reserve_exact(expected.min(1 << 16));
        }
    }

    pub(super) const fn is_ordered(&self) -> bool {
        matches!(self.order, Order::OfIndex(_))
    }

    /// How many were taken.
    pub(super) const fn delivered(&self) -> usize {
        self.delivered
    }

    #[inline]
    pub(super) fn put(&mut self, outcome: Outcome<T, E>) {
        match &mut self.order {
            Order::OfEnd(queue) => queue.push_back(outcome),
            Order::OfIndex(places) => {
                let place = outcome.index - self.delivered;
                if place >= places.len() {
                    places.resize_with(place + 1, || None);
                }
                places[place] = Some(outcome);
            }
        }
    }

    /// None of these was started.
    pub(super) fn put_rest(&mut self, indices: Range<usize>, stop: &StopReason) {
        self.rest = Some((indices, stop.clone()));
    }

    #[inline]
    pub(super) fn take(&mut self) -> Option<Outcome<T, E>> {
        let outcome = match &mut self.order {
            Order::OfEnd(queue) => queue.pop_front(),
            Order::OfIndex(places) => match places.front_mut() {
                Some(first @ Some(_)) => {
                    let outcome = first.take();
                    places.pop_front();
                    outcome
                }
                _ => None,
            },
        };
        let outcome = outcome.or_else(|| {
            let (indices, stop) = self.rest.as_mut()?;
            Some(not_started(indices.next()?, stop))
        })?;
        self.delivered += 1;
        Some(outcome)
    }

    /// The values alone, by index.
    pub(super) fn take_values(&mut self) -> Vec<T> {
        self.rest = None;
        self.take_all().into_iter().filter_map(|outcome| outcome.result.ok()).collect()
    }

    /// Everything, by index.
    pub(super) fn take_all(&mut self) -> Vec<Outcome<T, E>> {
        let mut all: Vec<_> = match &mut self.order {
            Order::OfEnd(queue) => std::mem::take(queue).into(),
            Order::OfIndex(places) => std::mem::take(places).into_iter().flatten().collect(),
        };
        if !all.is_sorted_by_key(|outcome| outcome.index) {
            all.sort_unstable_by_key(|outcome| outcome.index);
        }
        if let Some((indices, stop)) = self.rest.take() {
            all.extend(indices.take(MOST_NOT_STARTED).map(|index| not_started(index, &stop)));
        }
        self.delivered += all.len();
        all
    }
}

/// How many outcomes of items that never ran are made at once: a source may be longer than there is
/// memory for the outcomes.
const MOST_NOT_STARTED: usize = 1 << 24;

fn not_started<T, E>(index: usize, stop: &StopReason) -> Outcome<T, E> {
    let result = Err(ItemError::NotStarted(stop.clone()));
    Outcome { index, result, timing: Timing::default(), attempts: 0 }
}
