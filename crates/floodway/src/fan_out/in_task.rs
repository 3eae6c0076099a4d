//! The engine that polls all items in the task that waits for them.

mod drive;
mod ready;

use std::{
    collections::VecDeque,
    iter::once,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::task::coop;
use tracing::Span;

pub use self::drive::InTaskDrive;
use self::ready::{ReadySet, Wakeup};
use super::{
    FanOut, ItemError, OnStop, StopReason,
    attempts::Attempts,
    classes::Classes,
    engine::{Ends, Engine, Parts, observe, observe_failure},
    ledger::{Ledger, Next, Pulled, Straight},
    slot::{Look, NEVER, Setting, Slot, Started},
    source::Source,
    time::{Stopper, Timer},
};
use crate::{Rejected, admission::Permits};

/// Polls all items in the task that waits for the fan-out: nothing need be `Send` or `'static`.
///
/// The items make progress only while that task polls the end of the fan-out, and share one
/// thread.
#[derive(Clone, Copy, Debug)]
pub struct InTask;

impl<S, F, C, A, Fut, T, E> Engine<S, F, C, A> for InTask
where
    S: Source,
    F: FnMut(S::Item) -> Fut,
    Fut: Future<Output = Result<T, E>>,
    C: Classes<S::Item>,
    A: Attempts<S::Item, E>,
{
    type Value = T;
    type Error = E;
    type Drive = Box<InTaskDrive<S, F, C, A, Fut, T, E>>;

    fn drive(fan_out: FanOut<S, F, C, A, Self>, ends: Ends) -> Self::Drive {
        InTaskDrive::new(fan_out, ends)
    }
}

/// How many futures are looked at before the task yields, like tokio's budget for a task.
const LOOKS: usize = 128;

/// The place of the source among those that can be woken; slots follow.
const SOURCE: usize = 0;

struct Running<S: Source, F, C: Classes<S::Item>, A, Fut, T, E> {
    ledger: Ledger<S, C, T, E>,
    call: F,
    setting: Setting<A>,
    stopper: Stopper,
    on_stop: OnStop,
    span: Span,
    slots: Vec<Place<S::Item, C::Key, Fut, E>>,
    /// Slots without an item.
    free: Vec<usize>,
    ready: ReadySet,
    source_wakeup: Wakeup,
    /// Items need no permits, are tried once and are not measured.
    runs_straight: bool,
    /// The source gave nothing when it was asked last, and did not wake since.
    source_waits: bool,
    /// Slots whose next attempt wants permits.
    wanting: VecDeque<usize>,
    admitting: Option<Admitting<S::Item, C::Key>>,
    timer: Timer,
    /// The earliest time at which a slot is due.
    due: u64,
    /// The last reading of the clock, which serves as the next start.
    now: u64,
}

/// A slot and how it is woken.
type Place<I, K, Fut, E> = (Slot<I, K, Fut, E>, Wakeup);

type Admission = Pin<Box<dyn Future<Output = Result<Permits, Rejected>> + Send>>;

/// The one waiter of the fan-out.
struct Admitting<I, K> {
    admission: Admission,
    whom: Whom<I, K>,
}

enum Whom<I, K> {
    /// An item that has not been pulled.
    Next,
    /// An item that had to be looked at for its weight.
    Item(Pulled<I, K>),
    /// Another attempt.
    Slot(usize),
}

impl<S, F, C, A, Fut, T, E> Running<S, F, C, A, Fut, T, E>
where
    S: Source,
    F: FnMut(S::Item) -> Fut,
    Fut: Future<Output = Result<T, E>>,
    C: Classes<S::Item>,
    A: Attempts<S::Item, E>,
{
    fn new(parts: Parts<S, F, C, A, T, E>) -> Self {
        let Parts { mut ledger, call, setting, stopper, span, on_stop, .. } = parts;
        ledger.expect_ones();
        let mut ready = ReadySet::new(setting.cells.as_ref().map(|_| setting.clock.clone()));
        let source_wakeup = ready.wakeup(SOURCE);
        let runs_straight = !A::MANY && !setting.timed && setting.admission.is_open();
        Self {
            now: ledger.meter.began(),
            ledger,
            call,
            setting,
            stopper,
            on_stop,
            span,
            slots: Vec::new(),
            free: Vec::new(),
            ready,
            source_wakeup,
            source_waits: false,
            runs_straight,
            wanting: VecDeque::new(),
            admitting: None,
            timer: Timer::default(),
            due: NEVER,
        }
    }

    /// Ready once nothing runs and nothing will.
    fn progress(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.ready.register(context.waker());
        self.ledger.listen(context.waker());
        self.now = self.setting.now();
        if self.ledger.stopped().is_none()
            && let Some(reason) = self.stopper.poll_stop(context)
        {
            self.ledger.stop(reason);
        }
        let mut looks = LOOKS;
        loop {
            if self.ledger.stopped().is_some() {
                self.wind_down(context);
            }
            self.fill(context, &mut looks);
            if self.ledger.stopped().is_some() {
                self.wind_down(context);
            }
            while looks > 0
                && let Some(place) = self.ready.pop()
            {
                if place == SOURCE {
                    self.source_waits = false;
                    continue;
                }
                looks -= 1;
                self.look(place - 1);
                // Whatever else is polled now would find no budget and ask to be polled again.
                if !coop::has_budget_remaining() {
                    looks = 0;
                }
            }
            if self.ledger.stopped().is_some() {
                // An attempt may have failed that would be followed by another.
                self.wind_down(context);
            }
            if self.ledger.is_over_for_good() {
                return Poll::Ready(());
            }
            if looks == 0 || !coop::has_budget_remaining() {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            if let Poll::Ready(now) = self.timer.poll(context, self.due, self.setting.origin) {
                self.on_time(now);
                continue;
            }
            if !self.can_start() && !self.ready.has_more() {
                return Poll::Pending;
            }
        }
    }

    /// Whether [`fill`](Self::fill) would start something.
    fn can_start(&self) -> bool {
        self.admitting.is_none()
            && (!self.wanting.is_empty() || self.ledger.can_start(self.source_waits))
    }

    /// Starts what can be started.
    fn fill(&mut self, context: &mut Context<'_>, looks: &mut usize) {
        while *looks > 0 && self.ledger.stopped().is_none() {
            if self.admitting.is_some() {
                if self.admitted(context).is_pending() {
                    return;
                }
            } else if let Some(slot) = self.wanting.pop_front() {
                let weight = self.slots[slot].0.weight();
                match self.setting.admission.try_admit(weight) {
                    Some(permits) => self.resume(slot, permits),
                    None => self.wait_for_permits(weight, Whom::Slot(slot)),
                }
            } else if self.runs_straight && self.straight(looks) {
                continue;
            } else if !self.ledger.can_start(self.source_waits) {
                return;
            } else if C::WEIGHED || self.ledger.looks_empty() {
                let Some(pulled) = self.pull() else {
                    return;
                };
                let weight = pulled.weight;
                match self.setting.admission.try_admit(weight) {
                    Some(permits) => self.start(pulled, permits),
                    None => self.wait_for_permits(weight, Whom::Item(pulled)),
                }
            } else if let Some(permits) = self.setting.admission.try_admit(1) {
                // The permits are back with the limiter if the source has nothing.
                let Some(pulled) = self.pull() else {
                    return;
                };
                self.start(pulled, permits);
            } else {
                self.wait_for_permits(1, Whom::Next);
            }
            *looks -= 1;
        }
    }

    /// Runs items straight from the source until one waits or fails. Whether there were any.
    ///
    /// For items that need no permits, are tried once and are not measured: then next to nothing has
    /// to be written down for those that never wait.
    fn straight(&mut self, looks: &mut usize) -> bool {
        let most = self.ledger.straight().min(*looks);
        if self.source_waits || most == 0 {
            return false;
        }
        let index = self.free_slot();
        let Self { ledger, slots, call, setting, .. } = self;
        let (slot, wakeup) = &mut slots[index];
        let mut context = Context::from_waker(&wakeup.waker);
        let mut left = most;
        let end = ledger.run_straight(
            most,
            &mut Context::from_waker(&self.source_wakeup.waker),
            |item| {
                left -= 1;
                slot.run_straight(item, call, &mut context)
            },
        );
        // At least one, so that this comes to an end.
        *looks = looks.saturating_sub((most - left).max(1));
        match end {
            Straight::Waits(at) => {
                slot.keep(at, 0, setting, 0);
                ledger.keeps_running(0);
                self.looked(index, Look::Pending);
                return true;
            }
            Straight::Failed(at, error) => {
                slot.clear_after_panic();
                observe_failure(at, &error);
                ledger.failed(at, error);
            }
            Straight::SourceWaits => self.source_waits = true,
            Straight::Most | Straight::Exhausted => {}
        }
        self.free.push(index);
        true
    }

    fn free_slot(&mut self) -> usize {
        self.free.pop().unwrap_or_else(|| {
            // The source has the first place.
            let wakeup = self.ready.wakeup(self.slots.len() + 1);
            self.slots.push((Slot::new(), wakeup));
            self.slots.len() - 1
        })
    }

    #[cold]
    fn wait_for_permits(&mut self, weight: u32, whom: Whom<S::Item, C::Key>) {
        let admission = Arc::clone(&self.setting.admission);
        let admission = Box::pin(async move { admission.admit(weight).await });
        self.admitting = Some(Admitting { admission, whom });
    }

    /// Looks whether the permits are there that are being waited for.
    #[cold]
    fn admitted(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(Admitting { admission, .. }) = &mut self.admitting else {
            return Poll::Ready(());
        };
        let Poll::Ready(permits) = admission.as_mut().poll(context) else {
            return Poll::Pending;
        };
        let whom = self.admitting.take().expect("it was polled").whom;
        match (whom, permits) {
            (Whom::Slot(slot), Ok(permits)) => self.resume(slot, permits),
            (Whom::Slot(slot), Err(rejected)) => self.finish(slot, Err(rejected.into())),
            (Whom::Item(pulled), permits) => self.start_if_admitted(pulled, permits),
            (Whom::Next, permits) => {
                if let Some(pulled) = self.pull() {
                    self.start_if_admitted(pulled, permits);
                }
            }
        }
        Poll::Ready(())
    }

    fn start_if_admitted(
        &mut self,
        pulled: Pulled<S::Item, C::Key>,
        permits: Result<Permits, Rejected>,
    ) {
        match permits {
            Ok(permits) => self.start(pulled, permits),
            Err(rejected) => self.ledger.never_ran_after_all(pulled, rejected.into()),
        }
    }

    #[inline]
    fn pull(&mut self) -> Option<Pulled<S::Item, C::Key>> {
        let mut context = Context::from_waker(&self.source_wakeup.waker);
        match self.ledger.pull_one(self.now, &mut context) {
            Ok(pulled) => Some(pulled),
            Err(next) => {
                self.source_waits = next == Next::Pending;
                None
            }
        }
    }

    #[inline]
    fn start(&mut self, pulled: Pulled<S::Item, C::Key>, permits: Permits) {
        let slot = self.free_slot();
        if let Some(cells) = &self.setting.cells {
            cells.items_started(1);
        }
        let Self { slots, setting, call, .. } = self;
        let (place, wakeup) = &mut slots[slot];
        wakeup.reset();
        let mut context = Context::from_waker(&wakeup.waker);
        match place.start(pulled, permits, setting, call, &mut context, self.now) {
            Started::Waits => self.looked(slot, Look::Pending),
            Started::Looked(look) => self.looked(slot, look),
            Started::Done(done) => {
                self.now = self.setting.now();
                let finished = done.at(self.now);
                observe(&finished, &self.setting);
                self.ledger.finish(once(finished), self.now);
                self.free.push(slot);
            }
        }
    }

    fn resume(&mut self, slot: usize, permits: Permits) {
        let Self { slots, setting, call, .. } = self;
        let (place, wakeup) = &mut slots[slot];
        let mut context = Context::from_waker(&wakeup.waker);
        let look = place.resume(permits, setting, call, &mut context);
        self.looked(slot, look);
    }

    #[inline]
    fn look(&mut self, index: usize) {
        let (slot, wakeup) = &mut self.slots[index];
        if slot.is_empty() {
            return;
        }
        if let Some(cells) = &self.setting.cells
            && let Some(delay) = wakeup.take_delay()
        {
            cells.woken(delay);
        }
        let look = slot.look(&self.setting, &mut Context::from_waker(&wakeup.waker));
        self.looked(index, look);
    }

    #[inline]
    fn looked(&mut self, index: usize, look: Look<T, E>) {
        match look {
            Look::Pending => self.due = self.due.min(self.slots[index].0.due(&self.setting)),
            Look::WantsPermits => self.wanting.push_back(index),
            Look::Done(result) => {
                self.now = self.setting.now();
                self.finish(index, result);
            }
        }
    }

    #[inline]
    fn finish(&mut self, index: usize, result: Result<T, ItemError<E>>) {
        if let Some(finished) = self.slots[index].0.finish(result, self.now) {
            observe(&finished, &self.setting);
            self.ledger.finish(once(finished), self.now);
            self.free.push(index);
        }
    }

    /// Looks at the slots whose time has come.
    fn on_time(&mut self, now: u64) {
        self.now = self.setting.now();
        self.due = NEVER;
        for index in 0..self.slots.len() {
            let Self { slots, setting, call, .. } = self;
            let (slot, wakeup) = &mut slots[index];
            if slot.due(setting) <= now {
                let mut context = Context::from_waker(&wakeup.waker);
                let look = slot.on_time(setting, call, &mut context, now);
                self.looked(index, look);
            }
            self.due = self.due.min(self.slots[index].0.due(&self.setting));
        }
    }

    /// After a stop: nothing new is started, and what runs goes on for the grace it is given.
    fn wind_down(&mut self, context: &mut Context<'_>) {
        let reason = self.ledger.stopped().cloned().unwrap_or(StopReason::Cancelled);
        if let Some(Admitting { whom: Whom::Item(pulled), .. }) = self.admitting.take() {
            let error = ItemError::NotStarted(reason.clone());
            self.ledger.never_ran_after_all(pulled, error);
        }
        let abort = self.on_stop == OnStop::Abort || self.stopper.poll_grace(context);
        self.wanting.clear();
        for index in 0..self.slots.len() {
            let slot = &mut self.slots[index].0;
            if (abort || !slot.runs())
                && let Some(finished) = slot.abandon(reason.clone(), self.setting.now())
            {
                observe(&finished, &self.setting);
                self.ledger.finish(once(finished), self.setting.now());
                self.free.push(index);
            }
        }
    }
}
