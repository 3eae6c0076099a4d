//! How many items go into one batch, and when it goes.

mod change;
mod config;
mod cost;
mod crowd;
mod decision;
mod dispatch;
mod estimate;
mod level;
mod load;
mod objective;
mod observed;
mod pairing;
mod population;
mod probing;
mod ratio;
mod run;
mod target;
mod weight;

use std::time::Duration;

use self::{
    change::Change,
    cost::{Cost, duration, seconds},
    crowd::Crowd,
    estimate::Bounds,
    level::Level,
    load::Load,
    objective::Objective,
    observed::Observed,
    pairing::{Done, Pairing},
    population::Population,
    probing::{Probing, Role},
    ratio::Ratio,
    target::{Growth, Target},
    weight::Weight,
};
pub use self::{
    config::{BatchConfig, BatchSizing},
    decision::{BatchDecision, BatchQueue, BatchTrigger, Dispatch},
    estimate::{BatchBound, BatchEstimate, BatchTarget},
    run::BatchRun,
};
use crate::InvalidParameter;

// All constants: docs/decisions/0011-batch-sizes.md.

/// What larger batches have to save of the time of an item to be worth it.
const SAVING: f64 = 0.05;

/// The least size with the overhead that was asked for, times this, is aimed at.
const SPARE: f64 = 1.2;

/// Pairs after which the estimate alone says whether they save that, where load calls for them.
const MANY: usize = 48;

/// Batches kept of those before a shift of all costs.
const KEPT: usize = 8;

/// Sizes the batches of one downstream and says when one goes.
///
/// A batch of `b` items is taken to cost α + β·b: an overhead, whatever its size, and the cost of an
/// item. With [`BatchSizing::Adaptive`] a batch has as many items as bring α down to the share of its
/// time that was asked for, within these bounds:
///
/// - the latency objective, the maximum weight and the maximum size;
/// - one item, where larger batches would not save 5 % of the time of an item;
/// - half the size, where that was seen to be cheaper per item, because cost is not linear.
///
/// **The size is a cap and not waited for.** While a slot is free, a batch goes if nothing is in
/// flight, or if as many items wait as load calls for: batches of that size leave three tenths of the
/// idle time of the slots idle. Otherwise it waits for half the time that a batch takes, or for the
/// linger, if that is less. Where the same callers come back with one item after the other, a slot's
/// share of them is enough, nearly all of that is waited for, and fewer batches at a time are tried: N
/// items are then answered in the time of one batch, so the quickest batches are the best.
///
/// **α and β are measured**, by batches of another size: *probes*. A probe and the regular batches
/// just before it are a pair, in which the slowness of the downstream cancels out. The last 96 pairs
/// say what α ÷ β is, or those since it changed. Every other batch is a probe at first, until pairs
/// agree or there are 24; then one in 16 where size limits batches, one in 64 where load does, and one
/// in 256 where the same callers come back. They have one item, or one in 256, and what remains of the
/// batch follows at once, if a slot is free. Together with comparisons with half the size they cost about 0.5 % of the time. Where sizes have a meaning,
/// [`BatchConfig::probing`] turns them off; then batches that happen to differ are the pairs, and
/// α tends to come out too small, as a slow downstream gets large batches.
///
/// Time is what the batch took in the downstream: [`dispatched`](Self::dispatched) is called when it
/// is sent, and [`record`](Self::record) when its answer is there.
///
/// A decision and a record take less than half a microsecond together.
///
/// ```
/// use std::time::Duration;
/// use floodway_control::{BatchConfig, BatchDecision, BatchQueue, BatchSizer};
///
/// let mut sizer = BatchSizer::new(BatchConfig::default())?;
/// let mut now = Duration::ZERO;
/// let mut sent = 0;
/// for _ in 0..100 {
///     let queue = BatchQueue {
///         queued: 10_000,
///         weight: 0,
///         oldest: now,
///         arrived: sent + 10_000,
///         partitions: 1,
///         in_flight: 0,
///         unanswered: 0,
///         slots: 1,
///     };
///     let BatchDecision::Dispatch(dispatch) = sizer.decide(now, &queue) else { continue };
///     let run = sizer.dispatched(now, dispatch, dispatch.items, 0);
///     // Here the batch runs: 200 µs, and 10 µs an item.
///     now += Duration::from_micros(200 + 10 * dispatch.items as u64);
///     sizer.record(now, run);
///     sent += dispatch.items as u64;
/// }
/// // Batches of 380 items, of which the overhead is 5 %.
/// let size = sizer.target().items;
/// assert!((300..=480).contains(&size), "{size}");
/// let overhead = sizer.estimate().overhead.unwrap();
/// assert!((160..=240).contains(&overhead.as_micros()), "{overhead:?}");
/// # Ok::<(), floodway_control::InvalidParameter>(())
/// ```
///
/// What is known to go wrong, and is tested for: the time in the queue counted as service
/// ([Clipper #222][c222]), a batch counted as so many of one item ([Clipper #294][c294]), a size
/// that was right for what came before ([joblib #1220][j1220]). All constants were chosen with the
/// simulations of `docs/decisions/0011-batch-sizes.md`.
///
/// [c222]: https://github.com/ucbrise/clipper/issues/222
/// [c294]: https://github.com/ucbrise/clipper/pull/294
/// [j1220]: https://github.com/joblib/joblib/issues/1220
#[derive(Clone, Debug)]
pub struct BatchSizer {
    config: BatchConfig,
    target: Target,
    ratio: Ratio,
    pairing: Pairing,
    cost: Cost,
    level: Level,
    probing: Probing,
    load: Load,
    population: Population,
    crowd: Crowd,
    objective: Option<Objective>,
    observed: Observed,
    weight: Weight,
    /// Whether the next pairs will tell if costs have changed.
    doubt: bool,
    /// What the last decision was for.
    role: Role,
    /// Why the batch goes of which a probe was taken.
    rest: Option<BatchTrigger>,
    /// The queue of the last decision, and how long its oldest item had waited.
    queue: BatchQueue,
    waited: Duration,
    dispatched: u64,
    counts: Counts,
}

/// What adds up in [`BatchEstimate`].
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    overhead_seconds: f64,
    work_seconds: f64,
    avoided_seconds: f64,
    resets: u64,
}

impl BatchSizer {
    /// # Errors
    ///
    /// If a field of `config` is outside what it allows; the error names it and its value. Times
    /// are in seconds there.
    pub fn new(config: BatchConfig) -> Result<Self, InvalidParameter> {
        config.check()?;
        let max = config.sizing.max_size();
        let fixed = matches!(config.sizing, BatchSizing::Fixed(_));
        let first = if config.probing && !fixed { 1 } else { max };
        let bound = if fixed { BatchBound::Max } else { BatchBound::WarmUp };
        let queue = BatchQueue {
            queued: 1,
            weight: 0,
            oldest: Duration::ZERO,
            arrived: 0,
            partitions: 1,
            in_flight: 0,
            unanswered: 0,
            slots: 1,
        };
        Ok(Self {
            config,
            target: Target::new(BatchTarget { items: first, bound }),
            ratio: Ratio::new(),
            pairing: Pairing::default(),
            cost: Cost::new(),
            level: Level::default(),
            probing: Probing::new(),
            load: Load::default(),
            population: Population::default(),
            crowd: Crowd::new(),
            objective: config.latency_objective.map(Objective::new),
            observed: Observed::default(),
            weight: Weight::new(config.max_weight),
            doubt: false,
            role: Role::Regular,
            rest: None,
            queue,
            waited: Duration::ZERO,
            dispatched: 0,
            counts: Counts::default(),
        })
    }

    /// What to do with `queue` at `now`, while a slot is free and at least one item waits.
    ///
    /// Answers for one partition at a time, where there are several. Call
    /// [`dispatched`](Self::dispatched) before the next decision, and decide again as long as the
    /// answer is to dispatch.
    #[must_use]
    pub fn decide(&mut self, now: Duration, queue: &BatchQueue) -> BatchDecision {
        self.queue = *queue;
        self.waited = now.saturating_sub(queue.oldest);
        self.population.observe(queue);
        match self.config.sizing {
            BatchSizing::Fixed(_) => self.decide_fixed(now, queue),
            BatchSizing::Adaptive { .. } => self.decide_adaptive(now, queue),
        }
    }

    /// A batch goes: `items` and `weight` are what is really in it, which may be less than `dispatch`
    /// allows. `now` is when the downstream gets it, in no queue any more.
    pub fn dispatched(
        &mut self,
        now: Duration,
        dispatch: Dispatch,
        items: usize,
        weight: u64,
    ) -> BatchRun {
        self.dispatched += 1;
        let target = self.target.get().items;
        let role = if dispatch.probe { self.role } else { Role::Regular };
        self.observed.dispatched(role);
        self.probing.dispatched(role, target, self.is_unprofitable_for_sure());
        BatchRun {
            started: now,
            items,
            weight,
            role,
            waited: self.waited,
            full: items >= target,
            slots: self.queue.slots,
            in_flight: self.queue.in_flight,
            used: self.crowd.slots(self.queue.slots),
            all: self.closed(),
            number: self.dispatched,
        }
    }

    /// The batch came back at `now` and was answered. One that failed as a whole says nothing
    /// about cost and is not recorded; nor is one without items.
    pub fn record(&mut self, now: Duration, run: BatchRun) {
        if run.items == 0 {
            return;
        }
        let items = run.items as f64;
        let time = seconds(now.saturating_sub(run.started));
        self.weight.add(items, run.weight);
        self.learn_level(items, time, &run);
        self.crowd.add(&crowd::Batch {
            items,
            used: run.used,
            slots: run.slots,
            all: run.all,
            ratio: self.cost.line().map(|line| line.ratio),
            log_time: time.ln(),
            role: run.role,
        });
        self.learn_pair(Done {
            started: run.started,
            ended: now,
            items,
            log_time: time.ln(),
            role: run.role,
            slots: run.slots,
            in_flight: run.in_flight,
        });
        if let Some(ratio) = self.ratio.estimate() {
            self.cost.fit(ratio.value);
        }
        self.count(items, time);
        if let BatchSizing::Adaptive { overhead, .. } = self.config.sizing {
            let bounds = self.bounds();
            let growth = Growth {
                sure: self.ratio.estimate().map_or(1, |ratio| overhead_size(ratio.low, overhead)),
                warming_up: self.probing.is_warming_up(),
            };
            self.target.follow(&bounds, &run, self.dispatched, growth);
        }
    }

    fn learn_level(&mut self, items: f64, time: f64, run: &BatchRun) {
        let residual = self.cost.add(items, time);
        let typical = self.cost.residual();
        if let Some(objective) = &mut self.objective {
            objective.add(items, time, seconds(run.waited), residual, typical);
        }
        if residual.is_some_and(|residual| self.level.shifted(residual, typical)) {
            self.cost.keep(KEPT);
            self.probing.changed();
        }
    }

    fn learn_pair(&mut self, done: Done) {
        let natural = !self.config.probing || matches!(self.config.sizing, BatchSizing::Fixed(_));
        let Some(pair) = self.pairing.add(done, natural) else { return };
        if done.role == Role::Comparison {
            self.observed.add(pair.small, pair.gain());
            return;
        }
        let change = self.ratio.add(pair);
        self.probing.paired(self.ratio.estimate().is_some_and(|ratio| ratio.is_narrow()));
        self.doubt = change == Change::Doubt;
        if let Change::Sure { .. } = change {
            self.counts.resets += 1;
            self.probing.changed();
            self.observed.changed();
        }
    }

    fn count(&mut self, items: f64, time: f64) {
        let share = self.cost.line().map_or(0.0, |line| line.ratio / (line.ratio + items));
        self.counts.overhead_seconds += time * share;
        self.counts.work_seconds += time * (1.0 - share);
        self.counts.avoided_seconds += time * share * (items - 1.0);
    }

    /// The downstream refused a batch of `weight` as too large: batches are a tenth lighter than that
    /// from now on, and a little heavier again with every one that is recorded.
    pub fn too_large(&mut self, weight: u64) {
        self.weight.refused(weight);
    }

    /// The most that a batch may weigh now: the configured maximum, or less if the downstream
    /// refused that. A batch of one item may weigh more.
    #[must_use]
    pub fn max_weight(&self) -> Option<u64> {
        self.weight.max()
    }

    /// The most items that a batch has now, and why. Single batches that are sent to find out
    /// whether more would be better have more.
    #[must_use]
    pub fn target(&self) -> BatchTarget {
        self.target.get()
    }

    /// What it believes, for metrics.
    #[must_use]
    pub fn estimate(&self) -> BatchEstimate {
        let line = self.cost.line();
        BatchEstimate {
            overhead: line.map(|line| duration(line.overhead())),
            item_cost: line.map(|line| duration(line.item)),
            overhead_seconds: self.counts.overhead_seconds,
            work_seconds: self.counts.work_seconds,
            avoided_seconds: self.counts.avoided_seconds,
            residual: self.cost.residual(),
            pairs: self.ratio.pairs(),
            resets: self.counts.resets,
            target_ups: self.target.ups,
            target_downs: self.target.downs,
            bounds: self.bounds(),
        }
    }

    fn bounds(&self) -> Bounds {
        let max_size = self.config.sizing.max_size();
        let mut bounds = Bounds::default();
        let mut set = |bound: BatchBound, items: Option<usize>| bounds[bound.index()] = items;
        set(BatchBound::Max, Some(max_size));
        set(BatchBound::Weight, self.weight.items());
        let BatchSizing::Adaptive { overhead, .. } = self.config.sizing else { return bounds };
        let Some(line) = self.cost.line() else {
            set(BatchBound::WarmUp, self.config.probing.then_some(1));
            return bounds;
        };
        let size = overhead_size(line.ratio, overhead);
        set(BatchBound::Overhead, Some(size));
        set(BatchBound::Observed, self.observed.cap());
        let needed = self.needed(self.queue.slots);
        set(BatchBound::Load, needed);
        let typical = self.cost.residual();
        let needed = needed.unwrap_or(max_size);
        let calls_for_more = needed > 1;
        let timely = |objective: &Objective| {
            let timely = objective.items(line, typical);
            if objective.is_usually_behind() { timely.max(needed) } else { timely }
        };
        set(BatchBound::Objective, self.objective.as_ref().map(timely));
        // It takes certainty to leave batches of one, and less to stay with larger ones.
        let low = self.ratio.estimate().map_or(0.0, |ratio| ratio.low);
        let enough = calls_for_more && self.ratio.pairs() >= MANY;
        let one = self.target.get().items == 1 && !enough;
        let ratio = if one { low } else { f64::midpoint(low, line.ratio) };
        if saving(ratio, size.min(max_size)) < SAVING {
            set(BatchBound::Unprofitable, Some(1));
        }
        bounds
    }

    /// The size that load calls for; `None` if it calls for more than there can be, or nothing is
    /// known.
    fn needed(&self, slots: usize) -> Option<usize> {
        self.load.needed(self.cost.line()?, slots)
    }

    /// Whether further pairs will hardly show that larger batches are worth it, and probes would cost
    /// more than they might gain: with room to spare, they make items wait for nothing.
    fn is_unprofitable_for_sure(&self) -> bool {
        let calls_for_more = self.needed(self.queue.slots).is_none_or(|needed| needed > 1);
        self.ratio.estimate().is_some_and(|ratio| {
            let likely = if self.ratio.pairs() >= MANY { ratio.value } else { ratio.high };
            !calls_for_more && saving(likely, usize::MAX) < SAVING
        })
    }
}

/// The size of which the overhead has the share `overhead`, and something to spare: as far from that
/// size, a smaller one costs more than a larger one.
fn overhead_size(ratio: f64, overhead: f64) -> usize {
    ((SPARE * ratio * (1.0 - overhead) / overhead).ceil() as usize).max(1)
}

/// What batches of `size` save of the time that an item takes on its own, as a share, at this ratio.
fn saving(ratio: f64, size: usize) -> f64 {
    let share = if ratio.is_finite() { ratio / (ratio + 1.0) } else { 1.0 };
    share * (1.0 - 1.0 / size as f64)
}
