//! How many of the slots are worth using, where callers come back with another item.

use super::probing::Role;

// All constants: docs/decisions/0011-batch-sizes.md.

/// Batches in a slot from one trial to the next, at first and at most. Doubles with each that failed.
const SOON: u32 = 16;
const SELDOM: u32 = 1_024;

/// Batches in a slot that a trial looks at, after one that still ran beside those before it.
const TRIAL: usize = 16;

/// Batches that a trial is compared with.
const BEFORE: usize = 32;

/// A trial has to be so much quicker.
const BETTER: f64 = 0.9;

/// A trial is worth it if it could be so much quicker at best, and ends early if it is so much
/// slower after a few batches.
const PROMISING: f64 = 0.85;
const WORSE: f64 = 1.15;
const FEW: usize = 4;

/// A trial whose batches are hardly ever a slot's share is given up after so many times its length.
const ODD: usize = 4;

/// The most by which a batch may differ from a slot's share of the items.
const ALIKE: f64 = 1.25;

/// Tries whether fewer or more batches at a time, each with its share of all items, are quicker.
///
/// Where the callers of N items come back with another as soon as they have their answer, and n
/// batches with N ÷ n items each run at a time, N items are answered in the time of one batch. So the
/// best n is the one whose batches are quickest, whatever the cost of a batch depends on: slots
/// that share a processor or a lock slow each other.
#[derive(Clone, Debug)]
pub(super) struct Crowd {
    /// Batches at a time; `None` for as many as there are slots.
    used: Option<usize>,
    trial: Option<Trial>,
    /// Whether the next trial is of more.
    more: bool,
    /// Batches since the last trial, and from one to the next, in a slot.
    since: usize,
    between: u32,
    /// Logarithms of the last times, outside trials.
    times: [f64; BEFORE],
    count: usize,
}

#[derive(Clone, Debug)]
struct Trial {
    slots: usize,
    /// Batches that went before it, or with it while others of before were still running.
    skip: usize,
    /// Batches that went with it, whatever their size.
    seen: usize,
    times: Vec<f64>,
}

impl Crowd {
    pub(super) const fn new() -> Self {
        Self {
            used: None,
            trial: None,
            more: false,
            since: 0,
            between: SOON,
            times: [0.0; BEFORE],
            count: 0,
        }
    }

    /// How many batches may run at a time, of `slots`.
    pub(super) fn slots(&self, slots: usize) -> usize {
        let tried = self.trial.as_ref().map(|trial| trial.slots);
        tried.or(self.used).unwrap_or(slots).clamp(1, slots.max(1))
    }

    /// Takes a batch that came back.
    pub(super) fn add(&mut self, batch: &Batch) {
        let Batch { items, used, slots, all, ratio, log_time, role } = *batch;
        let current = self.used.unwrap_or(slots).clamp(1, slots.max(1));
        let Some(all) = all else {
            // Nothing is known of arrivals that do not depend on answers.
            self.trial = None;
            return;
        };
        if let Some(trial) = &mut self.trial
            && trial.slots == used
        {
            trial.seen += 1;
            if trial.seen > ODD * TRIAL * trial.slots {
                self.fail();
                return;
            }
        }
        let share = all as f64 / used as f64;
        let alike = items.max(share) <= ALIKE * items.min(share);
        if role != Role::Regular || !alike {
            return;
        }
        match &mut self.trial {
            // The limit has fallen meanwhile.
            Some(trial) if trial.slots > slots => self.trial = None,
            Some(trial) if trial.slots == used => {
                if trial.skip > 0 {
                    trial.skip -= 1;
                } else {
                    trial.times.push(log_time);
                }
                let done = trial.times.len();
                let hopeless = done >= FEW
                    && median(&mut trial.times) > median(&mut self.times.clone()) + WORSE.ln();
                if done >= TRIAL * trial.slots || hopeless {
                    self.judge(slots);
                }
            }
            None if used == current => {
                self.times[self.count % BEFORE] = log_time;
                self.count += 1;
                self.since += 1;
                if self.count >= BEFORE && self.since >= self.between as usize * used {
                    self.start(current, slots, ratio, share);
                }
            }
            // It went before the trial began, or ended.
            _ => {}
        }
    }

    /// Tries another number, with batches of `items` now, if it is promising: at worst, batches beside
    /// each other take as long as one after the other, and at best as long as alone.
    fn start(&mut self, current: usize, slots: usize, ratio: Option<f64>, items: f64) {
        self.since = 0;
        let other = if self.more { (current * 2).min(slots) } else { current / 2 };
        self.more = !self.more;
        let Some(ratio) = ratio.filter(|_| other >= 1 && other != current) else { return };
        let change = current as f64 / other as f64;
        let best = (ratio + items * change) / ((ratio + items) * change.max(1.0));
        if best <= PROMISING {
            self.trial = Some(Trial { slots: other, skip: other, seen: 0, times: Vec::new() });
        }
    }

    fn judge(&mut self, slots: usize) {
        let Some(trial) = &mut self.trial else { return };
        if median(&mut trial.times) < median(&mut self.times.clone()) + BETTER.ln() {
            self.used = (trial.slots < slots).then_some(trial.slots);
            self.trial = None;
            self.since = 0;
            // Further in the same direction, and soon.
            self.more = !self.more;
            self.between = SOON;
            self.count = 0;
        } else {
            self.fail();
        }
    }

    fn fail(&mut self) {
        self.trial = None;
        self.since = 0;
        self.between = (self.between * 2).min(SELDOM);
    }
}

/// A batch that came back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Batch {
    pub(super) items: f64,
    /// How many could run at a time when it went, of how many slots.
    pub(super) used: usize,
    pub(super) slots: usize,
    /// The items of all callers who come back; `None` if it is not always the same number.
    pub(super) all: Option<usize>,
    /// What is believed of α ÷ β.
    pub(super) ratio: Option<f64>,
    /// Logarithm of its time.
    pub(super) log_time: f64,
    pub(super) role: Role,
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_unstable_by(f64::total_cmp);
    times[times.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A batch of 64 callers with four slots.
    fn batch(items: f64, used: usize, log_time: f64) -> Batch {
        let (all, ratio, role) = (Some(64), Some(100.0), Role::Regular);
        Batch { items, used, slots: 4, all, ratio, log_time, role }
    }

    fn on_trial() -> Crowd {
        let mut crowd = Crowd::new();
        while crowd.slots(4) == 4 {
            crowd.add(&batch(16.0, 4, 0.0));
        }
        crowd
    }

    #[test]
    fn fewer_at_a_time_are_kept_if_they_are_quicker() {
        for (log_time, kept) in [(-0.5, 2), (0.5, 4)] {
            let mut crowd = on_trial();
            assert_eq!(crowd.slots(4), 2);
            for _ in 0..34 {
                let used = crowd.slots(4);
                crowd.add(&batch(64.0 / used as f64, used, if used == 2 { log_time } else { 0.0 }));
            }
            assert_eq!(crowd.slots(4), kept);
        }
    }

    #[test]
    fn a_trial_of_odd_batches_ends() {
        let mut crowd = on_trial();
        for _ in 0..200 {
            crowd.add(&batch(1.0, crowd.slots(4), -9.0));
        }
        assert_eq!(crowd.slots(4), 4);
    }
}
