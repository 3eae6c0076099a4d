//! One timer for all waiters of a limiter.
//!
//! A timer per waiter would cost more than the rest of a wait. Instead one task per limiter, which
//! exists only while somebody waits, sleeps until the earliest deadline. It lives on the runtime
//! of the waiter that started it. Waiters on other runtimes set timers of their own, because
//! nobody may be driving that one; if it goes away, so does everybody else.

use std::sync::{Arc, Weak};

use tokio::{runtime::Handle, sync::Notify, time::timeout_at};

use super::core::{Alarm, Core, Expired};

/// Sees to it that a waiter's deadline is watched; what remains to be done is `Set` or `Own`.
pub(super) fn set(core: &Arc<Core>, runtime: &Handle, alarm: Alarm) -> Alarm {
    match alarm {
        Alarm::Nudge(nudge) => {
            nudge.notify_one();
            Alarm::Set
        }
        Alarm::Start => match core.start_watch(runtime.id()) {
            Ok(nudge) => {
                let watch = Watch(Arc::downgrade(core));
                drop(runtime.spawn(watch.keep(nudge)));
                Alarm::Set
            }
            Err(alarm) => alarm,
        },
        alarm => alarm,
    }
}

struct Watch(Weak<Core>);

impl Watch {
    async fn keep(mut self, nudge: Arc<Notify>) {
        while let Some(core) = self.0.upgrade() {
            match core.expire_one() {
                Expired::One(waker) => {
                    if let Some(waker) = waker {
                        waker.wake();
                    }
                    // It may have been the heavy one that others could not pass.
                    core.hand_off_if_room();
                }
                Expired::Until(deadline) => {
                    drop(core);
                    // Nudged or not, the next look tells.
                    let _ = timeout_at(deadline, nudge.notified()).await;
                }
                Expired::Nobody => {
                    // The watch is over; the next waiter starts another, which is not to be lost.
                    self.0 = Weak::new();
                    return;
                }
            }
        }
    }
}

/// Its runtime is shutting down, or the limiter is gone.
impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(core) = self.0.upgrade() {
            core.lose_watch();
        }
    }
}
