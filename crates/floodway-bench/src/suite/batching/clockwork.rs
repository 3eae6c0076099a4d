//! Waits of less than a millisecond, which is as fine as tokio's timers are.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread,
    time::Duration,
};

use tokio::{sync::oneshot, time::Instant};

/// A thread that wakes tasks within about 60 µs of their time, the slack of the kernel's timers.
#[derive(Clone, Debug)]
pub(super) struct Clockwork(Sender<(Instant, oneshot::Sender<()>)>);

impl Clockwork {
    /// Its thread ends with the last clone.
    pub(super) fn start() -> Self {
        let (waits, new) = mpsc::channel();
        thread::spawn(move || {
            let mut due = BinaryHeap::new();
            let mut sleepers: std::collections::HashMap<u64, oneshot::Sender<()>> =
                Default::default();
            for number in 0.. {
                let next = due.peek().map(|Reverse((at, _)): &Reverse<(Instant, u64)>| *at);
                let wait = next.map(|at| at.saturating_duration_since(Instant::now()));
                match new.recv_timeout(wait.unwrap_or(Duration::from_secs(60))) {
                    Ok((at, waker)) => {
                        due.push(Reverse((at, number)));
                        sleepers.insert(number, waker);
                    }
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                }
                let now = Instant::now();
                while let Some(Reverse((at, number))) = due.peek().copied()
                    && at <= now
                {
                    due.pop();
                    if let Some(waker) = sleepers.remove(&number) {
                        let _ = waker.send(());
                    }
                }
            }
        });
        Self(waits)
    }

    pub(super) async fn sleep(&self, duration: Duration) {
        let (waker, woken) = oneshot::channel();
        if self.0.send((Instant::now() + duration, waker)).is_ok() {
            // It ends early if the thread does, which it does not before this.
            let _ = woken.await;
        }
    }
}
