//! How many items go into one batch, and when it goes.

mod cost;
mod drift;
mod load;
mod objective;
mod pairing;
mod probing;
mod ratio;
mod types;
mod weight;

use std::time::Duration;

pub use self::types::{
    BatchBound, BatchConfig, BatchDecision, BatchEstimate, BatchQueue, BatchRun, BatchSizing,
    BatchTarget, BatchTrigger, Dispatch,
};
use self::{
    cost::{Cost, duration, seconds},
    drift::Drift,
    load::Load,
    objective::Objective,
    pairing::{Done, Pairing},
    probing::Probing,
    ratio::Ratio,
    weight::Weight,
};
use crate::InvalidParameter;

const LINGER: Duration = Duration::from_millis(5);
const SAVING: f64 = 0.05;
const HYSTERESIS: f64 = 1.25;
const GROWTH: usize = 2;
const WARM_UP_GROWTH: usize = 4;
const KEEP: usize = 4;

/// Sizes the batches of one downstream and says when one goes.
#[derive(Clone, Debug)]
pub struct BatchSizer {
    config: BatchConfig,
    cost: Cost,
    ratio: Ratio,
    pairing: Pairing,
    drift: Drift,
    level: Drift,
    probing: Probing,
    load: Load,
    objective: Option<Objective>,
    weight: Weight,
    target: BatchTarget,
    /// The trigger of a batch of which a probe was taken first: the rest follows at once.
    rest: Option<BatchTrigger>,
    /// The queue of the last decision.
    waited: Duration,
    slots: usize,
    in_flight: usize,
    dispatched: u64,
    /// Batches that had been dispatched when the target moved.
    moved: u64,
    estimate: BatchEstimate,
}

impl BatchSizer {
    /// # Errors
    ///
    /// If a field of `config` is outside what it allows; the error names it and its value.
    pub fn new(config: BatchConfig) -> Result<Self, InvalidParameter> {
        config.check()?;
        let target = match config.sizing {
            BatchSizing::Fixed(items) => BatchTarget { items, bound: BatchBound::Max },
            BatchSizing::Adaptive { max_size, .. } => BatchTarget {
                items: if config.probing { 1 } else { max_size },
                bound: BatchBound::WarmUp,
            },
        };
        Ok(Self {
            config,
            cost: Cost::new(),
            ratio: Ratio::new(),
            pairing: Pairing::default(),
            drift: Drift::new(0.5, 5.0),
            level: Drift::new(0.75, 8.0),
            probing: Probing::new(),
            load: Load::default(),
            objective: config.latency_objective.map(Objective::new),
            weight: Weight::new(config.max_weight),
            target,
            rest: None,
            waited: Duration::ZERO,
            slots: 1,
            in_flight: 0,
            dispatched: 0,
            moved: 0,
            estimate: BatchEstimate::default(),
        })
    }

    /// What to do with `queue` at `now`, while a slot is free and at least one item waits.
    ///
    /// Answers for one partition at a time, where there are several.
    #[must_use]
    pub fn decide(&mut self, now: Duration, queue: &BatchQueue) -> BatchDecision {
        let queued = queue.queued.max(1);
        let waited = now.saturating_sub(queue.oldest);
        (self.waited, self.slots, self.in_flight) = (waited, queue.slots, queue.in_flight);
        let BatchSizing::Adaptive { .. } = self.config.sizing else {
            return self.decide_fixed(queue, queued, waited);
        };
        let line = self.cost.line();
        let batch = line.map_or(0.0, |line| line.time(self.target.items.min(queued) as f64));
        self.load.observe(now, queue.arrived, batch);

        let mut most = self.target.items;
        let need = line.map_or(1, |line| self.load.needed(line, queue.slots).unwrap_or(most));
        if let (Some(objective), Some(line)) = (&self.objective, line) {
            let fitting = objective.items_after(line, self.cost.residual(), seconds(waited));
            most = most.min(fitting.max(need));
        }
        let enough = need.min(most);

        let linger = self.config.max_linger.unwrap_or(LINGER);
        let (mut patience, mut late) = (linger, BatchTrigger::Linger);
        if let Some(line) = line {
            patience = patience.min(duration(line.time(queued as f64) / 2.0));
            if let Some(objective) = &self.objective {
                let slack =
                    duration(objective.patience(line, self.cost.residual(), queued as f64));
                if slack < patience {
                    (patience, late) = (slack, BatchTrigger::Objective);
                }
            }
        }

        let trigger = if let Some(trigger) = self.rest.take() {
            trigger
        } else if queue.in_flight == 0 {
            BatchTrigger::Idle
        } else if self.weight.max().is_some_and(|max| queue.weight >= max) {
            BatchTrigger::Weight
        } else if queued >= enough {
            BatchTrigger::Size
        } else if waited >= patience {
            late
        } else {
            return BatchDecision::Wait {
                items: enough,
                until: queue.oldest.saturating_add(patience),
            };
        };
        let slots = queue.slots.saturating_sub(queue.in_flight).max(1);
        let items = queued.min(most).min(enough.max(queued.div_ceil(slots)));
        if self.config.probing {
            let doubt = self.drift.is_suspicious();
            let max = match self.config.sizing {
                BatchSizing::Adaptive { max_size, .. } => max_size,
                BatchSizing::Fixed(size) => size,
            };
            if let Some(size) = self.probing.size(items, self.target.items, max, queued, doubt) {
                if size < items {
                    self.rest = Some(trigger);
                }
                return BatchDecision::Dispatch(Dispatch {
                    items: size,
                    trigger: BatchTrigger::Probe,
                    probe: true,
                });
            }
        }
        BatchDecision::Dispatch(Dispatch { items, trigger, probe: false })
    }

    fn decide_fixed(&self, queue: &BatchQueue, queued: usize, waited: Duration) -> BatchDecision {
        let size = self.target.items;
        let linger = self.config.max_linger.unwrap_or(Duration::ZERO);
        let trigger = if queued >= size {
            BatchTrigger::Size
        } else if self.weight.max().is_some_and(|max| queue.weight >= max) {
            BatchTrigger::Weight
        } else if waited >= linger {
            if linger.is_zero() { BatchTrigger::Idle } else { BatchTrigger::Linger }
        } else {
            return BatchDecision::Wait {
                items: size,
                until: queue.oldest.saturating_add(linger),
            };
        };
        BatchDecision::Dispatch(Dispatch { items: queued.min(size), trigger, probe: false })
    }

    /// A batch goes: `items` and `weight` are what is really in it, which may be less than `dispatch`
    /// allows.
    #[must_use]
    pub fn dispatched(
        &mut self,
        now: Duration,
        dispatch: Dispatch,
        items: usize,
        weight: u64,
    ) -> BatchRun {
        self.dispatched += 1;
        self.probing.dispatched(dispatch.probe, self.target.items);
        BatchRun {
            started: now,
            items,
            weight,
            probe: dispatch.probe,
            waited: self.waited,
            full: items >= self.target.items,
            slots: self.slots,
            in_flight: self.in_flight,
            number: self.dispatched,
        }
    }

    /// The batch came back at `now` and was answered. One that failed as a whole says nothing
    /// about cost and is not recorded.
    pub fn record(&mut self, now: Duration, run: BatchRun) {
        if run.items == 0 {
            return;
        }
        let items = run.items as f64;
        let time = seconds(now.saturating_sub(run.started));
        self.weight.add(items, run.weight);
        let residual = self.cost.add(items, time);
        if let Some(objective) = &mut self.objective {
            let typical = self.cost.residual();
            objective.add(items, time, seconds(run.waited), residual, typical);
        }
        if residual.is_some_and(|residual| self.level.add(residual)) {
            self.probing.alarm();
        }
        let done = Done {
            started: run.started,
            ended: now,
            items,
            log_time: time.ln(),
            probe: run.probe,
            free: run.full,
            slots: run.slots,
            in_flight: run.in_flight,
        };
        let natural = !self.config.probing || matches!(self.config.sizing, BatchSizing::Fixed(_));
        if let Some(pair) = self.pairing.add(done, natural) {
            if let Some(ratio) = self.ratio.value()
                && !self.probing.is_warming_up()
                && self.drift.add(pair.surprise(ratio))
            {
                self.ratio.forget(KEEP);
                self.probing.alarm();
                self.estimate.resets += 1;
            }
            self.ratio.add(pair);
            self.probing.paired();
        }
        if let Some(ratio) = self.ratio.value() {
            self.cost.fit(ratio);
        }
        self.count(items, time);
        self.retarget(&run);
    }

    fn count(&mut self, items: f64, time: f64) {
        let estimate = &mut self.estimate;
        let Some(line) = self.cost.line() else {
            estimate.work_seconds += time;
            return;
        };
        let overhead = time * line.ratio / (line.ratio + items);
        estimate.overhead_seconds += overhead;
        estimate.work_seconds += time - overhead;
        estimate.avoided_seconds += overhead * (items - 1.0);
    }

    fn retarget(&mut self, run: &BatchRun) {
        let BatchSizing::Adaptive { max_size, .. } = self.config.sizing else { return };
        let wanted = self.wanted(max_size);
        let now = self.target.items;
        let warm = self.probing.is_warming_up();
        let change = wanted.items as f64 / now as f64;
        if (1.0 / HYSTERESIS..=HYSTERESIS).contains(&change) {
            self.target.bound = wanted.bound;
            return;
        }
        if wanted.items > now {
            if run.number <= self.moved || run.probe || !run.full {
                return;
            }
            let most = now.saturating_mul(if warm { WARM_UP_GROWTH } else { GROWTH });
            self.target = if wanted.items > most {
                BatchTarget { items: most, bound: BatchBound::WarmUp }
            } else {
                wanted
            };
            self.estimate.target_ups += 1;
        } else {
            self.target = wanted;
            self.estimate.target_downs += 1;
        }
        self.moved = self.dispatched;
    }

    fn wanted(&self, max_size: usize) -> BatchTarget {
        let bounds = self.bounds(max_size);
        let mut wanted = BatchTarget { items: max_size, bound: BatchBound::Max };
        for bound in BatchBound::ALL {
            if bound != BatchBound::Load
                && let Some(items) = bounds[bound.index()]
                && items < wanted.items
            {
                wanted = BatchTarget { items, bound };
            }
        }
        wanted
    }

    fn bounds(&self, max_size: usize) -> [Option<usize>; BatchBound::ALL.len()] {
        let mut bounds = [None; BatchBound::ALL.len()];
        bounds[BatchBound::Max.index()] = Some(max_size);
        bounds[BatchBound::Weight.index()] = self.weight.items();
        let BatchSizing::Adaptive { overhead: share, .. } = self.config.sizing else {
            return bounds;
        };
        let (Some(line), Some(low)) = (self.cost.line(), self.ratio.low()) else {
            bounds[BatchBound::WarmUp.index()] = self.config.probing.then_some(1);
            return bounds;
        };
        let size = ((line.ratio * (1.0 - share) / share).ceil() as usize).max(1);
        bounds[BatchBound::Overhead.index()] = Some(size);
        if let Some(objective) = &self.objective {
            bounds[BatchBound::Objective.index()] =
                Some(objective.items(line, self.cost.residual()));
        }
        bounds[BatchBound::Load.index()] = self.load.needed(line, self.slots);
        let size = size.min(max_size) as f64;
        let saving = if low.is_finite() {
            1.0 - (low + size) / (size * (low + 1.0))
        } else {
            1.0 - 1.0 / size
        };
        if saving < SAVING {
            bounds[BatchBound::Unprofitable.index()] = Some(1);
        }
        bounds
    }

    /// The downstream refused a batch of `weight` as too large.
    pub fn too_large(&mut self, weight: u64) {
        self.weight.refused(weight);
    }

    /// The most that a batch may weigh now.
    #[must_use]
    pub fn max_weight(&self) -> Option<u64> {
        self.weight.max()
    }

    /// The most items that a batch has now, and why.
    #[must_use]
    pub fn target(&self) -> BatchTarget {
        self.target
    }

    /// What it believes, for metrics.
    #[must_use]
    pub fn estimate(&self) -> BatchEstimate {
        let max_size = match self.config.sizing {
            BatchSizing::Fixed(size) => size,
            BatchSizing::Adaptive { max_size, .. } => max_size,
        };
        BatchEstimate {
            overhead: self.cost.line().map(|line| duration(line.overhead())),
            item_cost: self.cost.line().map(|line| duration(line.item)),
            residual: self.cost.residual(),
            pairs: self.ratio.pairs(),
            bounds: self.bounds(max_size),
            ..self.estimate
        }
    }
}
