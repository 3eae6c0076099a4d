//! The last quarter of an hour, sampled in the background for the status page.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use floodway_metrics::{Registry, Snapshot};
use serde::Serialize;
use tokio::{
    runtime::Handle,
    task::spawn_blocking,
    time::{Instant, MissedTickBehavior, interval},
};

use super::{
    charted::{self, Key},
    control::Controls,
    data::Rows,
    findings::{Finding, findings},
};
use crate::unix_time::{self, millis};

/// Between two samples: quick enough for somebody who watches, and a snapshot of ten components
/// takes less than a millisecond of it.
const TICK: Duration = Duration::from_secs(2);

/// What rates and quantiles look back on: five ticks, in which a service under load has enough
/// observations for a 99th percentile.
const WINDOW: usize = 5;

/// 15 minutes.
const KEPT: usize = 450;

/// Components that have a history, so that a process with hundreds of names keeps its memory: about
/// 100 bytes for each of them and each tick are 3 MB at most.
const MAX_CHARTED: usize = 64;

/// Samples a registry while somebody has it.
#[derive(Debug)]
pub(crate) struct History {
    registry: Registry,
    started: SystemTime,
    sampling: AtomicBool,
    /// Held by whoever takes a sample, so that nobody else takes the same one.
    turn: Mutex<()>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Those that the window reaches back to, the oldest first.
    recent: VecDeque<(Instant, Snapshot)>,
    rows: Rows,
    /// The number of the first of `ticks`.
    first: u64,
    ticks: VecDeque<Tick>,
    omitted: usize,
}

#[derive(Debug)]
struct Tick {
    /// Unix time in milliseconds.
    time: u64,
    /// As [`charted::names`] calls them.
    values: BTreeMap<Key, Box<[f32]>>,
}

impl History {
    pub(crate) fn new(registry: &Registry) -> Self {
        Self {
            registry: registry.clone(),
            started: unix_time::now(),
            sampling: AtomicBool::new(false),
            turn: Mutex::default(),
            state: Mutex::default(),
        }
    }

    /// Samples on `runtime` from now on, unless that is done already.
    pub(crate) fn start(self: &Arc<Self>, runtime: &Handle) {
        if self.sampling.swap(true, Ordering::Relaxed) {
            return;
        }
        let sampling = Sampling(Arc::downgrade(self));
        runtime.spawn(async move {
            let mut ticks = interval(TICK);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                let Some(history) = sampling.0.upgrade() else {
                    return;
                };
                // An error is a component that panicked. It may be well next time.
                let _ = spawn_blocking(move || history.sample()).await;
            }
        });
    }

    /// Takes one sample, unless somebody has just done so: whoever asks first and the task that this
    /// starts.
    fn sample(&self) {
        self.sample_unless(|when| when.elapsed() < TICK / 2);
    }

    /// Takes one sample now, because something has been changed.
    pub(super) fn sample_now(&self) {
        self.sample_unless(|_| false);
    }

    fn sample_unless(&self, is_there: impl Fn(&Instant) -> bool) {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if self.state().recent.back().is_some_and(|(when, _)| is_there(when)) {
            return;
        }
        let (snapshot, now, time) = (self.registry.snapshot(), Instant::now(), unix_time::now());
        self.state().add(snapshot, now, millis(time));
    }

    /// What the page asks for: everything now, and what was from tick `since` on. `controls` are the
    /// limiters that the page may change, if it may change any.
    pub(super) fn page(&self, since: u64, controls: Option<&Controls>) -> Vec<u8> {
        let nothing = self.state().ticks.is_empty();
        if nothing {
            self.sample();
        }
        let state = self.state();
        let first = since.clamp(state.first, state.next());
        let page = Page {
            version: env!("CARGO_PKG_VERSION"),
            now_ms: millis(unix_time::now()),
            started_ms: millis(self.started),
            tick_seconds: TICK.as_secs(),
            window_seconds: TICK.as_secs() * WINDOW as u64,
            control: controls.is_some(),
            findings: findings(&state.rows),
            rows: state.rows.marked(|limiter| controls?.range(limiter)),
            omitted: state.omitted,
            history: state.since(first),
        };
        // Only a map with keys that are no texts would be an error.
        serde_json::to_vec(&page).unwrap_or_default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn next(&self) -> u64 {
        self.first + self.ticks.len() as u64
    }

    fn add(&mut self, snapshot: Snapshot, now: Instant, time: u64) {
        let seconds = |then: Instant| now.saturating_duration_since(then).as_secs_f64();
        self.rows = match self.recent.front() {
            Some((then, earlier)) if seconds(*then) > 0.0 => {
                Rows::between(earlier, &snapshot, seconds(*then))
            }
            // Nothing is known of what happened in no time.
            _ => Rows::between(&snapshot, &snapshot, 1.0),
        };
        self.recent.push_back((now, snapshot));
        if self.recent.len() > WINDOW {
            self.recent.pop_front();
        }
        // Those in trouble first: it is they that somebody wants to see.
        let said = findings(&self.rows);
        let in_trouble = |key: &Key| said.iter().any(|one| one.kind == key.0 && one.name == key.1);
        let (troubled, well): (Vec<_>, Vec<_>) =
            charted::values(&self.rows).partition(|(key, _)| in_trouble(key));
        let mut charted = troubled.into_iter().chain(well);
        let values = charted.by_ref().take(MAX_CHARTED).collect();
        self.omitted = charted.count();
        self.ticks.push_back(Tick { time, values });
        if self.ticks.len() > KEPT {
            self.ticks.pop_front();
            self.first += 1;
        }
    }

    /// From tick `first` on, which is not before what is kept.
    fn since(&self, first: u64) -> Past<'_> {
        let skip = usize::try_from(first - self.first).unwrap_or(usize::MAX);
        let ticks = || self.ticks.iter().skip(skip);
        // The newest first, so that who is charted now is among those that there is room for.
        let mut keys = BTreeSet::new();
        for key in ticks().rev().flat_map(|tick| tick.values.keys()) {
            if keys.len() < MAX_CHARTED || keys.contains(key) {
                keys.insert(key);
            }
        }
        let series = keys.into_iter().map(|key: &Key| {
            let column = |at: usize| {
                let value = |tick: &Tick| tick.values.get(key)?.get(at).copied();
                ticks().map(|tick| value(tick).filter(|value| !value.is_nan())).collect()
            };
            let names = charted::names(key.0).into_iter().zip(0..);
            let values = names.map(|(name, at)| (name, column(at))).collect();
            Series { kind: key.0, name: &key.1, values }
        });
        Past {
            first,
            next: self.next(),
            times_ms: ticks().map(|tick| tick.time).collect(),
            series: series.collect(),
        }
    }
}

/// Whoever samples next may be on another runtime.
#[derive(Debug)]
struct Sampling(Weak<History>);

/// The task ended, perhaps with its runtime: the next who asks starts another.
impl Drop for Sampling {
    fn drop(&mut self) {
        if let Some(history) = self.0.upgrade() {
            history.sampling.store(false, Ordering::Relaxed);
        }
    }
}

#[derive(Debug, Serialize)]
struct Page<'a> {
    version: &'static str,
    now_ms: u64,
    started_ms: u64,
    tick_seconds: u64,
    window_seconds: u64,
    control: bool,
    findings: Vec<Finding>,
    #[serde(flatten)]
    rows: Rows,
    omitted: usize,
    history: Past<'a>,
}

#[derive(Debug, Serialize)]
struct Past<'a> {
    first: u64,
    next: u64,
    times_ms: Vec<u64>,
    series: Vec<Series<'a>>,
}

#[derive(Debug, Serialize)]
struct Series<'a> {
    kind: &'static str,
    name: &'a str,
    values: BTreeMap<&'static str, Vec<Option<f32>>>,
}

#[cfg(test)]
mod tests {
    use std::sync::Weak;

    use floodway_metrics::{Collector, ComponentKind, Source, catalogue::limiter};

    use super::*;

    struct Limiter;

    impl Source for Limiter {
        fn collect(&self, out: &mut Collector) {
            out.number(&limiter::LIMIT, 3.0);
        }
    }

    fn registered(registry: &Registry, name: &str) -> Arc<dyn Source> {
        let source: Arc<dyn Source> = Arc::new(Limiter);
        registry.register(ComponentKind::Limiter, name, &source).unwrap();
        source
    }

    /// So many samples, two seconds after one another.
    fn sample(state: &mut State, registry: &Registry, begun: Instant, ticks: std::ops::Range<u32>) {
        for tick in ticks {
            state.add(registry.snapshot(), begun + TICK * tick, u64::from(tick));
        }
    }

    #[tokio::test]
    async fn a_quarter_of_an_hour_is_kept_whoever_was_there() {
        let (registry, begun) = (Registry::new(), Instant::now());
        let mut state = State::default();
        let early = registered(&registry, "early");
        sample(&mut state, &registry, begun, 0..300);
        drop(early);
        let _late = registered(&registry, "late");
        sample(&mut state, &registry, begun, 300..500);
        assert_eq!((state.first, state.next()), (50, 500));
        let past = state.since(50);
        assert_eq!((past.times_ms.len(), past.times_ms[0]), (KEPT, 50));
        let limits = |name: &str| {
            let series = past.series.iter().find(|series| series.name == name).unwrap();
            &series.values["limit"]
        };
        let known = |values: &[Option<f32>]| values.iter().filter(|value| value.is_some()).count();
        assert_eq!((limits("early").len(), known(limits("early"))), (KEPT, 250));
        assert_eq!((limits("late").len(), known(limits("late"))), (KEPT, 200));
        sample(&mut state, &registry, begun, 500..750);
        assert!(state.since(300).series.iter().all(|series| series.name == "late"));
    }

    #[tokio::test]
    async fn components_that_come_and_go_take_no_more_room() {
        let (registry, begun) = (Registry::new(), Instant::now());
        let mut state = State::default();
        for tick in 0..100 {
            let _passing = registered(&registry, &format!("l{tick}"));
            sample(&mut state, &registry, begun, tick..tick + 1);
        }
        let past = state.since(0);
        assert_eq!(past.series.len(), MAX_CHARTED);
        assert!(past.series.iter().any(|series| series.name == "l99"));
        assert!(past.series.iter().all(|series| series.name != "l0"));
    }

    #[tokio::test(start_paused = true)]
    async fn samples_are_taken_as_long_as_somebody_has_the_history() {
        let history = Arc::new(History::new(&Registry::new()));
        history.start(&Handle::current());
        history.start(&Handle::current());
        while history.state().next() < 4 {
            tokio::time::sleep(TICK).await;
        }
        let kept: Weak<History> = Arc::downgrade(&history);
        drop(history);
        while kept.strong_count() > 0 {
            tokio::time::sleep(TICK).await;
        }
    }
}
