//! Where outcomes lie until the consumer takes them.

use std::{collections::VecDeque, ops::Range};

use super::{ItemError, Outcome, StopReason, Timing};

/// Outcomes that were not delivered yet.
pub(super) struct Shelf<T, E> {
    order: Order<T, E>,
    /// How many were taken, which is the index of the first place.
    taken: usize,
    /// Items that never ran and have the highest indices: made when they are asked for.
    rest: Option<(Range<usize>, StopReason)>,
}

enum Order<T, E> {
    /// For a consumer that takes them as they come.
    OfEnd(VecDeque<Outcome<T, E>>),
    /// For a consumer that takes them by index. The first place belongs to the next one.
    OfIndex(VecDeque<Option<Outcome<T, E>>>),
    /// For an end that takes all of them at once.
    Kept { ones: Vec<Outcome<T, E>>, runs: Vec<Run<T>> },
}

/// Values of consecutive items that ran in one chunk. They share their timing, so this says all
/// that their outcomes say.
pub(super) struct Run<T> {
    /// The index of the first.
    pub(super) start: usize,
    pub(super) values: Vec<T>,
    pub(super) timing: Timing,
}

impl<T> Run<T> {
    fn outcomes<E>(self) -> impl Iterator<Item = Outcome<T, E>> {
        let Self { start, values, timing } = self;
        let outcome = move |(place, value)| Outcome {
            index: start + place,
            result: Ok(value),
            timing,
            attempts: 1,
        };
        values.into_iter().enumerate().map(outcome)
    }
}

/// How many outcomes of items that were never pulled there are at most: a source may be longer than there is
/// memory for the outcomes.
const MOST_NOT_STARTED: usize = 1 << 24;

/// How many places are made in advance: a source may announce more than there is memory for.
const MOST_EXPECTED: usize = 1 << 16;

impl<T, E> Shelf<T, E> {
    /// For a consumer that takes outcomes one by one.
    pub(super) const fn streaming(ordered: bool) -> Self {
        let order =
            if ordered { Order::OfIndex(VecDeque::new()) } else { Order::OfEnd(VecDeque::new()) };
        Self { order, taken: 0, rest: None }
    }

    /// For an end that takes all of them at once.
    pub(super) const fn keeping() -> Self {
        let order = Order::Kept { ones: Vec::new(), runs: Vec::new() };
        Self { order, taken: 0, rest: None }
    }

    /// So many outcomes are expected, one by one.
    pub(super) fn expect(&mut self, outcomes: usize) {
        if let Order::Kept { ones, .. } = &mut self.order {
            ones.reserve_exact(outcomes.min(MOST_EXPECTED));
        }
    }

    pub(super) const fn is_ordered(&self) -> bool {
        matches!(self.order, Order::OfIndex(_))
    }

    #[inline]
    pub(super) fn put(&mut self, outcome: Outcome<T, E>) {
        match &mut self.order {
            Order::OfEnd(queue) => queue.push_back(outcome),
            Order::OfIndex(places) => {
                let place = outcome.index - self.taken;
                if place >= places.len() {
                    places.resize_with(place + 1, || None);
                }
                places[place] = Some(outcome);
            }
            Order::Kept { ones, .. } => ones.push(outcome),
        }
    }

    pub(super) fn put_run(&mut self, run: Run<T>) {
        match &mut self.order {
            Order::Kept { runs, .. } => runs.push(run),
            _ => run.outcomes().for_each(|outcome| self.put(outcome)),
        }
    }

    /// None of these was started.
    pub(super) fn put_rest(&mut self, indices: Range<usize>, stop: &StopReason) {
        let end = indices.end.min(indices.start.saturating_add(MOST_NOT_STARTED));
        self.rest = Some((indices.start..end, stop.clone()));
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
            Order::Kept { .. } => None,
        };
        let outcome = outcome.or_else(|| self.take_rest())?;
        self.taken += 1;
        Some(outcome)
    }

    fn take_rest(&mut self) -> Option<Outcome<T, E>> {
        let (indices, stop) = self.rest.as_mut()?;
        Some(not_started(indices.next()?, stop))
    }

    /// The values that were kept, by index.
    pub(super) fn take_values(&mut self) -> Vec<T> {
        let (ones, mut runs) = self.take_kept();
        if ones.is_empty() && runs.len() == 1 {
            return runs.pop().map(|run| run.values).unwrap_or_default();
        }
        if runs.is_empty() {
            return ones.into_iter().filter_map(|outcome| outcome.result.ok()).collect();
        }
        let mut values = Vec::with_capacity(ones.len() + length(&runs));
        let mut ones = ones.into_iter().peekable();
        for run in runs {
            while let Some(one) = ones.next_if(|one| one.index < run.start) {
                values.extend(one.result.ok());
            }
            values.extend(run.values);
        }
        values.extend(ones.filter_map(|outcome| outcome.result.ok()));
        values
    }

    /// Everything that was kept, by index.
    pub(super) fn take_all(&mut self) -> Vec<Outcome<T, E>> {
        let (ones, runs) = self.take_kept();
        let mut all = if runs.is_empty() {
            ones
        } else {
            let mut all = Vec::with_capacity(ones.len() + length(&runs));
            let mut ones = ones.into_iter().peekable();
            for run in runs {
                while let Some(one) = ones.next_if(|one| one.index < run.start) {
                    all.push(one);
                }
                all.extend(run.outcomes());
            }
            all.extend(ones);
            all
        };
        if let Some((indices, stop)) = self.rest.take() {
            all.extend(indices.map(|index| not_started(index, &stop)));
        }
        all
    }

    /// What was kept, both parts by index.
    fn take_kept(&mut self) -> (Vec<Outcome<T, E>>, Vec<Run<T>>) {
        let Order::Kept { ones, runs } = &mut self.order else {
            return (Vec::new(), Vec::new());
        };
        let (mut ones, mut runs) = (std::mem::take(ones), std::mem::take(runs));
        if runs.is_empty() {
            put_in_place(&mut ones);
        } else {
            ones.sort_unstable_by_key(|outcome| outcome.index);
            runs.sort_unstable_by_key(|run| run.start);
        }
        (ones, runs)
    }
}

/// Puts outcomes of the indices 0 to `len` where they belong. Cheaper than sorting, as each is moved
/// at most once.
fn put_in_place<T, E>(outcomes: &mut [Outcome<T, E>]) {
    for place in 0..outcomes.len() {
        while let index = outcomes[place].index
            && index != place
        {
            if index >= outcomes.len() || outcomes[index].index == index {
                // Not those indices after all.
                outcomes.sort_unstable_by_key(|outcome| outcome.index);
                return;
            }
            outcomes.swap(place, index);
        }
    }
}

fn length<T>(runs: &[Run<T>]) -> usize {
    runs.iter().map(|run| run.values.len()).sum()
}

fn not_started<T, E>(index: usize, stop: &StopReason) -> Outcome<T, E> {
    let result = Err(ItemError::NotStarted(stop.clone()));
    Outcome { index, result, timing: Timing::default(), attempts: 0 }
}
