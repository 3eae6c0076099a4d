//! When a batch goes, and with how many of the items that wait.

use std::time::Duration;

use super::{
    BatchDecision, BatchQueue, BatchSizer, BatchSizing, BatchTrigger, Dispatch, MANY,
    cost::{duration, seconds},
    population,
    probing::{Next, Role},
};

/// How long an item waits for others at most, if nobody said: Kafka's default since
/// [4.0](https://github.com/apache/kafka/pull/18080).
const LINGER: Duration = Duration::from_millis(5);

/// How long a batch may be on its way before others go beside it after all, where fewer at a time are
/// quicker.
const HANGS: Duration = Duration::from_secs(1);

/// An α ÷ β with which it does.
const PAYS: f64 = 2.0;

/// One part of so many of a slot's share may be missing.
const NEARLY: usize = 16;

/// The part of the time of a batch that is worth waiting for company.
const PATIENCE: f64 = 0.5;

/// So many parts of what waits a batch may take if that is more than load calls for, where there are as
/// many parts as slots and one more.
const SHARE: usize = 2;

impl BatchSizer {
    /// As many as the target allows, or as have waited long enough, also where nothing runs.
    pub(super) fn decide_fixed(&self, now: Duration, queue: &BatchQueue) -> BatchDecision {
        let size = self.target.get().items;
        let linger = self.config.max_linger.unwrap_or(Duration::ZERO);
        let (patience, late) = self.patience(linger, queue.queued);
        let trigger = if queue.queued >= size {
            BatchTrigger::Size
        } else if self.is_too_heavy(queue) {
            BatchTrigger::Weight
        } else if linger.is_zero() {
            BatchTrigger::Idle
        } else if now.saturating_sub(queue.oldest) >= patience {
            late
        } else {
            let until = queue.oldest.saturating_add(patience);
            return BatchDecision::Wait { items: size, until };
        };
        dispatch(queue.queued.clamp(1, size), trigger)
    }

    /// At once where nothing runs. Otherwise what load calls for, and no longer than half the time
    /// of a batch.
    ///
    /// A timer may be a millisecond or two late. That does no harm: a batch that runs comes back
    /// about as soon, and asks again.
    pub(super) fn decide_adaptive(&mut self, now: Duration, queue: &BatchQueue) -> BatchDecision {
        let queued = queue.queued.max(1);
        let waited = now.saturating_sub(queue.oldest);
        let all = self.population.steady();
        let closed = self.closed().is_some();
        // Where callers come back, more batches at a time are not always better.
        let slots = if closed { self.crowd.slots(queue.slots) } else { queue.slots.max(1) };
        let share = self.closed().or(all).map(|all| all.div_ceil(slots));
        let (most, needed) = self.sizes(now, queue, slots, share);
        let half = self
            .cost
            .line()
            .map_or(Duration::MAX, |line| duration(line.time(queued as f64) * PATIENCE));
        let linger = self.config.max_linger.unwrap_or(LINGER).min(half);
        let (patience, late) = self.patience(linger, queued);
        // They come back within microseconds; who does not is not waited for.
        // More than fit always wait in a queue that is full, and nobody has to be waited for.
        let enough = share.filter(|share| closed && *share <= most).unwrap_or(1);
        let enough = enough - enough / NEARLY;
        let trigger = if let Some(trigger) = self.rest.take() {
            trigger
        } else if closed && queue.in_flight >= slots && waited < HANGS {
            // The batch that comes back asks again; the hour is for one that never does.
            let until = queue.oldest.saturating_add(HANGS);
            return BatchDecision::Wait { items: usize::MAX, until };
        } else if queued < enough && waited < patience {
            let until = queue.oldest.saturating_add(patience);
            return BatchDecision::Wait { items: enough, until };
        } else if queue.in_flight == 0 {
            BatchTrigger::Idle
        } else if self.is_too_heavy(queue) {
            BatchTrigger::Weight
        } else if queued >= needed {
            BatchTrigger::Size
        } else if waited >= patience {
            late
        } else {
            let until = queue.oldest.saturating_add(patience);
            return BatchDecision::Wait { items: needed, until };
        };
        // More may wait than load calls for. After a stall, an ample share of that goes; and where
        // callers come back, a slot's share of all items leaves none of them waiting for good.
        let ample = queued.saturating_mul(SHARE).div_ceil(slots.saturating_add(1));
        let share = population::items(queue).div_ceil(slots).max(ample);
        self.probe_or(queued.min(most).min(needed.max(share)), queued, trigger)
    }

    /// Whether there are many pairs, or those that there are leave no doubt that batching pays.
    fn is_known(&self) -> bool {
        self.ratio.pairs() >= MANY || self.ratio.estimate().is_some_and(|ratio| ratio.low >= PAYS)
    }

    /// The items of all callers, where they come back with another when they have their answer.
    pub(super) fn closed(&self) -> Option<usize> {
        let fit = self.target.get().items.saturating_mul(self.queue.slots);
        self.population.closed(fit)
    }

    /// The most items of a batch, and how many are reason enough for one.
    fn sizes(
        &mut self,
        now: Duration,
        queue: &BatchQueue,
        slots: usize,
        share: Option<usize>,
    ) -> (usize, usize) {
        let most = self.target.get().items;
        let Some(line) = self.cost.line() else {
            self.load.observe(now, queue.arrived, 0.0);
            return (most, 1);
        };
        let batch = line.time(most.min(queue.queued) as f64);
        self.load.observe(now, queue.arrived, batch);
        let needed = self.needed(slots).unwrap_or(most);
        let (most, needed) = match share {
            Some(share) => (most.min(share), needed.min(share)),
            None => (most, needed),
        };
        // Behind, fewer than load calls for would make those that come later even later.
        let behind = self.objective.as_ref().is_some_and(|it| it.is_behind(seconds(self.waited)));
        let timely = self.timely().unwrap_or(usize::MAX).max(if behind { needed } else { 1 });
        let most = most.min(timely);
        (most, needed.min(most))
    }

    /// How long the oldest of `queued` items may wait, and what it means if it did.
    fn patience(&self, linger: Duration, queued: usize) -> (Duration, BatchTrigger) {
        if let (Some(objective), Some(line)) = (&self.objective, self.cost.line()) {
            let slack = objective.patience(line, self.cost.residual(), queued as f64);
            let slack = duration(slack);
            if slack < linger {
                return (slack, BatchTrigger::Objective);
            }
        }
        (linger, BatchTrigger::Linger)
    }

    /// The most items that are answered in time, with an oldest that has waited as this one has.
    fn timely(&self) -> Option<usize> {
        let (objective, line) = (self.objective.as_ref()?, self.cost.line()?);
        Some(objective.items_after(line, self.cost.residual(), seconds(self.waited)))
    }

    fn is_too_heavy(&self, queue: &BatchQueue) -> bool {
        self.weight.max().is_some_and(|max| queue.weight >= max)
    }

    /// Sends a probe instead of a batch of `items`, if it is time for one. What remains of the batch
    /// follows at once if a slot is free, so that it does not wait for the probe.
    fn probe_or(&mut self, items: usize, queued: usize, trigger: BatchTrigger) -> BatchDecision {
        self.role = Role::Regular;
        let BatchSizing::Adaptive { max_size, .. } = self.config.sizing else {
            return dispatch(items, trigger);
        };
        let next = Next {
            items,
            target: self.target.get().items,
            most: max_size.min(self.timely().unwrap_or(usize::MAX)),
            queued,
            rare: self.closed().is_some() && self.is_known(),
            doubt: self.doubt,
        };
        let probe = if !self.config.probing {
            None
        } else if let Some(size) = self.probing.size(&next) {
            Some((size, Role::Overhead))
        } else if self.probing.is_warming_up() {
            None
        } else {
            self.observed.size(&next).map(|size| (size, Role::Comparison))
        };
        let Some((size, role)) = probe else { return dispatch(items, trigger) };
        self.role = role;
        // Of several partitions, another may be the next to be asked for.
        let rest = size < items && self.queue.partitions == 1;
        self.rest = rest.then_some(trigger);
        let trigger = BatchTrigger::Probe;
        BatchDecision::Dispatch(Dispatch { items: size, trigger, probe: true })
    }
}

fn dispatch(items: usize, trigger: BatchTrigger) -> BatchDecision {
    BatchDecision::Dispatch(Dispatch { items, trigger, probe: false })
}
