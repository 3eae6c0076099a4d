//! Polls futures in an order that a seed decides.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use rand::{RngExt, rngs::StdRng};

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// Runs its tasks to the end: each time one at random of those that were woken, and every now and
/// then what the runtime has to do besides.
pub(super) struct RandomOrder<F> {
    tasks: Vec<(Option<Task>, Arc<Flag>)>,
    rng: StdRng,
    /// Looks at everything after every step.
    check: F,
}

struct Flag {
    woken: AtomicBool,
    outer: Mutex<Option<Waker>>,
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        if let Some(outer) = &*self.outer.lock().unwrap() {
            outer.wake_by_ref();
        }
    }
}

impl<F: FnMut()> RandomOrder<F> {
    pub(super) fn new(tasks: Vec<Task>, rng: StdRng, check: F) -> Self {
        let with_flag = |task| {
            let flag = Flag { woken: AtomicBool::new(true), outer: Mutex::default() };
            (Some(task), Arc::new(flag))
        };
        Self { tasks: tasks.into_iter().map(with_flag).collect(), rng, check }
    }
}

impl<F: FnMut() + Unpin> Future for RandomOrder<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        for (_, flag) in &this.tasks {
            *flag.outer.lock().unwrap() = Some(context.waker().clone());
        }
        loop {
            this.tasks.retain(|(task, _)| task.is_some());
            if this.tasks.is_empty() {
                return Poll::Ready(());
            }
            let woken = |flag: &Flag| flag.woken.load(Ordering::SeqCst);
            let count = this.tasks.iter().filter(|(_, flag)| woken(flag)).count();
            if count == 0 {
                return Poll::Pending;
            }
            if this.rng.random_ratio(1, 4) {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            let nth = this.rng.random_range(0..count);
            let mut ready = this.tasks.iter_mut().filter(|(_, flag)| woken(flag));
            let (task, flag) = ready.nth(nth).expect("one of those counted");
            flag.woken.store(false, Ordering::SeqCst);
            let waker = Waker::from(Arc::clone(flag));
            let future = task.as_mut().expect("retained");
            if future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                *task = None;
            }
            (this.check)();
        }
    }
}
