//! What the log says about operations that may wait for themselves.

use std::{
    cell::RefCell,
    fmt::{Debug, Write},
    sync::Once,
};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
    subscriber::set_global_default,
};

use super::*;

thread_local! {
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Keeps the fields of every warning, by thread. For the whole process, because what tests beside
/// this one log first would otherwise decide whether anybody listens.
struct Log;

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, "{}={value:?} ", field.name()).expect("a string takes everything");
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= tracing::Level::WARN
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        LINES.with_borrow_mut(|lines| lines.push(line.0));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

impl Log {
    fn start() -> Self {
        static STARTED: Once = Once::new();
        STARTED.call_once(|| set_global_default(Self).expect("nobody else listens"));
        LINES.take();
        Self
    }

    /// One report since the last look, which names both lines of this file.
    #[track_caller]
    fn check(&self, outer: u32, inner: u32) {
        let lines = LINES.take();
        let [line] = lines.as_slice() else {
            panic!("one report, not {lines:?}");
        };
        assert!(line.contains("limiter=\"test\""), "{line}");
        if cfg!(debug_assertions) {
            for (name, at) in [("outer", outer), ("inner", inner)] {
                assert!(line.contains(&format!("{name}={}:{at}:", file!())), "{name} {at}: {line}");
            }
        }
    }

    #[track_caller]
    fn check_silent(&self) {
        assert_eq!(LINES.take(), Vec::<String>::new());
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_more_than_is_held_names_both_places() {
    let log = Log::start();
    let bench = Bench::new(|b| b.limit(4));
    let limiter = &bench.limiter;
    let outer = line!() + 1;
    let mut permit = limiter.acquire().await.unwrap();
    let two = Acquire::new().weight(2);
    let inner = line!() + 1;
    assert!(permit.scope(limiter.acquire_with(two)).await.is_err());
    log.check(outer, inner);
    let inner = line!() + 1;
    assert!(permit.scope(async { limiter.try_acquire_with(two) }).await.is_err());
    log.check(outer, inner);
    // `run` is where its permit is asked for.
    let inner = line!() + 3;
    let nested = limiter.run(async {
        let mut lent = limiter.acquire().await.unwrap();
        lent.scope(limiter.acquire_with(two)).await.is_err()
    });
    assert!(nested.await.unwrap());
    log.check(inner - 1, inner);
}

#[cfg(debug_assertions)]
#[tokio::test(start_paused = true)]
async fn waiting_with_a_permit_in_hand_is_reported_once() {
    Log::start();
    let bench = Bench::new(|b| b.limit(1).queue(Queue::fifo().max_wait(ms(10))));
    let hold_and_wait = || {
        let limiter = bench.limiter.clone();
        tokio::spawn(async move {
            let _held = limiter.acquire().await.unwrap();
            assert_eq!(refused(&limiter, 1).await, Some(RejectReason::Deadline));
        })
    };
    let held = line!() - 4;
    hold_and_wait().await.unwrap();
    let lines = LINES.with_borrow(Vec::clone);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains(&format!("outer={}:{held}:", file!())), "{held}: {lines:?}");
    hold_and_wait().await.unwrap();
    assert_eq!(LINES.with_borrow(Vec::len), 1, "once");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_wait_for_itself_is_not_reported() {
    let log = Log::start();
    let bench = Bench::new(|b| b.limit(1));
    let limiter = bench.limiter.clone();
    let task = tokio::spawn(async move {
        // One after the other, nested in a scope, tried without a wait, and given to another task.
        drop(limiter.acquire().await.unwrap());
        limiter.run(async { limiter.run(async {}).await }).await.unwrap().unwrap();
        let held = limiter.acquire().await.unwrap();
        assert!(limiter.try_acquire().is_err());
        let waits = limiter.clone();
        let other = tokio::spawn(async move { waits.acquire().await.map(drop) });
        sleep(ms(1)).await;
        drop(held);
        other.await.unwrap().unwrap();
    });
    task.await.unwrap();
    log.check_silent();
}
