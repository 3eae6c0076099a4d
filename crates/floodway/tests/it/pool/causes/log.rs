//! What the log says, on this thread.

use std::{
    fmt::{Debug, Write},
    sync::{Arc, Mutex},
};

use tracing::{
    Event, Metadata, Subscriber,
    dispatcher::{DefaultGuard, Dispatch, set_default},
    field::{Field, Visit},
    span,
};

/// Keeps the fields of every warning.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, "{}={value:?} ", field.name()).expect("a string takes everything");
    }
}

impl Subscriber for Lines {
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
        // A limiter reports tasks that wait while they hold, too.
        if line.0.contains("callers got no connection") {
            self.0.lock().unwrap().push(line.0);
        }
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// Listens on this thread, which is where all of a test runs.
pub(super) struct Log {
    lines: Lines,
    /// A second one, because with one alone the thread that comes to an event first decides for all
    /// whether it is heard of, and that may be of a test that does not listen.
    _beside: Dispatch,
    _guard: DefaultGuard,
}

impl Log {
    pub(super) fn start() -> Self {
        let lines = Lines::default();
        let beside = Dispatch::new(Lines::default());
        let guard = set_default(&Dispatch::new(lines.clone()));
        Self { lines, _beside: beside, _guard: guard }
    }

    /// What was said since the last look.
    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.lines.0.lock().unwrap())
    }
}
