//! Which trace the exemplars of durations lead to.
//!
//! A binary of its own: a process has one source of traces, and every histogram of it would ask this
//! one.

use std::{
    cell::{Cell, RefCell},
    future::Future,
    sync::{
        Once,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    task::Poll,
    thread,
    time::Duration,
};

use floodway::{Batcher, Clock, Limiter, Registry};
use floodway_metrics::{
    Exemplar, Metric, TraceContext,
    catalogue::{batcher, limiter as metrics},
    set_trace_source,
};
use futures::{future::poll_immediate, poll};
use tokio::time::advance;
use tracing::{Event, Instrument, Metadata, Span, Subscriber, info_span};
use tracing_core::span;

thread_local! {
    static ENTERED: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
    /// What the source does besides, where a test wants to know when it is asked.
    static ASKED: RefCell<Option<Box<dyn Fn()>>> = const { RefCell::new(None) };
}

/// Makes every span a trace of the same number.
struct Traces(AtomicU64);

impl Subscriber for Traces {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span()
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(self.0.fetch_add(1, Ordering::Relaxed))
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, span: &span::Id) {
        ENTERED.with_borrow_mut(|entered| entered.push(span.into_u64()));
    }

    fn exit(&self, _: &span::Id) {
        ENTERED.with_borrow_mut(|entered| entered.pop());
    }
}

fn source() -> Option<TraceContext> {
    ASKED.with_borrow(|asked| {
        if let Some(asked) = asked {
            asked();
        }
    });
    let number = ENTERED.with_borrow(|entered| entered.last().copied())?;
    Some(TraceContext { trace_id: number.into(), span_id: number })
}

/// From here on there are traces.
fn trace() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing::subscriber::set_global_default(Traces(AtomicU64::new(1))).unwrap();
        assert!(set_trace_source(source));
    });
}

fn number(span: &Span) -> u128 {
    span.id().expect("a span that is listened to").into_u64().into()
}

/// The traces in the exemplars of `metric`, from the shortest duration to the longest.
fn traces(registry: &Registry, metric: &'static Metric) -> Vec<u128> {
    let snapshot = registry.snapshot();
    let exemplars = &snapshot.histogram(metric, &["test"]).expect("it is there").exemplars();
    exemplars.iter().flatten().map(|Exemplar { trace, .. }| trace.trace_id).collect()
}

fn count(registry: &Registry, metric: &'static Metric) -> u64 {
    registry.snapshot().histogram(metric, &["test"]).expect("it is there").count()
}

fn limiter(registry: &Registry) -> Limiter {
    let limiter = Limiter::builder("test").registry(registry).clock(Clock::tokio()).limit(1);
    limiter.build().unwrap()
}

const SHORT: Duration = Duration::from_millis(3);
const LONG: Duration = Duration::from_millis(30);

async fn now<T>(future: impl Future<Output = T>) -> T {
    poll_immediate(future).await.expect("ready at once")
}

#[tokio::test(start_paused = true)]
async fn a_wait_leads_to_who_waited_and_a_hold_to_who_held() {
    trace();
    let registry = Registry::new();
    let limiter = limiter(&registry);
    let (first, second) = (info_span!("first"), info_span!("second"));
    let held = now(limiter.acquire().instrument(first.clone())).await.unwrap();
    let mut waiting = Box::pin(limiter.acquire().instrument(second.clone()));
    assert!(poll!(&mut waiting).is_pending());
    advance(LONG).await;
    first.in_scope(|| drop(held));
    assert_eq!(traces(&registry, &metrics::WAIT_DURATION), [], "nobody has it yet");
    let Poll::Ready(Ok(granted)) = poll!(&mut waiting) else {
        panic!("the permit came back");
    };
    assert_eq!(traces(&registry, &metrics::WAIT_DURATION), [number(&second)]);
    advance(SHORT).await;
    second.in_scope(|| drop(granted));
    assert_eq!(traces(&registry, &metrics::HOLD_DURATION), [number(&second), number(&first)]);
    assert_eq!(count(&registry, &metrics::WAIT_DURATION), 2, "one of them for nothing");
}

/// It is counted as admitted, so its wait is among the waits.
#[tokio::test(start_paused = true)]
async fn who_goes_away_with_a_grant_has_waited_once() {
    trace();
    let registry = Registry::new();
    let limiter = limiter(&registry);
    let (first, second) = (info_span!("first"), info_span!("second"));
    let held = limiter.try_acquire().unwrap();
    let mut leaves = Box::pin(limiter.acquire().instrument(second.clone()));
    assert!(poll!(&mut leaves).is_pending());
    let mut never = Box::pin(limiter.acquire());
    assert!(poll!(&mut never).is_pending());
    drop(never);
    advance(LONG).await;
    first.in_scope(|| drop(held));
    drop(leaves);
    let acquired = |path| registry.snapshot().number(&metrics::ACQUIRED, &["test", path]);
    assert_eq!((acquired("immediate"), acquired("queued")), (Some(1.0), Some(1.0)));
    assert_eq!(count(&registry, &metrics::WAIT_DURATION), 2);
    assert_eq!(count(&registry, &metrics::HOLD_DURATION), 2);
    assert_eq!(traces(&registry, &metrics::WAIT_DURATION), [number(&second)]);
}

/// Another thread gets the lock while the source is asked.
#[tokio::test(start_paused = true)]
async fn nobody_is_asked_for_a_trace_under_the_lock_of_the_queue() {
    trace();
    let registry = Registry::new();
    let limiter = limiter(&registry);
    thread_local!(static TIMES: Cell<usize> = const { Cell::new(0) });
    let other = limiter.clone();
    let asked: Box<dyn Fn()> = Box::new(move || {
        TIMES.set(TIMES.get() + 1);
        let (limiter, (tell, told)) = (other.clone(), mpsc::channel());
        thread::spawn(move || tell.send(limiter.queued()));
        told.recv_timeout(Duration::from_secs(10)).expect("the lock is free");
    });
    ASKED.set(Some(asked));
    let held = limiter.try_acquire().unwrap();
    let mut waiting: Vec<_> = (0..2).map(|_| Box::pin(limiter.acquire())).collect();
    for waiting in &mut waiting {
        assert!(poll!(waiting).is_pending());
    }
    advance(LONG).await;
    let asked_by = |what: &mut dyn FnMut()| {
        let before = TIMES.get();
        what();
        TIMES.get() - before
    };
    let mut held = Some(held);
    assert_eq!(asked_by(&mut || drop(held.take())), 1, "the hold");
    let leaves = waiting.remove(0);
    let mut leaves = Some(leaves);
    assert_eq!(asked_by(&mut || drop(leaves.take())), 2, "a hold and a wait");
    let Poll::Ready(Ok(granted)) = poll!(&mut waiting[0]) else {
        panic!("the permit came back");
    };
    drop(granted);
    ASKED.set(None);
}

#[tokio::test(start_paused = true)]
async fn what_a_batch_took_leads_to_the_batch() {
    trace();
    let registry = Registry::new();
    let (tell, told) = mpsc::channel();
    let batcher = Batcher::builder("test").registry(&registry).clock(Clock::tokio());
    let batcher = batcher
        .build(move |items: Vec<u32>| {
            let entered = ENTERED.with_borrow(|entered| entered.last().copied());
            tell.send(entered.expect("a batch has a span")).unwrap();
            async move { Ok::<_, String>(items.into_iter().map(Ok::<_, String>).collect()) }
        })
        .unwrap();
    let caller = info_span!("caller");
    assert_eq!(batcher.call(1).instrument(caller.clone()).await.unwrap(), 1);
    let batch = u128::from(told.recv().unwrap());
    assert_ne!(batch, number(&caller));
    for metric in [&batcher::WAIT_DURATION, &batcher::EXECUTE_DURATION, &batcher::BATCH_ITEMS] {
        assert_eq!(traces(&registry, metric), [batch], "{}", metric.name);
    }
}
