//! What came out of a run.

use floodway_control::BatchTarget;

/// What a rule did. Goodput, latencies and costs are of the last nine tenths of the run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ran {
    /// Items that came, and how many of them found the queue full; of the whole run.
    pub arrived: u64,
    /// See `arrived`.
    pub rejected: u64,
    /// Items that were answered, in the whole run.
    pub answered: u64,
    /// Batches, in the whole run.
    pub batches: u64,
    /// Items answered per second, at most as many as came: who answers what came before has not
    /// done better than who had answered it already.
    pub goodput: f64,
    /// Seconds from arrival to answer, on average.
    pub mean: f64,
    /// Seconds from arrival to answer, below which half stayed.
    pub p50: f64,
    /// Seconds from arrival to answer, below which 99 % stayed.
    pub p99: f64,
    /// Seconds that a slot was taken, per item.
    pub busy: f64,
    /// Items per batch.
    pub size: f64,
    /// Share of the answers that took longer than the objective; 0 without one.
    pub late: f64,
}

/// A batch of ours when it was sent, and what its sizer believed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sent {
    /// The share of the run that was over.
    pub share: f64,
    /// Batches that had been answered.
    pub answered: u64,
    /// Those of them that were sent in the second half of the run.
    pub answered_since: u64,
    /// Items of this one.
    pub items: usize,
    /// Items that waited, these included.
    pub queued: usize,
    /// Whether it was sent to measure.
    pub probe: bool,
    /// The most that would have been sent.
    pub target: BatchTarget,
    /// What the target should be.
    pub ideal: usize,
    /// Estimates divided by the truth.
    pub overhead: Option<f64>,
    /// See `overhead`.
    pub item: Option<f64>,
}

/// Counts what a run does.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// What is measured, in nanoseconds.
    from: u64,
    to: u64,
    objective: Option<u64>,
    pub(super) ran: Ran,
    latencies: Vec<u64>,
    came: u64,
    answered: u64,
    late: u64,
    busy: u64,
    items: u64,
    batches: u64,
}

impl Tally {
    /// Leaves out the first tenth of a run.
    pub(super) fn new(length: u64, objective: Option<u64>) -> Self {
        Self { from: length / 10, to: length, objective, ..Self::default() }
    }

    pub(super) fn came(&mut self, now: u64) {
        self.ran.arrived += 1;
        self.came += u64::from((self.from..=self.to).contains(&now));
    }

    pub(super) fn sent(&mut self, now: u64, items: usize, time: u64) {
        self.ran.batches += 1;
        if (self.from..=self.to).contains(&now) {
            self.busy += time;
            self.items += items as u64;
            self.batches += 1;
        }
    }

    pub(super) fn answered(&mut self, now: u64, arrivals: &[u64]) {
        self.ran.answered += arrivals.len() as u64;
        if (self.from..=self.to).contains(&now) {
            self.answered += arrivals.len() as u64;
        }
        for &arrival in arrivals.iter().filter(|at| (self.from..=self.to).contains(at)) {
            let latency = now - arrival;
            self.late += u64::from(self.objective.is_some_and(|objective| latency > objective));
            self.latencies.push(latency);
        }
    }

    pub(super) fn finish(mut self) -> Ran {
        let part = |value: u64, of: usize| value as f64 / of.max(1) as f64;
        Ran {
            goodput: self.answered.min(self.came) as f64 / ((self.to - self.from) as f64 * 1e-9),
            late: part(self.late, self.latencies.len()),
            mean: part(self.latencies.iter().sum(), self.latencies.len()) * 1e-9,
            p50: quantile(&mut self.latencies, 0.5),
            p99: quantile(&mut self.latencies, 0.99),
            busy: part(self.busy, self.items as usize) * 1e-9,
            size: part(self.items, self.batches as usize),
            ..self.ran
        }
    }
}

/// Seconds.
fn quantile(values: &mut [u64], share: f64) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let index = ((values.len() as f64 * share) as usize).min(values.len() - 1);
    *values.select_nth_unstable(index).1 as f64 * 1e-9
}
