//! Which spans a batch follows from.

use std::{
    cell::RefCell,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use tracing::{
    Event, Instrument, Metadata, Subscriber,
    dispatcher::{DefaultGuard, Dispatch, set_default},
    info_span,
};
use tracing_core::span::{self, Id};

use super::kit::{Downstream, answers, builder, calls, check_doubled, ends, settle, waits};

thread_local! {
    static ENTERED: RefCell<Vec<Id>> = const { RefCell::new(Vec::new()) };
}

/// Each span with its parent, those it follows from, and how many hold it.
#[derive(Default)]
struct Spans {
    next: AtomicU64,
    all: Mutex<Vec<Seen>>,
}

#[derive(Clone, Debug)]
struct Seen {
    metadata: &'static Metadata<'static>,
    parent: Option<Id>,
    follows: Vec<Id>,
    held: usize,
}

impl Spans {
    fn with<R>(&self, id: &Id, look: impl FnOnce(&mut Seen) -> R) -> R {
        let at = usize::try_from(id.into_u64()).expect("few") - 1;
        look(&mut self.all.lock().unwrap()[at])
    }
}

impl Subscriber for Spans {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span()
    }

    fn new_span(&self, attributes: &span::Attributes<'_>) -> Id {
        let current = || ENTERED.with_borrow(|entered| entered.last().cloned());
        let parent = match attributes.is_contextual() {
            true => current(),
            false => attributes.parent().cloned(),
        };
        let metadata = attributes.metadata();
        self.all.lock().unwrap().push(Seen { metadata, parent, follows: Vec::new(), held: 1 });
        Id::from_u64(self.next.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn record(&self, _: &Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, span: &Id, follows: &Id) {
        self.with(span, |seen| seen.follows.push(follows.clone()));
    }

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, span: &Id) {
        ENTERED.with_borrow_mut(|entered| entered.push(span.clone()));
    }

    fn exit(&self, _: &Id) {
        ENTERED.with_borrow_mut(|entered| entered.pop());
    }

    fn clone_span(&self, id: &Id) -> Id {
        self.with(id, |seen| seen.held += 1);
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        self.with(&id, |seen| {
            seen.held -= 1;
            seen.held == 0
        })
    }

    fn current_span(&self) -> span::Current {
        match ENTERED.with_borrow(|entered| entered.last().cloned()) {
            Some(id) => {
                let metadata = self.with(&id, |seen| seen.metadata);
                span::Current::new(id, metadata)
            }
            None => span::Current::none(),
        }
    }
}

/// Listens on this thread, which is where all of a test runs.
struct Log(Dispatch, #[expect(dead_code, reason = "ends the listening")] DefaultGuard);

impl Log {
    async fn start() -> Self {
        // A span of the batcher is made first, so that who else listens does not decide whether
        // this one hears of it.
        let (_registry, builder) = builder();
        check_doubled([1], vec![ends(Downstream::open().doubling(builder).call(1)).await]);
        let dispatch = Dispatch::new(Spans::default());
        let guard = set_default(&dispatch);
        Self(dispatch, guard)
    }

    fn named(&self, name: &str) -> Vec<Seen> {
        let spans: &Spans = self.0.downcast_ref().expect("ours");
        let all = spans.all.lock().unwrap();
        all.iter().filter(|seen| seen.metadata.name() == name).cloned().collect()
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_follows_from_those_of_its_callers() {
    let log = Log::start().await;
    let downstream = Downstream::gated();
    let (_registry, builder) = builder();
    let batcher = downstream.doubling(builder.dedup_by(|item| *item));
    let caller = |n: u32| {
        let span = info_span!("caller", n);
        let id = span.id().expect("enabled");
        (id, tokio::spawn(batcher.call(n).instrument(span)))
    };
    let (first, running) = caller(0);
    settle().await;
    // One of them without a span, two with the same item.
    let (ids, mut queued): (Vec<_>, Vec<_>) = [1, 2, 2].into_iter().map(caller).unzip();
    settle().await;
    queued.extend(calls(&batcher, [3]).await);
    downstream.let_through(2);
    check_doubled([0], answers(vec![running]).await);
    check_doubled([1, 2, 2, 3], answers(queued).await);
    settle().await;
    let batches = log.named("batch");
    assert_eq!(batches.len(), 2);
    assert_eq!(batches[0].follows, [first]);
    assert_eq!(batches[1].follows, ids);
    for batch in &batches {
        assert_eq!(batch.parent, None, "it is nobody's alone");
        assert_eq!(batch.held, 0, "it ends with the batch");
    }
    assert!(log.named("caller").iter().all(|caller| caller.held == 0));
}

#[tokio::test(start_paused = true)]
async fn who_went_away_is_not_held_open() {
    let log = Log::start().await;
    let downstream = Downstream::gated();
    let (_registry, builder) = builder();
    let batcher = downstream.doubling(builder);
    let running = calls(&batcher, [0]).await;
    let mut gone = batcher.call(1);
    info_span!("caller").in_scope(|| waits(&mut gone));
    drop(gone);
    downstream.let_through(1);
    check_doubled([0], answers(running).await);
    settle().await;
    let callers = log.named("caller");
    assert_eq!((callers.len(), callers[0].held), (1, 0));
    assert_eq!(log.named("batch").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_function_runs_inside_that_of_its_batch() {
    let log = Log::start().await;
    let (_registry, builder) = builder();
    let batcher = builder
        .build_atomic(|items: Vec<u32>| async move {
            settle().await;
            drop(info_span!("query"));
            Ok(items.into_iter().map(u64::from).collect())
        })
        .unwrap();
    assert_eq!(ends(batcher.call(3)).await.unwrap(), 3);
    let query = log.named("query").remove(0);
    let spans: &Spans = log.0.downcast_ref().expect("ours");
    let parent = query.parent.expect("a parent");
    assert_eq!(spans.with(&parent, |seen| seen.metadata.name()), "batch");
}
