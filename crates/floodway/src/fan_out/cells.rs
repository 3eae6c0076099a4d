//! The numbers of the fan-outs of one name.

use std::{sync::Arc, time::Duration};

use floodway_metrics::{
    Buckets, Collector, ComponentKind, Counter, Histogram, RegisterError, Registry, Source,
    catalogue::fan_out as catalogue,
};

const CALL_OUTCOMES: usize = catalogue::CALL_OUTCOME.values.len();
const ITEM_OUTCOMES: usize = catalogue::ITEM_OUTCOME.values.len();
const HEDGE_RESULTS: usize = catalogue::HEDGE_RESULT.values.len();

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallOutcome {
    /// Every item succeeded.
    Ok,
    /// Some items did not succeed, and the policy let the call go on to its end.
    Partial,
    /// Stopped by its policy, its deadline or its source.
    Error,
    /// Dropped or cancelled.
    Cancelled,
}

/// What became of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ItemOutcome {
    Ok,
    Failed,
    TimedOut,
    Cancelled,
    NotStarted,
    Panicked,
    Rejected,
}

/// A call that has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallEnd {
    pub(crate) outcome: CallOutcome,
    /// From its beginning to its end.
    pub(crate) duration: Duration,
    /// Most items that were in flight at once.
    pub(crate) width: usize,
    /// How long it went on after half of its items had ended.
    pub(crate) straggler: Duration,
}

/// What all calls of one name count in, at the same time and one after another.
///
/// There is no gauge that a call sets. What is in flight is what began less what ended, as read by
/// a scrape, so a call that is dropped anywhere leaves nothing behind once it has said how it and
/// its items ended.
#[derive(Debug)]
pub(crate) struct Cells {
    calls_started: Counter,
    calls_ended: Counter<CALL_OUTCOMES>,
    items_started: Counter,
    /// Items that had started, by outcome.
    items_ended: Counter<ITEM_OUTCOMES>,
    /// Items that never started, by outcome.
    items_not_started: Counter<ITEM_OUTCOMES>,
    retries: Counter,
    hedges: Counter<HEDGE_RESULTS>,
    width: Histogram,
    chunk: Histogram,
    duration: Histogram,
    /// Its sum is the busy time, which is not added up a second time.
    item_duration: Histogram,
    straggler: Histogram,
    wake_delay: Histogram,
}

/// A method for each thing that happens. Each adds to a cell or a few of the calling thread's
/// shard and takes no lock.
impl Cells {
    /// The cells of the fan-outs called `name`, made when first asked for. They live as long as
    /// the registry, because a counter must not start again with the next call.
    pub(crate) fn named(registry: &Registry, name: &str) -> Result<Arc<Self>, RegisterError> {
        registry.shared(ComponentKind::FanOut, name)
    }

    #[inline]
    pub(crate) fn call_started(&self) {
        self.calls_started.increment(0);
    }

    /// Once for each [`call_started`](Self::call_started), after all of its items.
    #[inline]
    pub(crate) fn call_ended(&self, call: CallEnd) {
        self.calls_ended.increment(call.outcome as usize);
        self.duration.record(nanos(call.duration));
        self.width.record(call.width as u64);
        self.straggler.record(nanos(call.straggler));
    }

    #[inline]
    pub(crate) fn items_started(&self, n: u64) {
        self.items_started.add(0, n);
    }

    /// The end of an item that had started and ran for `running`.
    #[inline]
    pub(crate) fn item_ended(&self, outcome: ItemOutcome, running: Duration) {
        self.items_ended.increment(outcome as usize);
        self.item_duration.record(nanos(running));
    }

    /// The end of `n` items of a chunk that had started and ran for `running` together, one after
    /// another. The histogram takes each for their mean.
    pub(crate) fn items_ended(&self, outcome: ItemOutcome, n: u64, running: Duration) {
        self.items_ended.add(outcome as usize, n);
        self.item_duration.record_many(n, nanos(running));
    }

    /// `n` items that have their outcome and never ran.
    #[inline]
    pub(crate) fn items_not_started(&self, outcome: ItemOutcome, n: u64) {
        self.items_not_started.add(outcome as usize, n);
    }

    #[inline]
    pub(crate) fn retried(&self) {
        self.retries.increment(0);
    }

    /// The end of a race between an item's first attempt and a second, which `won` it or not.
    #[inline]
    pub(crate) fn hedged(&self, won: bool) {
        self.hedges.increment(usize::from(!won));
    }

    /// An item was polled `delay` after its waker had been called.
    #[inline]
    pub(crate) fn woken(&self, delay: Duration) {
        self.wake_delay.record(nanos(delay));
    }

    /// A chunk of `items` begins to run.
    #[inline]
    pub(crate) fn chunk(&self, items: usize) {
        self.chunk.record(items as u64);
    }
}

impl Default for Cells {
    fn default() -> Self {
        Self {
            calls_started: Counter::new(),
            calls_ended: Counter::new(),
            items_started: Counter::new(),
            items_ended: Counter::new(),
            items_not_started: Counter::new(),
            retries: Counter::new(),
            hedges: Counter::new(),
            width: Histogram::new(Buckets::ITEMS),
            chunk: Histogram::new(Buckets::ITEMS),
            duration: Histogram::new(Buckets::DURATIONS),
            item_duration: Histogram::new(Buckets::DURATIONS),
            straggler: Histogram::new(Buckets::DURATIONS),
            wake_delay: Histogram::new(Buckets::DURATIONS),
        }
    }
}

impl Source for Cells {
    fn collect(&self, out: &mut Collector) {
        let calls_ended = self.calls_ended.values();
        let (_, running_calls) = begun(&self.calls_started, calls_ended.iter().sum());
        let items_ended = self.items_ended.values();
        let (items_started, in_flight) = begun(&self.items_started, items_ended.iter().sum());
        let not_started = self.items_not_started.values();
        let processed = items_ended.iter().zip(not_started).map(|(ended, not)| ended + not);
        let item_duration = self.item_duration.value();

        out.numbers(&catalogue::CALLS, floats(calls_ended));
        out.number(&catalogue::RUNNING_CALLS, running_calls as f64);
        out.number(&catalogue::ITEMS_STARTED, items_started as f64);
        out.numbers(&catalogue::ITEMS_PROCESSED, floats(processed));
        out.number(&catalogue::IN_FLIGHT_ITEMS, in_flight as f64);
        out.number(&catalogue::BUSY_SECONDS, item_duration.sum);
        out.number(&catalogue::RETRIES, self.retries.total() as f64);
        out.numbers(&catalogue::HEDGES, floats(self.hedges.values()));
        out.histogram(&catalogue::WIDTH, self.width.value());
        out.histogram(&catalogue::CHUNK, self.chunk.value());
        out.histogram(&catalogue::DURATION, self.duration.value());
        out.histogram(&catalogue::ITEM_DURATION, item_duration);
        out.histogram(&catalogue::STRAGGLER, self.straggler.value());
        out.histogram(&catalogue::WAKE_DELAY, self.wake_delay.value());
    }
}

/// How many have begun, of which `ended` have ended, and how many have not.
///
/// `ended` has to be read before: what begins and ends while a scrape reads is then in flight for
/// an instant rather than ended and never begun. No ordering holds between relaxed additions to two
/// cells, though, so a weaker processor may show the end first all the same; then what has ended
/// has also begun. How many have begun never runs backwards, because neither of the two does.
fn begun(started: &Counter, ended: u64) -> (u64, u64) {
    let started = started.total().max(ended);
    (started, started - ended)
}

fn floats(counts: impl IntoIterator<Item = u64>) -> impl Iterator<Item = f64> {
    counts.into_iter().map(|count| count as f64)
}

/// 584 years and more are as long.
#[inline]
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicBool, Ordering},
        thread,
    };

    use floodway_metrics::{CATALOGUE, Kind, MAX_NAMES_PER_KIND, Metric, OTHER, Snapshot, Value};

    use super::*;

    const NAME: &str = "enrich";
    const MS: Duration = Duration::from_millis(1);

    fn cells() -> (Registry, Arc<Cells>) {
        let registry = Registry::new();
        let cells = Cells::named(&registry, NAME).unwrap();
        (registry, cells)
    }

    fn number(snapshot: &Snapshot, metric: &'static Metric, label: &str) -> f64 {
        let labels = if label.is_empty() { vec![NAME] } else { vec![NAME, label] };
        snapshot.number(metric, &labels).unwrap()
    }

    /// Each with its label's value; `count` or `sum` of a histogram.
    #[track_caller]
    fn check(registry: &Registry, expected: &[(&'static Metric, &str, f64)]) {
        let snapshot = registry.snapshot();
        for (metric, label, value) in expected {
            let found = match metric.kind {
                Kind::Histogram(_) => {
                    let histogram = snapshot.histogram(metric, &[NAME]).unwrap();
                    if *label == "count" { histogram.count() as f64 } else { histogram.sum }
                }
                _ => number(&snapshot, metric, label),
            };
            assert!((found - value).abs() < 1e-9, "{} {label}: {found}, not {value}", metric.name);
        }
    }

    #[test]
    fn every_metric_is_there_at_zero_from_birth_with_every_label_value() {
        let (registry, _cells) = cells();
        let snapshot = registry.snapshot();
        for metric in CATALOGUE.iter().filter(|metric| metric.component == ComponentKind::FanOut) {
            let family = snapshot.families.iter().find(|family| family.metric.name == metric.name);
            let series = &family.unwrap_or_else(|| panic!("no {}", metric.name)).series;
            let values: usize = metric.labels.iter().map(|label| label.values.len()).product();
            assert_eq!(series.len(), values, "{}", metric.name);
            for one in series {
                let zero = match &one.value {
                    Value::Number(number) => *number == 0.0,
                    Value::Histogram(histogram) => histogram.count() == 0 && histogram.sum == 0.0,
                    other => panic!("{other:?}"),
                };
                assert!(zero, "{}: {one:?}", metric.name);
            }
        }
    }

    #[test]
    fn a_call_and_its_items_are_counted_by_outcome() {
        let (registry, cells) = cells();
        cells.call_started();
        cells.call_started();
        cells.items_started(5);
        check(
            &registry,
            &[
                (&catalogue::RUNNING_CALLS, "", 2.0),
                (&catalogue::ITEMS_STARTED, "", 5.0),
                (&catalogue::IN_FLIGHT_ITEMS, "", 5.0),
            ],
        );
        cells.item_ended(ItemOutcome::Ok, 2 * MS);
        cells.item_ended(ItemOutcome::Failed, 3 * MS);
        cells.item_ended(ItemOutcome::TimedOut, 10 * MS);
        cells.item_ended(ItemOutcome::Panicked, MS);
        cells.items_not_started(ItemOutcome::NotStarted, 7);
        cells.items_not_started(ItemOutcome::Rejected, 2);
        cells.items_not_started(ItemOutcome::Cancelled, 4);
        let (duration, straggler) = (20 * MS, 8 * MS);
        let outcome = CallOutcome::Partial;
        cells.call_ended(CallEnd { outcome, duration, width: 4, straggler });
        check(
            &registry,
            &[
                (&catalogue::CALLS, "ok", 0.0),
                (&catalogue::CALLS, "partial", 1.0),
                (&catalogue::RUNNING_CALLS, "", 1.0),
                (&catalogue::ITEMS_STARTED, "", 5.0),
                (&catalogue::IN_FLIGHT_ITEMS, "", 1.0),
                (&catalogue::ITEMS_PROCESSED, "ok", 1.0),
                (&catalogue::ITEMS_PROCESSED, "failed", 1.0),
                (&catalogue::ITEMS_PROCESSED, "timed_out", 1.0),
                (&catalogue::ITEMS_PROCESSED, "cancelled", 4.0),
                (&catalogue::ITEMS_PROCESSED, "not_started", 7.0),
                (&catalogue::ITEMS_PROCESSED, "panicked", 1.0),
                (&catalogue::ITEMS_PROCESSED, "rejected", 2.0),
                (&catalogue::BUSY_SECONDS, "", 0.016),
                (&catalogue::ITEM_DURATION, "count", 4.0),
                (&catalogue::ITEM_DURATION, "sum", 0.016),
                (&catalogue::DURATION, "sum", 0.02),
                (&catalogue::STRAGGLER, "sum", 0.008),
                (&catalogue::WIDTH, "sum", 4.0),
            ],
        );
        cells.item_ended(ItemOutcome::Cancelled, MS);
        cells.call_ended(CallEnd {
            outcome: CallOutcome::Cancelled,
            duration,
            width: 1,
            straggler,
        });
        check(
            &registry,
            &[
                (&catalogue::CALLS, "cancelled", 1.0),
                (&catalogue::RUNNING_CALLS, "", 0.0),
                (&catalogue::IN_FLIGHT_ITEMS, "", 0.0),
                (&catalogue::ITEMS_PROCESSED, "cancelled", 5.0),
            ],
        );
    }

    #[test]
    fn the_items_of_a_chunk_share_its_time() {
        let (registry, cells) = cells();
        cells.chunk(128);
        cells.items_started(128);
        cells.items_ended(ItemOutcome::Ok, 127, 254 * MS);
        cells.items_ended(ItemOutcome::Failed, 1, MS);
        cells.items_ended(ItemOutcome::Failed, 0, Duration::ZERO);
        check(
            &registry,
            &[
                (&catalogue::CHUNK, "count", 1.0),
                (&catalogue::CHUNK, "sum", 128.0),
                (&catalogue::ITEMS_PROCESSED, "ok", 127.0),
                (&catalogue::ITEMS_PROCESSED, "failed", 1.0),
                (&catalogue::IN_FLIGHT_ITEMS, "", 0.0),
                (&catalogue::BUSY_SECONDS, "", 0.255),
                (&catalogue::ITEM_DURATION, "count", 128.0),
            ],
        );
        let durations = registry.snapshot();
        let durations = durations.histogram(&catalogue::ITEM_DURATION, &[NAME]).unwrap();
        // All up to 2.5 ms, one of them up to 1 ms.
        assert_eq!(durations.cumulative[3..5], [1, 128]);
    }

    #[test]
    fn attempts_and_wakes_are_counted() {
        let (registry, cells) = cells();
        cells.retried();
        cells.hedged(true);
        cells.hedged(true);
        cells.hedged(false);
        cells.woken(35 * MS);
        check(
            &registry,
            &[
                (&catalogue::RETRIES, "", 1.0),
                (&catalogue::HEDGES, "won", 2.0),
                (&catalogue::HEDGES, "lost", 1.0),
                (&catalogue::WAKE_DELAY, "count", 1.0),
                (&catalogue::WAKE_DELAY, "sum", 0.035),
            ],
        );
    }

    #[test]
    fn counters_go_on_after_a_call_has_ended() {
        let registry = Registry::new();
        for _ in 0..3 {
            let cells = Cells::named(&registry, NAME).unwrap();
            cells.call_started();
            let (outcome, duration, straggler) = (CallOutcome::Ok, MS, MS);
            cells.call_ended(CallEnd { outcome, duration, width: 1, straggler });
        }
        check(&registry, &[(&catalogue::CALLS, "ok", 3.0), (&catalogue::RUNNING_CALLS, "", 0.0)]);
    }

    #[test]
    fn calls_of_one_name_share_cells_and_names_beyond_the_guard_share_others() {
        let registry = Registry::new();
        let named = |i: usize| Cells::named(&registry, &format!("step-{i}")).unwrap();
        let first = named(0);
        assert!(Arc::ptr_eq(&first, &named(0)));
        assert!(!Arc::ptr_eq(&first, &named(1)));
        (0..MAX_NAMES_PER_KIND).for_each(|i| drop(named(i)));
        let (one, another) = (named(MAX_NAMES_PER_KIND), named(MAX_NAMES_PER_KIND + 1));
        assert!(Arc::ptr_eq(&one, &another));
        one.retried();
        another.retried();
        let snapshot = registry.snapshot();
        assert_eq!(snapshot.number(&catalogue::RETRIES, &[OTHER]), Some(2.0));
        assert!(Cells::named(&registry, "no name").is_err());
    }

    /// Half of the items end on another thread than the one they started on, as with a runtime
    /// whose workers steal.
    #[test]
    fn no_scrape_sees_more_ended_than_begun_or_a_counter_that_runs_backwards() {
        let (registry, cells) = cells();
        let (sender, receiver) = std::sync::mpsc::sync_channel(64);
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let (cells, done, registry) = (&cells, &done, &registry);
            let scraper = scope.spawn(move || {
                let mut before = [0.0; 3];
                while !done.load(Ordering::Relaxed) {
                    let snapshot = registry.snapshot();
                    let get = |metric| number(&snapshot, metric, "");
                    let ended = snapshot.number(&catalogue::ITEMS_PROCESSED, &[NAME]).unwrap();
                    let now =
                        [get(&catalogue::ITEMS_STARTED), ended, get(&catalogue::BUSY_SECONDS)];
                    assert!(now.iter().zip(before).all(|(now, before)| *now >= before), "{now:?}");
                    let in_flight = get(&catalogue::IN_FLIGHT_ITEMS);
                    assert!(in_flight >= 0.0 && now[0] - now[1] == in_flight, "{now:?}");
                    assert!(get(&catalogue::RUNNING_CALLS) >= 0.0);
                    before = now;
                }
            });
            let ends = scope.spawn(move || {
                for () in receiver {
                    cells.item_ended(ItemOutcome::Ok, MS);
                }
            });
            for _ in 0..50_000 {
                cells.call_started();
                cells.items_started(2);
                sender.send(()).unwrap();
                cells.item_ended(ItemOutcome::Failed, MS);
                let (outcome, duration, straggler) = (CallOutcome::Ok, MS, MS);
                cells.call_ended(CallEnd { outcome, duration, width: 2, straggler });
            }
            drop(sender);
            ends.join().unwrap();
            done.store(true, Ordering::Relaxed);
            scraper.join().unwrap();
        });
        check(
            &registry,
            &[
                (&catalogue::IN_FLIGHT_ITEMS, "", 0.0),
                (&catalogue::RUNNING_CALLS, "", 0.0),
                (&catalogue::ITEMS_PROCESSED, "ok", 50_000.0),
                (&catalogue::BUSY_SECONDS, "", 100.0),
            ],
        );
    }
}
