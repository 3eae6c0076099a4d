//! Load that does not wait: every request leaves when it is due.

use std::{panic::resume_unwind, pin::pin, time::Duration};

use indicatif::MultiProgress;
use tokio::{
    task::{JoinError, JoinSet},
    time::{Instant, Interval, MissedTickBehavior, interval, sleep_until},
};

use super::{Answered, Client, Measured, Request, arrivals::Arrivals, mix::Mix};
use crate::{arm::Arm, progress::Progress, stop::Stop};

/// How often the progress is drawn.
const REDRAW_INTERVAL: Duration = Duration::from_millis(200);

/// A stretch of time with one rate of arrivals.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Phase {
    pub(crate) name: &'static str,
    pub(crate) duration: Duration,
    /// Requests per second.
    pub(crate) rate: f64,
}

/// Drives one service through phases that follow each other without a gap.
pub(crate) struct OpenLoop {
    arm: Arm,
    client: Client,
    stop: Stop,
    tasks: JoinSet<Done>,
    measured: Vec<Measured>,
    /// One for each of `measured`.
    progress: Vec<Progress>,
    bars: MultiProgress,
    redraw: Interval,
}

/// An answer, and to which request of which phase.
struct Done {
    phase: usize,
    request: usize,
    answered: Answered,
}

/// The user wants no more.
struct Interrupted;

impl OpenLoop {
    pub(crate) fn new(arm: Arm, client: Client, stop: Stop) -> Self {
        let mut redraw = interval(REDRAW_INTERVAL);
        redraw.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            arm,
            client,
            stop,
            tasks: JoinSet::new(),
            measured: Vec::new(),
            progress: Vec::new(),
            bars: MultiProgress::new(),
            redraw,
        }
    }

    /// Runs `phases` and waits for the last answer. If interrupted, the phase that runs is cut
    /// short, the rest is left out, and outstanding requests stay without an answer.
    pub(crate) async fn run(mut self, phases: &[Phase], orders: u32, seed: u64) -> Vec<Measured> {
        let mut mix = Mix::new(orders, seed, 0);
        let mut begin = Instant::now();
        for (index, phase) in phases.iter().enumerate() {
            self.measured.push(Measured {
                phase: *phase,
                lasted: phase.duration,
                requests: Vec::new(),
            });
            self.progress.push(Progress::new(&self.bars, self.arm, phase));
            // Stream 0 is the mix's.
            let arrivals = Arrivals::new(phase.rate, seed, index as u64 + 1);
            if let Err(Interrupted) = self.run_phase(begin, arrivals, &mut mix).await {
                self.measured[index].lasted = begin.elapsed().min(phase.duration);
                break;
            }
            begin += phase.duration;
        }
        self.drain().await;
        for progress in &mut self.progress {
            progress.finish();
        }
        self.measured
    }

    async fn run_phase(
        &mut self,
        begin: Instant,
        arrivals: Arrivals,
        mix: &mut Mix,
    ) -> Result<(), Interrupted> {
        let phase = self.measured.len() - 1;
        let duration = self.measured[phase].phase.duration;
        for due in arrivals.take_while(|due| *due < duration) {
            self.wait_until(begin + due).await?;
            let request = self.measured[phase].requests.len();
            self.measured[phase].requests.push(Request { due, answered: None });
            let client = self.client.clone();
            let call = mix.draw();
            self.tasks.spawn(async move {
                let answer = client.send(call).await;
                let at = begin.elapsed();
                Done { phase, request, answered: Answered { at, answer } }
            });
            self.progress[phase].sent();
        }
        self.wait_until(begin + duration).await?;
        self.progress[phase].end_of_arrivals();
        Ok(())
    }

    /// Takes note of answers until `at`.
    async fn wait_until(&mut self, at: Instant) -> Result<(), Interrupted> {
        let mut due = pin!(sleep_until(at));
        loop {
            tokio::select! {
                // In this order, so that nothing makes a request later than it has to be.
                biased;
                () = self.stop.requested() => return Err(Interrupted),
                () = &mut due => return Ok(()),
                Some(done) = self.tasks.join_next() => self.note(done),
                now = self.redraw.tick() => self.draw(now),
            }
        }
    }

    /// Takes note of the answers that are still to come, unless interrupted.
    async fn drain(&mut self) {
        loop {
            tokio::select! {
                biased;
                () = self.stop.requested() => return self.tasks.abort_all(),
                done = self.tasks.join_next() => match done {
                    Some(done) => self.note(done),
                    None => return,
                },
                now = self.redraw.tick() => self.draw(now),
            }
        }
    }

    fn note(&mut self, done: Result<Done, JoinError>) {
        let Done { phase, request, answered } = match done {
            Ok(done) => done,
            // Nothing is aborted before the last note is taken.
            Err(error) => resume_unwind(error.into_panic()),
        };
        let measured = &mut self.measured[phase];
        let request = &mut measured.requests[request];
        request.answered = Some(answered);
        self.progress[phase].answered(request, measured.lasted);
    }

    fn draw(&self, now: Instant) {
        for progress in &self.progress {
            progress.draw(now);
        }
    }
}
