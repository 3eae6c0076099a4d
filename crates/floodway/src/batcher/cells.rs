//! The numbers of a batcher.

use std::time::Duration;

use floodway_control::{BatchBound, BatchEstimate, BatchTarget, BatchTrigger};
use floodway_metrics::{Buckets, Collector, Counter, Histogram, catalogue::batcher as catalogue};

const TRIGGERS: usize = BatchTrigger::ALL.len();
const BATCH_OUTCOMES: usize = catalogue::BATCH_OUTCOME.values.len();
const ITEM_OUTCOMES: usize = catalogue::ITEM_OUTCOME.values.len();
const REFUSALS: usize = catalogue::REASON.values.len();

/// How a batch ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum BatchOutcome {
    /// With an answer for every item.
    #[default]
    Ok,
    /// It failed as a whole.
    Error,
    Panicked,
    /// With more or fewer answers than items.
    Mismatched,
    /// Dropped before its answer.
    Aborted,
}

/// What became of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ItemOutcome {
    Ok,
    /// Its own answer was an error.
    ItemError,
    /// Its batch ended without an answer for every item.
    BatchError,
    /// Its caller went away.
    Cancelled,
    /// Refused; [`Cells::rejected`] counts it with its reason.
    Rejected,
    /// As [`Rejected`](Self::Rejected), because its deadline had passed.
    Expired,
    /// Got the answer to an equal one.
    Deduplicated,
}

/// Why an item was refused before it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// As many items wait as may.
    QueueFull,
    /// Heavier than a batch may be.
    Weight,
    /// The batcher takes no more.
    Closed,
    /// Its deadline passed while it waited.
    Expired,
    /// The limiter had no permit for its batch.
    Limiter,
}

impl Refusal {
    /// In the order of the metric label `reason`.
    const ALL: [Self; REFUSALS] =
        [Self::QueueFull, Self::Weight, Self::Closed, Self::Expired, Self::Limiter];

    /// What becomes of an item that is refused so.
    const fn outcome(self) -> ItemOutcome {
        match self {
            Self::Expired => ItemOutcome::Expired,
            Self::QueueFull | Self::Weight | Self::Closed | Self::Limiter => ItemOutcome::Rejected,
        }
    }
}

/// What only happens, as opposed to what is: what waits and what runs are counted where they are
/// enforced, and what was learnt by the sizer.
#[derive(Debug)]
pub(super) struct Cells {
    flushes: Counter<TRIGGERS>,
    batches: Counter<BATCH_OUTCOMES>,
    /// Those that were refused are in [`rejected`](Self::rejected) alone, to be counted once.
    items: Counter<ITEM_OUTCOMES>,
    rejected: Counter<REFUSALS>,
    splits: Counter,
    retries: Counter,
    batch_items: Histogram,
    execute: Histogram,
    /// `None` where waits are not measured.
    wait: Option<Histogram>,
}

/// What the batcher knows besides its cells.
#[derive(Clone, Copy, Debug)]
pub(super) struct Levels {
    pub(super) target: BatchTarget,
    pub(super) estimate: BatchEstimate,
    /// The most that a batch may weigh now.
    pub(super) max_weight: Option<u64>,
    /// The most items of a batch that the configuration allows.
    pub(super) max_items: usize,
    pub(super) queued: usize,
    pub(super) queue_capacity: usize,
    pub(super) in_flight: usize,
    pub(super) in_flight_limit: usize,
}

/// A method for each thing that happens. Each adds to a cell or a few of the calling thread's
/// shard and takes no lock.
impl Cells {
    /// `timings`: whether [`waited`](Self::waited) is called, and the waits are exported.
    pub(super) fn new(timings: bool) -> Self {
        Self {
            flushes: Counter::new(),
            batches: Counter::new(),
            items: Counter::new(),
            rejected: Counter::new(),
            splits: Counter::new(),
            retries: Counter::new(),
            batch_items: Histogram::new(Buckets::ITEMS),
            execute: Histogram::new(Buckets::DURATIONS),
            wait: timings.then(|| Histogram::new(Buckets::DURATIONS)),
        }
    }

    /// A batch of `items` leaves the queue. Not for the parts of one that was split, nor for
    /// another attempt.
    #[inline]
    pub(super) fn flushed(&self, trigger: BatchTrigger, items: usize) {
        self.flushes.increment(trigger.index());
        self.batch_items.record(items as u64);
    }

    /// The end of a batch, of a part of one or of another attempt, `duration_nanos` after its
    /// permit.
    #[inline]
    pub(super) fn batch_ended(&self, outcome: BatchOutcome, duration_nanos: u64) {
        self.batches.increment(outcome as usize);
        self.execute.record(duration_nanos);
    }

    /// A batch was dropped with its task, nobody knows after how long.
    pub(super) fn batch_dropped(&self) {
        self.batches.increment(BatchOutcome::Aborted as usize);
    }

    #[inline]
    pub(super) fn item_ended(&self, outcome: ItemOutcome) {
        self.items_ended(outcome, 1);
    }

    /// As [`item_ended`](Self::item_ended) for each of `n`, at the cost of one.
    #[inline]
    pub(super) fn items_ended(&self, outcome: ItemOutcome, n: u64) {
        self.items.add(outcome as usize, n);
    }

    /// An item is refused, which is its outcome too.
    #[inline]
    pub(super) fn rejected(&self, reason: Refusal) {
        self.rejected.increment(reason as usize);
    }

    /// An item goes `nanos` after it arrived.
    #[inline]
    pub(super) fn waited(&self, nanos: u64) {
        if let Some(wait) = &self.wait {
            wait.record(nanos);
        }
    }

    #[inline]
    pub(super) fn split(&self) {
        self.splits.increment(0);
    }

    #[inline]
    pub(super) fn retried(&self) {
        self.retries.increment(0);
    }

    /// Reports everything.
    pub(super) fn collect(&self, levels: Levels, out: &mut Collector) {
        let rejected = self.rejected.values();
        let mut items = self.items.values();
        for (reason, count) in Refusal::ALL.into_iter().zip(rejected) {
            items[reason.outcome() as usize] += count;
        }

        collect_levels(&levels, out);
        out.numbers(&catalogue::FLUSHES, floats(self.flushes.values()));
        out.numbers(&catalogue::BATCHES, floats(self.batches.values()));
        out.numbers(&catalogue::ITEMS, floats(items));
        out.numbers(&catalogue::REJECTED, floats(rejected));
        out.number(&catalogue::SPLITS, self.splits.total() as f64);
        out.number(&catalogue::RETRIES, self.retries.total() as f64);
        out.histogram(&catalogue::BATCH_ITEMS, self.batch_items.value());
        out.histogram(&catalogue::EXECUTE_DURATION, self.execute.value());
        if let Some(wait) = &self.wait {
            out.histogram(&catalogue::WAIT_DURATION, wait.value());
        }
    }
}

fn collect_levels(levels: &Levels, out: &mut Collector) {
    let Levels { target, estimate, .. } = levels;
    let seconds = |cost: Option<Duration>| cost.unwrap_or_default().as_secs_f64();
    // A bound that allows the maximum, more or any number is reported as the maximum: a line at the top
    // of the panel, where one that is not a number would be a gap and millions would flatten the rest.
    let bounds = estimate
        .bounds
        .map(|items| items.map_or(levels.max_items, |items| items.min(levels.max_items)) as f64);
    let binding = BatchBound::ALL.map(|bound| f64::from(u8::from(bound == target.bound)));

    out.number(&catalogue::TARGET, target.items as f64);
    out.numbers(&catalogue::BOUND_ITEMS, bounds);
    out.numbers(&catalogue::BINDING_BOUND_INFO, binding);
    out.number(&catalogue::QUEUED, levels.queued as f64);
    out.number(&catalogue::QUEUE_CAPACITY, levels.queue_capacity as f64);
    out.number(&catalogue::IN_FLIGHT, levels.in_flight as f64);
    out.number(&catalogue::IN_FLIGHT_LIMIT, levels.in_flight_limit as f64);
    out.number(&catalogue::FIXED_COST, seconds(estimate.overhead));
    out.number(&catalogue::ITEM_COST, seconds(estimate.item_cost));
    out.number(&catalogue::MODEL_RESIDUAL, estimate.residual);
    out.number(&catalogue::MODEL_PAIRS, estimate.pairs as f64);
    out.number(&catalogue::MAX_WEIGHT, levels.max_weight.unwrap_or_default() as f64);
    out.number(&catalogue::OVERHEAD, estimate.overhead_seconds);
    out.number(&catalogue::WORK, estimate.work_seconds);
    out.number(&catalogue::OVERHEAD_AVOIDED, estimate.avoided_seconds);
    out.numbers(&catalogue::TARGET_CHANGES, floats([estimate.target_ups, estimate.target_downs]));
    out.number(&catalogue::MODEL_RESETS, estimate.resets as f64);
}

fn floats<const N: usize>(counts: [u64; N]) -> [f64; N] {
    counts.map(|count| count as f64)
}

#[cfg(test)]
mod tests {
    use std::{fmt::Debug, sync::Arc};

    use floodway_metrics::{
        CATALOGUE, ComponentKind, Label, Metric, Registry, Snapshot, Source, Value,
    };

    use super::*;

    const NAME: &str = "users";
    const MS: u64 = 1_000_000;

    const BATCH_OUTCOME: [BatchOutcome; BATCH_OUTCOMES] = {
        use BatchOutcome::*;
        [Ok, Error, Panicked, Mismatched, Aborted]
    };
    const ITEM_OUTCOME: [ItemOutcome; ITEM_OUTCOMES] = {
        use ItemOutcome::*;
        [Ok, ItemError, BatchError, Cancelled, Rejected, Expired, Deduplicated]
    };

    /// What a batcher will be.
    struct Batcher {
        cells: Cells,
        levels: Levels,
    }

    impl Source for Batcher {
        fn collect(&self, out: &mut Collector) {
            self.cells.collect(self.levels, out);
        }
    }

    impl Batcher {
        fn new(timings: bool) -> Self {
            let levels = Levels {
                target: BatchTarget { items: 0, bound: BatchBound::WarmUp },
                estimate: BatchEstimate::default(),
                max_weight: None,
                max_items: 0,
                queued: 0,
                queue_capacity: 0,
                in_flight: 0,
                in_flight_limit: 0,
            };
            Self { cells: Cells::new(timings), levels }
        }

        fn snapshot(self) -> Snapshot {
            let registry = Registry::new();
            let source: Arc<dyn Source> = Arc::new(self);
            registry.register(ComponentKind::Batcher, NAME, &source).unwrap();
            registry.snapshot()
        }
    }

    fn metrics() -> impl Iterator<Item = &'static Metric> {
        CATALOGUE.iter().copied().filter(|metric| metric.component == ComponentKind::Batcher)
    }

    /// Runs `act` on new cells and checks every metric: those of `expected` have these values, each
    /// with its label's value, or `count` or `sum` of a histogram, and all others are zero.
    #[track_caller]
    fn check(act: impl FnOnce(&Cells), expected: &[(&'static Metric, &str, f64)]) {
        let batcher = Batcher::new(true);
        act(&batcher.cells);
        check_batcher(batcher, expected);
    }

    #[track_caller]
    fn check_batcher(batcher: Batcher, expected: &[(&'static Metric, &str, f64)]) {
        let bound = batcher.levels.target.bound;
        let snapshot = batcher.snapshot();
        let mut left = expected.to_vec();
        let mut check = |metric: &'static Metric, label: &str, found: f64| {
            let at = left
                .iter()
                .position(|(other, value, _)| std::ptr::eq(*other, metric) && *value == label);
            let value = match at {
                Some(at) => left.swap_remove(at).2,
                // Always one of them, so it is not said in every test.
                None if std::ptr::eq(metric, &catalogue::BINDING_BOUND_INFO) => {
                    f64::from(u8::from(label == word(bound)))
                }
                None => 0.0,
            };
            assert!((found - value).abs() < 1e-9, "{} {label}: {found}, not {value}", metric.name);
        };
        for family in snapshot
            .families
            .iter()
            .filter(|family| family.metric.component == ComponentKind::Batcher)
        {
            for one in &family.series {
                match &one.value {
                    Value::Number(number) => {
                        check(family.metric, one.labels.first().unwrap_or(&""), *number);
                    }
                    Value::Histogram(histogram) => {
                        check(family.metric, "count", histogram.count() as f64);
                        check(family.metric, "sum", histogram.sum);
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        let missing: Vec<_> = left.iter().map(|(metric, label, _)| (metric.name, label)).collect();
        assert!(missing.is_empty(), "not exported: {missing:?}");
    }

    /// A variant as a label value.
    fn word(variant: impl Debug) -> String {
        let mut word = String::new();
        for letter in format!("{variant:?}").chars() {
            if letter.is_uppercase() && !word.is_empty() {
                word.push('_');
            }
            word.push(letter.to_ascii_lowercase());
        }
        word
    }

    #[track_caller]
    fn check_order<T: Copy + Debug>(all: &[T], index: impl Fn(T) -> usize, label: &Label) {
        let words: Vec<_> = all.iter().map(word).collect();
        assert_eq!(words, label.values, "{}", label.name);
        let positions: Vec<_> = all.iter().map(|variant| index(*variant)).collect();
        assert_eq!(positions, (0..all.len()).collect::<Vec<_>>(), "{}", label.name);
    }

    #[test]
    fn variants_are_in_the_order_of_their_label() {
        check_order(&BatchTrigger::ALL, BatchTrigger::index, &catalogue::TRIGGER);
        check_order(&BatchBound::ALL, BatchBound::index, &catalogue::BOUND);
        check_order(&BATCH_OUTCOME, |outcome| outcome as usize, &catalogue::BATCH_OUTCOME);
        check_order(&ITEM_OUTCOME, |outcome| outcome as usize, &catalogue::ITEM_OUTCOME);
        check_order(&Refusal::ALL, |reason| reason as usize, &catalogue::REASON);
    }

    #[test]
    fn every_metric_is_there_at_zero_from_birth_with_every_label_value() {
        let snapshot = Batcher::new(true).snapshot();
        for metric in metrics() {
            let family = snapshot.families.iter().find(|family| family.metric.name == metric.name);
            let series = &family.unwrap_or_else(|| panic!("no {}", metric.name)).series;
            let values: usize = metric.labels.iter().map(|label| label.values.len()).product();
            assert_eq!(series.len(), values, "{}", metric.name);
        }
        check(|_| (), &[]);
    }

    #[test]
    fn a_batch_that_leaves_counts_by_trigger_with_its_size() {
        for trigger in BatchTrigger::ALL {
            check(
                |cells| {
                    cells.flushed(trigger, 1);
                    cells.flushed(trigger, 64);
                },
                &[
                    (&catalogue::FLUSHES, &word(trigger), 2.0),
                    (&catalogue::BATCH_ITEMS, "count", 2.0),
                    (&catalogue::BATCH_ITEMS, "sum", 65.0),
                ],
            );
        }
    }

    #[test]
    fn a_batch_that_ends_counts_by_outcome_with_its_time() {
        for outcome in BATCH_OUTCOME {
            check(
                |cells| cells.batch_ended(outcome, 20 * MS),
                &[
                    (&catalogue::BATCHES, &word(outcome), 1.0),
                    (&catalogue::EXECUTE_DURATION, "count", 1.0),
                    (&catalogue::EXECUTE_DURATION, "sum", 0.02),
                ],
            );
        }
    }

    #[test]
    fn items_count_by_outcome_alone_and_together() {
        for outcome in ITEM_OUTCOME {
            check(
                |cells| {
                    cells.item_ended(outcome);
                    cells.items_ended(outcome, 63);
                    cells.items_ended(outcome, 0);
                },
                &[(&catalogue::ITEMS, &word(outcome), 64.0)],
            );
        }
    }

    #[test]
    fn a_refusal_counts_by_reason_and_as_the_outcome_of_its_item() {
        for reason in Refusal::ALL {
            let outcome = if reason == Refusal::Expired { "expired" } else { "rejected" };
            check(
                |cells| cells.rejected(reason),
                &[(&catalogue::REJECTED, &word(reason), 1.0), (&catalogue::ITEMS, outcome, 1.0)],
            );
        }
        check(
            |cells| Refusal::ALL.into_iter().for_each(|reason| cells.rejected(reason)),
            &[
                (&catalogue::REJECTED, "queue_full", 1.0),
                (&catalogue::REJECTED, "weight", 1.0),
                (&catalogue::REJECTED, "closed", 1.0),
                (&catalogue::REJECTED, "expired", 1.0),
                (&catalogue::REJECTED, "limiter", 1.0),
                (&catalogue::ITEMS, "rejected", 4.0),
                (&catalogue::ITEMS, "expired", 1.0),
            ],
        );
    }

    #[test]
    fn splits_and_retries_are_counted() {
        check(
            |cells| {
                cells.split();
                cells.retried();
                cells.retried();
            },
            &[(&catalogue::SPLITS, "", 1.0), (&catalogue::RETRIES, "", 2.0)],
        );
    }

    #[test]
    fn waits_are_measured_only_with_timings() {
        check(
            |cells| cells.waited(5 * MS),
            &[(&catalogue::WAIT_DURATION, "count", 1.0), (&catalogue::WAIT_DURATION, "sum", 0.005)],
        );
        let batcher = Batcher::new(false);
        batcher.cells.waited(5 * MS);
        let snapshot = batcher.snapshot();
        let exported =
            |metric| snapshot.families.iter().any(|family| std::ptr::eq(family.metric, metric));
        for metric in metrics() {
            assert_eq!(exported(metric), !std::ptr::eq(metric, &catalogue::WAIT_DURATION));
        }
    }

    #[test]
    fn levels_and_what_the_sizer_believes_are_reported() {
        let mut batcher = Batcher::new(true);
        let levels = &mut batcher.levels;
        levels.target = BatchTarget { items: 96, bound: BatchBound::Overhead };
        levels.max_weight = Some(65_535);
        levels.max_items = 1_024;
        levels.queued = 40;
        levels.queue_capacity = 10_000;
        levels.in_flight = 3;
        levels.in_flight_limit = 16;
        let estimate = &mut levels.estimate;
        estimate.overhead = Some(Duration::from_millis(5));
        estimate.item_cost = Some(Duration::from_micros(50));
        estimate.overhead_seconds = 7.5;
        estimate.work_seconds = 30.0;
        estimate.avoided_seconds = 700.0;
        estimate.residual = 0.25;
        estimate.pairs = 24;
        estimate.resets = 2;
        estimate.target_ups = 5;
        estimate.target_downs = 4;
        estimate.bounds[BatchBound::Overhead.index()] = Some(96);
        estimate.bounds[BatchBound::Objective.index()] = Some(300);
        estimate.bounds[BatchBound::Load.index()] = Some(0);
        estimate.bounds[BatchBound::Observed.index()] = Some(5_000_000);
        check_batcher(
            batcher,
            &[
                (&catalogue::TARGET, "", 96.0),
                (&catalogue::BOUND_ITEMS, "overhead", 96.0),
                (&catalogue::BOUND_ITEMS, "objective", 300.0),
                (&catalogue::BOUND_ITEMS, "load", 0.0),
                // These allow any number, or more than a batch may have.
                (&catalogue::BOUND_ITEMS, "weight", 1_024.0),
                (&catalogue::BOUND_ITEMS, "max", 1_024.0),
                (&catalogue::BOUND_ITEMS, "unprofitable", 1_024.0),
                (&catalogue::BOUND_ITEMS, "observed", 1_024.0),
                (&catalogue::BOUND_ITEMS, "warm_up", 1_024.0),
                (&catalogue::BINDING_BOUND_INFO, "overhead", 1.0),
                (&catalogue::BINDING_BOUND_INFO, "warm_up", 0.0),
                (&catalogue::QUEUED, "", 40.0),
                (&catalogue::QUEUE_CAPACITY, "", 10_000.0),
                (&catalogue::IN_FLIGHT, "", 3.0),
                (&catalogue::IN_FLIGHT_LIMIT, "", 16.0),
                (&catalogue::FIXED_COST, "", 0.005),
                (&catalogue::ITEM_COST, "", 0.000_05),
                (&catalogue::MODEL_RESIDUAL, "", 0.25),
                (&catalogue::MODEL_PAIRS, "", 24.0),
                (&catalogue::MAX_WEIGHT, "", 65_535.0),
                (&catalogue::OVERHEAD, "", 7.5),
                (&catalogue::WORK, "", 30.0),
                (&catalogue::OVERHEAD_AVOIDED, "", 700.0),
                (&catalogue::TARGET_CHANGES, "up", 5.0),
                (&catalogue::TARGET_CHANGES, "down", 4.0),
                (&catalogue::MODEL_RESETS, "", 2.0),
            ],
        );
    }
}
