//! A simulated downstream as a service on tokio's clock.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll},
    time::Duration,
};

use floodway_sim::{Downstream, Phase, Scenario};
use tokio::{
    sync::oneshot,
    time::{Instant, error::Elapsed, sleep_until, timeout},
};
use tower::Service;

/// Takes the work of an operation, relative to the mean, and answers when a worker has done it, or
/// fails when that takes longer than the scenario's callers wait.
#[derive(Clone)]
pub(super) struct Backend(Arc<Shared>);

struct Shared {
    scenario: Scenario,
    state: Mutex<State>,
}

struct State {
    phase: Phase,
    downstream: Downstream,
    waiting: HashMap<u32, (f64, oneshot::Sender<()>)>,
    arrived: u32,
    /// Who will never be answered.
    unanswered: Vec<oneshot::Sender<()>>,
}

/// What a worker works on.
struct Job {
    length: Duration,
    answer: oneshot::Sender<()>,
}

impl Backend {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let state = State {
            phase: scenario.phases[0],
            downstream: Downstream::new(scenario.crowding),
            waiting: HashMap::new(),
            arrived: 0,
            unanswered: Vec::new(),
        };
        Self(Arc::new(Shared { scenario: scenario.clone(), state: Mutex::new(state) }))
    }

    pub(super) fn enter(&self, phase: &Phase) {
        let mut state = self.state();
        state.phase = *phase;
        state.downstream.set_workers(self.0.scenario.workers_in(phase));
        self.send_to_work(&mut state);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("nobody panicked")
    }

    /// A task for each free worker that has something to do.
    fn send_to_work(&self, state: &mut State) {
        while let Some(job) = self.next(state) {
            tokio::spawn(self.clone().work(job));
        }
    }

    fn next(&self, state: &mut State) -> Option<Job> {
        let (id, slowdown) = state.downstream.start()?;
        let (work, answer) = state.waiting.remove(&id).expect("it has arrived");
        let seconds = work * slowdown * state.phase.cost * self.0.scenario.mean;
        Some(Job { length: Duration::from_secs_f64(seconds), answer })
    }

    /// Works until nothing waits. Timers end on whole milliseconds; the next job begins when the
    /// one before ended to the nanosecond, so no capacity is lost.
    async fn work(self, mut job: Job) {
        let mut now = Instant::now();
        loop {
            now += job.length;
            sleep_until(now).await;
            let mut state = self.state();
            state.downstream.finish();
            let delay = state.phase.delay * self.0.scenario.mean;
            if delay.is_infinite() {
                state.unanswered.push(job.answer);
            } else {
                tokio::spawn(answer(job.answer, now + Duration::from_secs_f64(delay)));
            }
            let Some(next) = self.next(&mut state) else {
                return;
            };
            job = next;
        }
    }
}

async fn answer(answer: oneshot::Sender<()>, at: Instant) {
    sleep_until(at).await;
    // Whoever has given up does not listen.
    let _ = answer.send(());
}

impl Service<f64> for Backend {
    type Response = ();
    type Error = Elapsed;
    type Future = Pin<Box<dyn Future<Output = Result<(), Elapsed>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Elapsed>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, work: f64) -> Self::Future {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.state();
        let id = state.arrived;
        state.arrived += 1;
        state.waiting.insert(id, (work, sender));
        state.downstream.arrive(id);
        self.send_to_work(&mut state);
        let deadline = Duration::from_secs_f64(self.0.scenario.deadline);
        Box::pin(async move {
            let answer = timeout(deadline, receiver).await?;
            answer.expect("answers are sent or kept");
            Ok(())
        })
    }
}
