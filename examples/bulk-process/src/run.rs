//! The job as a fan-out: lines in, results out in the same order, and where it stopped.

use std::{
    future::{pending, poll_fn},
    task::Poll,
};

use anyhow::{Context, Result};
use floodway::{
    Chunking,
    fan_out::{ErrorPolicy, FanOutExt, ItemError, Stats, StopReason, Tolerance},
};

use crate::{
    bar,
    input::Lines,
    line::{self, LineError},
    output::Output,
};

/// What is to be done.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) input: Lines,
    pub(crate) output: Output,
    /// How many lines were done before.
    pub(crate) resume_from: u64,
    pub(crate) tolerance: Tolerance,
    /// For tests.
    pub(crate) stop_after: Option<u64>,
}

/// How it went.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The first line that is not in the output.
    pub(crate) next: u64,
    pub(crate) stop: StopReason,
    pub(crate) stats: Stats,
}

impl Job {
    /// Runs until everything is done, too much failed, or Ctrl-C.
    pub(crate) async fn run(self) -> Result<Ended> {
        let Self { input, mut output, resume_from, tolerance, stop_after } = self;
        let all = resume_from + input.len() as u64;
        let mut outcomes = input
            .fan_out(line::process)
            // Nothing here waits for anything but the file: threads that may block read it and
            // compute, as many as there are cores, and the runtime stays free for the bar.
            .blocking()
            // A line takes microseconds, which is not much more than handing it over.
            .chunks(Chunking::Adaptive)
            // Results wait for those before them, and to be written: some thousands at most, then
            // no more lines are read.
            .ordered()
            .on_error(ErrorPolicy::Tolerate(tolerance))
            .cancel_on(ctrl_c().await)
            .stream();
        let handle = outcomes.handle();
        let bar = bar::start(handle.clone(), resume_from, all);

        let mut next = resume_from;
        while let Some(outcome) = outcomes.next().await {
            let line = resume_from + outcome.index as u64;
            match outcome.result {
                // Results behind a gap are made again after the next start.
                _ if line != next => continue,
                Ok(row) => output.write(row),
                Err(ItemError::Failed(LineError::Read(error))) => {
                    return Err(error).with_context(|| format!("line {}", line + 1));
                }
                Err(ItemError::Failed(error)) => output.write(format_args!("malformed: {error}")),
                // Stopped, before or while it ran.
                Err(_) => continue,
            }
            .context("cannot write the results")?;
            next += 1;
            if stop_after.is_some_and(|lines| next >= lines) {
                handle.stop();
            }
        }
        output.finish().context("cannot write the results")?;
        bar.finish().await;

        let summary = outcomes.summary().context("it has ended")?;
        Ok(Ended { next, stop: summary.stop, stats: summary.stats })
    }
}

/// Gives what is done with the next Ctrl-C, which does not end the process from now on.
async fn ctrl_c() -> impl Future<Output = ()> + Send + 'static {
    let mut pressed = Box::pin(async {
        // Without a handler there is nothing to wait for, and Ctrl-C ends the process as ever.
        if tokio::signal::ctrl_c().await.is_err() {
            pending::<()>().await;
        }
    });
    // The first poll installs the handler.
    poll_fn(|context| Poll::Ready(pressed.as_mut().poll(context).is_ready())).await;
    pressed
}
