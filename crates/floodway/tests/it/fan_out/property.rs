//! Random fan-outs under paused time beside what must hold of every one of them.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, HashSet},
    future::ready,
    num::NonZeroU32,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use floodway::{
    Chunking, Clock, Limiter,
    fan_out::{
        AttemptBudget, ErrorPolicy, FanOutExt, ItemError, OnStop, Outcome, Report, Retry, Stats,
        StopReason, Summary, Tolerance,
    },
};
use futures::{StreamExt, stream};
use proptest::{prelude::*, test_runner::RngSeed};
use tokio::time::{Instant, sleep};

use super::kit::{ends, limiter, nz, panics};
use crate::support::ms;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Ok,
    Err,
    Panic,
    /// The function that makes the future panics.
    PanicAtOnce,
}

#[derive(Clone, Debug)]
struct Item {
    takes: u64,
    how: How,
    key: u8,
    weight: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Engine {
    Spawned,
    InTask,
    SpawnEach,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Collect,
    ForEach { busy: u64 },
    Fold,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    Iterator,
    /// Gives an item every so many milliseconds.
    Stream(u64),
    /// An iterator that does not know its length.
    Unknown,
}

#[derive(Clone, Debug)]
struct Case {
    items: Vec<Item>,
    from: From,
    engine: Engine,
    end: End,
    concurrency: usize,
    buffer: usize,
    lookahead: usize,
    ordered: bool,
    /// Of two limiters, if they are used.
    limits: [Option<u32>; 2],
    per_key: Option<usize>,
    weighed: bool,
    item_timeout: Option<u64>,
    deadline: Option<u64>,
    policy: ErrorPolicy,
    grace: Option<u64>,
    attempts: u32,
    chunks: u8,
}

fn item() -> impl Strategy<Value = Item> {
    let how = prop_oneof![
        8 => Just(How::Ok),
        2 => Just(How::Err),
        1 => Just(How::Panic),
        1 => Just(How::PanicAtOnce),
    ];
    let takes = prop_oneof![Just(0_u64), 0..30_u64];
    (takes, how, 0..4_u8, 1..5_u32).prop_map(|(takes, how, key, weight)| Item {
        takes,
        how,
        key,
        weight,
    })
}

fn policy() -> impl Strategy<Value = ErrorPolicy> {
    prop_oneof![
        4 => Just(ErrorPolicy::CollectAll),
        1 => Just(ErrorPolicy::FailFast),
        1 => (0..4_usize).prop_map(|n| ErrorPolicy::Tolerate(Tolerance::count(n))),
        1 => Just(ErrorPolicy::Tolerate(Tolerance::new(0, 0.3).expect("a ratio"))),
        1 => (1..6_usize).prop_map(|n| ErrorPolicy::FirstOk(nz(n))),
        1 => (1..30_usize).prop_map(|n| ErrorPolicy::Quorum(nz(n))),
    ]
}

fn case() -> impl Strategy<Value = Case> {
    let engine = prop_oneof![Just(Engine::Spawned), Just(Engine::InTask), Just(Engine::SpawnEach)];
    let end = prop_oneof![
        Just(End::Collect),
        (0..20_u64).prop_map(|busy| End::ForEach { busy }),
        Just(End::Fold)
    ];
    let from =
        prop_oneof![Just(From::Iterator), (0..8_u64).prop_map(From::Stream), Just(From::Unknown)];
    let limit = || proptest::option::weighted(0.3, 1..6_u32);
    let what = (proptest::collection::vec(item(), 0..40), from, engine, end);
    let bounds = (1..7_usize, 0..4_usize, 0..5_usize, any::<bool>(), [limit(), limit()]);
    let classes = (proptest::option::weighted(0.3, 1..3_usize), proptest::bool::weighted(0.3));
    let option = |range: std::ops::Range<u64>| proptest::option::weighted(0.3, range);
    let rest = (option(0..25), option(0..150), policy(), option(0..20), 1..4_u32, 0..5_u8);
    (what, bounds, classes, rest).prop_map(|(what, bounds, classes, rest)| {
        let (items, from, engine, end) = what;
        let (concurrency, buffer, lookahead, ordered, limits) = bounds;
        let (per_key, weighed) = classes;
        let (item_timeout, deadline, policy, grace, attempts, chunks) = rest;
        // A task that timed out lives until the runtime drops it, beside the next one.
        let item_timeout = item_timeout.filter(|_| engine != Engine::SpawnEach);
        Case {
            items,
            from,
            engine,
            end,
            concurrency,
            buffer,
            lookahead,
            ordered,
            limits,
            per_key,
            weighed,
            item_timeout,
            deadline,
            policy,
            grace,
            attempts,
            chunks,
        }
    })
}

/// Watches what runs.
#[derive(Default)]
struct Watch {
    inside: usize,
    most: usize,
    by_key: HashMap<u8, usize>,
    most_of_a_key: usize,
    weight: u32,
    most_weight: u32,
    /// The items that were begun, with their keys, in this order; again with every attempt.
    begun: Vec<(u8, usize)>,
    latest_begun: u64,
    pulled: usize,
    delivered: usize,
    most_ahead: usize,
}

#[derive(Clone)]
struct Watched {
    watch: Arc<Mutex<Watch>>,
    began: Instant,
}

impl Watched {
    fn look(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).expect("short")
    }

    fn pull(&self) {
        let mut all = self.look();
        all.pulled += 1;
        all.most_ahead = all.most_ahead.max(all.pulled - all.delivered);
    }

    fn deliver(&self) {
        self.look().delivered += 1;
    }

    fn enter(&self, index: usize, item: &Item) -> Inside {
        let now = self.elapsed();
        let mut all = self.look();
        all.begun.push((item.key, index));
        all.latest_begun = now;
        all.inside += 1;
        all.most = all.most.max(all.inside);
        all.weight += item.weight;
        all.most_weight = all.most_weight.max(all.weight);
        let of_key = all.by_key.entry(item.key).or_default();
        *of_key += 1;
        let of_key = *of_key;
        all.most_of_a_key = all.most_of_a_key.max(of_key);
        Inside(self.clone(), item.key, item.weight)
    }
}

struct Inside(Watched, u8, u32);

impl Drop for Inside {
    fn drop(&mut self) {
        let mut all = self.0.look();
        all.inside -= 1;
        all.weight -= self.2;
        if let Some(of_key) = all.by_key.get_mut(&self.1) {
            *of_key -= 1;
        }
    }
}

/// What came of it.
struct Ran {
    outcomes: Vec<Outcome<usize, usize>>,
    stop: StopReason,
    stats: Stats,
    took: u64,
}

/// An iterator that does not know its length.
struct Unknown<I>(I);

impl<I: Iterator> Iterator for Unknown<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        self.0.next()
    }
}

type Numbered = (usize, Item);

type Items = Box<dyn Iterator<Item = Numbered> + Send>;

fn operation(
    watched: &Watched,
) -> impl Fn(Numbered) -> Pin<Box<dyn Future<Output = Result<usize, usize>> + Send>>
+ Send
+ Sync
+ 'static {
    let watched = watched.clone();
    move |(index, item)| {
        if item.how == How::PanicAtOnce {
            panics();
        }
        let watched = watched.clone();
        Box::pin(async move {
            let _inside = watched.enter(index, &item);
            if item.takes > 0 {
                sleep(ms(item.takes)).await;
            }
            match item.how {
                How::Ok => Ok(index),
                How::Err => Err(index),
                How::Panic | How::PanicAtOnce => panics(),
            }
        })
    }
}

/// Runs the fan-out to the end that is asked for.
macro_rules! end {
    ($fan_out:expr, $case:expr, $watched:expr) => {{
        let (case, watched): (&Case, &Watched) = ($case, $watched);
        match case.end {
            End::Collect => {
                let Report { outcomes, stop, stats, .. } = $fan_out.collect().await;
                Ran { outcomes, stop, stats, took: watched.elapsed() }
            }
            End::ForEach { busy } => {
                let mut outcomes = Vec::new();
                let body = |outcome| {
                    watched.deliver();
                    outcomes.push(outcome);
                    sleep(ms(busy))
                };
                let Summary { stop, stats, .. } = $fan_out.for_each(body).await;
                Ran { outcomes, stop, stats, took: watched.elapsed() }
            }
            End::Fold => {
                let body = |mut outcomes: Vec<_>, outcome| {
                    watched.deliver();
                    outcomes.push(outcome);
                    ready(outcomes)
                };
                let (outcomes, Summary { stop, stats, .. }) = $fan_out.fold(Vec::new(), body).await;
                Ran { outcomes, stop, stats, took: watched.elapsed() }
            }
        }
    }};
}

/// Says what the case says, and runs it with its engine.
macro_rules! with_engine {
    ($fan_out:expr, $case:expr, $watched:expr) => {
        match $case.engine {
            Engine::Spawned => end!($fan_out, $case, $watched),
            Engine::InTask => end!($fan_out.in_task(), $case, $watched),
            Engine::SpawnEach => end!($fan_out.spawn_each(), $case, $watched),
        }
    };
}

macro_rules! with_options {
    ($source:expr, $case:expr, $limiters:expr, $watched:expr) => {{
        let (case, watched): (&Case, &Watched) = ($case, $watched);
        let mut fan_out = $source
            .fan_out(operation(watched))
            .clock(Clock::tokio())
            .concurrency(nz(case.concurrency))
            .buffer(case.buffer)
            .lookahead(case.lookahead)
            .on_error(case.policy);
        for limiter in $limiters {
            fan_out = fan_out.limiter(limiter);
        }
        fan_out = match case.chunks {
            0 => fan_out.chunks(Chunking::Adaptive),
            chunk @ 1..=2 => fan_out.chunks(Chunking::Fixed(nz(usize::from(chunk) * 2))),
            _ => fan_out,
        };
        if case.ordered {
            fan_out = fan_out.ordered();
        }
        if let Some(timeout) = case.item_timeout {
            fan_out = fan_out.item_timeout(ms(timeout));
        }
        if let Some(deadline) = case.deadline {
            fan_out = fan_out.timeout(ms(deadline));
        }
        if let Some(grace) = case.grace {
            fan_out = fan_out.on_stop(OnStop::Drain(ms(grace)));
        }
        let budget = AttemptBudget::new(10.0, 1000).expect("a ratio");
        let retry = Retry::up_to(NonZeroU32::new(case.attempts).expect("not zero"))
            .backoff(ms(3), ms(10))
            .budget(&budget);
        let key = |item: &Numbered| item.1.key;
        let weight = |item: &Numbered| item.1.weight;
        match (case.per_key, case.weighed, case.attempts) {
            (None, false, 1) => with_engine!(fan_out, case, watched),
            (None, false, _) => with_engine!(fan_out.attempts(retry), case, watched),
            (None, true, _) => with_engine!(fan_out.weight(weight).attempts(retry), case, watched),
            (Some(limit), false, _) => {
                with_engine!(fan_out.limit_per_key(key, nz(limit)).attempts(retry), case, watched)
            }
            (Some(limit), true, _) => {
                let fan_out = fan_out.limit_per_key(key, nz(limit)).weight(weight);
                with_engine!(fan_out.attempts(retry), case, watched)
            }
        }
    }};
}

async fn run(case: &Case, limiters: &[Limiter], watched: &Watched) -> Ran {
    let pulling = watched.clone();
    let items = case.items.clone().into_iter().enumerate().inspect(move |_| pulling.pull());
    match case.from {
        From::Iterator => {
            let items: Items = Box::new(items);
            with_options!(items, case, limiters, watched)
        }
        From::Unknown => {
            let items: Items = Box::new(Unknown(items));
            with_options!(items, case, limiters, watched)
        }
        From::Stream(every) => {
            let items = stream::iter(items).then(move |item| async move {
                if every > 0 {
                    sleep(ms(every)).await;
                }
                item
            });
            with_options!(items, case, limiters, watched)
        }
    }
}

/// What must hold of every fan-out.
fn check(case: &Case, ran: &Ran, watched: &Watched, limiters: &[Limiter]) {
    let watch = watched.look();
    let Ran { outcomes, stop, stats, took } = ran;
    // One outcome for every item that was pulled, and for every one of a known length.
    let mut indices: Vec<_> = outcomes.iter().map(|outcome| outcome.index).collect();
    if case.ordered || case.end == End::Collect {
        assert!(indices.is_sorted(), "in order: {indices:?}");
    }
    indices.sort_unstable();
    assert_eq!(indices, Vec::from_iter(0..outcomes.len()), "one outcome for each");
    assert!(outcomes.len() >= watch.pulled, "{} pulled", watch.pulled);
    if case.from == From::Iterator || *stop == StopReason::Completed {
        assert_eq!(outcomes.len(), case.items.len());
    }

    // Never above a bound, and everything given back.
    assert!(watch.most <= case.concurrency, "{} at once", watch.most);
    assert!(stats.width <= case.concurrency, "width {}", stats.width);
    let lightest = case.limits.iter().flatten().min().copied();
    if let Some(limit) = lightest {
        let most = if case.weighed { watch.most_weight as usize } else { watch.most };
        assert!(most <= limit as usize, "{most} in a limiter of {limit}");
    }
    if let Some(limit) = case.per_key {
        assert!(watch.most_of_a_key <= limit, "{} of a key", watch.most_of_a_key);
    }
    for limiter in limiters {
        assert_eq!((limiter.in_flight(), limiter.queued()), (0, 0));
    }
    assert_eq!(watch.inside, 0, "still inside");
    if case.end != End::Collect {
        let parked =
            if case.per_key.is_some() && !case.ordered { case.lookahead.max(1) } else { 0 };
        let room = case.concurrency + case.buffer + parked;
        assert!(watch.most_ahead <= room, "{} ahead of the consumer", watch.most_ahead);
    }

    // Each outcome fits its item.
    for outcome in outcomes {
        let item = &case.items[outcome.index];
        let too_heavy = case.weighed && lightest.is_some_and(|limit| item.weight > limit);
        match &outcome.result {
            Ok(value) => assert!(item.how == How::Ok && *value == outcome.index),
            Err(ItemError::Failed(value)) => {
                assert!(item.how == How::Err && *value == outcome.index);
            }
            Err(ItemError::Panicked(_)) => {
                assert!(matches!(item.how, How::Panic | How::PanicAtOnce));
            }
            Err(ItemError::TimedOut) => {
                assert!(case.item_timeout.is_some_and(|timeout| item.takes >= timeout));
            }
            Err(ItemError::Rejected(_)) => assert!(too_heavy),
            Err(ItemError::NotStarted(why) | ItemError::Cancelled(why)) => {
                assert!(why == stop && *stop != StopReason::Completed, "{why:?}");
            }
            Err(other) => panic!("{other:?}"),
        }
        let ran = !matches!(outcome.result, Err(ItemError::NotStarted(_) | ItemError::Rejected(_)));
        assert_eq!(outcome.attempts > 0, ran, "{outcome:?}");
        assert!(outcome.attempts <= case.attempts);
        assert!(!(too_heavy && ran), "too heavy, and ran");
    }

    // The books agree.
    let count = |is: fn(&Result<usize, ItemError<usize>>) -> bool| {
        outcomes.iter().filter(|outcome| is(&outcome.result)).count()
    };
    let counts = &stats.counts;
    assert_eq!(counts.total(), outcomes.len());
    assert_eq!(counts.succeeded, count(|result| result.is_ok()));
    assert_eq!(counts.failed, count(|result| matches!(result, Err(ItemError::Failed(_)))));
    assert_eq!(counts.cancelled, count(|result| matches!(result, Err(ItemError::Cancelled(_)))));
    assert_eq!(counts.panicked, count(|result| matches!(result, Err(ItemError::Panicked(_)))));
    assert_eq!(counts.timed_out, count(|result| matches!(result, Err(ItemError::TimedOut))));
    let attempts: u64 = outcomes.iter().map(|o| u64::from(o.attempts.saturating_sub(1))).sum();
    assert_eq!(stats.extra_attempts, attempts);

    // A policy ends it if and only if it has to, within what ran at that time.
    let running = case.concurrency;
    let (failures, succeeded) = (counts.failures(), counts.succeeded);
    assert!(counts.cancelled <= running, "{} cancelled", counts.cancelled);
    match (case.policy, stop) {
        (_, StopReason::Deadline) => {
            assert!(case.deadline.is_some_and(|deadline| *took >= deadline))
        }
        (ErrorPolicy::CollectAll, StopReason::Completed) => {}
        (ErrorPolicy::FailFast, StopReason::Completed) => assert_eq!(failures, 0),
        (ErrorPolicy::FailFast, StopReason::Failures) => {
            assert!(failures > 0 && failures <= running, "{failures} failures");
        }
        (ErrorPolicy::Tolerate(_), StopReason::Completed | StopReason::Failures) => {}
        (ErrorPolicy::FirstOk(wanted), StopReason::Completed) => assert!(succeeded < wanted.get()),
        (ErrorPolicy::FirstOk(wanted) | ErrorPolicy::Quorum(wanted), StopReason::Enough) => {
            assert!(succeeded >= wanted.get());
            assert!(succeeded < wanted.get() + running, "{succeeded} for {wanted}");
        }
        (ErrorPolicy::Quorum(wanted), StopReason::OutOfReach) => assert!(succeeded < wanted.get()),
        other => panic!("{other:?}"),
    }

    // Time.
    if let Some(deadline) = case.deadline {
        assert!(watch.begun.is_empty() || watch.latest_begun <= deadline);
        if case.end == End::Collect {
            let latest = deadline + case.grace.unwrap_or(0);
            assert!(*took <= latest, "{took} ms, should be over at {latest}");
        }
    }
    // First attempts of a key are begun in the order of the source.
    if case.per_key.is_some() {
        let mut last = HashMap::new();
        let mut seen = HashSet::new();
        for (key, index) in watch.begun.iter().filter(|(_, index)| seen.insert(*index)) {
            let before = last.insert(key, index);
            assert!(before < Some(index), "{index} of key {key} after {before:?}");
        }
    }
    drop(watch);
    if is_plain(case) && *stop == StopReason::Completed {
        assert_eq!(*took, makespan(case), "every place is used all the time");
    }
}

/// Nothing but the concurrency bounds it.
fn is_plain(case: &Case) -> bool {
    case.from == From::Iterator
        && case.end == End::Collect
        && case.limits == [None, None]
        && case.per_key.is_none()
        && case.attempts == 1
        && case.chunks > 2
}

/// How long it takes if the next item begins whenever one ends.
fn makespan(case: &Case) -> u64 {
    let mut free_at = BinaryHeap::from_iter((0..case.concurrency).map(|_| Reverse(0)));
    let mut last = 0;
    for item in &case.items {
        let Reverse(now) = free_at.pop().expect("one place at least");
        let takes = if item.how == How::PanicAtOnce { 0 } else { item.takes };
        let end = now + takes.min(case.item_timeout.unwrap_or(takes));
        last = last.max(end);
        free_at.push(Reverse(end));
    }
    last
}

fn play(case: &Case) {
    fastrand::seed(1);
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().expect("a runtime");
    runtime.block_on(async {
        let limiters: Vec<_> =
            case.limits.iter().flatten().map(|limit| limiter(|b| b.limit(*limit))).collect();
        let watched = Watched { watch: Arc::default(), began: Instant::now() };
        let ran = ends(run(case, &limiters, &watched)).await;
        check(case, &ran, &watched, &limiters);
    });
}

proptest! {
    // The same cases in every run, so that what is red stays red.
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(4),
        failure_persistence: None,
        ..ProptestConfig::with_cases(2000)
    })]

    #[test]
    fn whatever_is_asked_for_holds(case in case()) {
        play(&case);
    }
}
