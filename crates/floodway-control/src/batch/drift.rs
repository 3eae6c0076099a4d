//! Whether what was learnt still holds.

/// Most that one value counts, in typical deviations.
const CLIP: f64 = 3.0;

/// A two-sided cumulative sum of deviations, after [Page](https://doi.org/10.1093/biomet/41.1-2.100).
#[derive(Clone, Debug)]
pub(super) struct Drift {
    slack: f64,
    alarm: f64,
    up: f64,
    down: f64,
    scale: f64,
}

impl Drift {
    /// Deviations of less than `slack` typical ones count against an alarm, which comes at a sum of
    /// `alarm`.
    pub(super) fn new(slack: f64, alarm: f64) -> Self {
        Self { slack, alarm, up: 0.0, down: 0.0, scale: 0.4 }
    }

    /// Takes a deviation; whether there is an alarm, which starts the sum anew.
    pub(super) fn add(&mut self, deviation: f64) -> bool {
        let normal = (deviation / self.scale).clamp(-CLIP, CLIP);
        self.up = (self.up + normal - self.slack).max(0.0);
        self.down = (self.down - normal - self.slack).max(0.0);
        self.scale += (deviation.abs().min(2.0 * self.scale) - self.scale) * 0.05;
        self.scale = self.scale.max(0.05);
        let alarm = self.sum() > self.alarm;
        if alarm {
            self.reset();
        }
        alarm
    }

    /// Whether the next values decide.
    pub(super) fn is_suspicious(&self) -> bool {
        self.sum() > self.alarm * 0.4
    }

    pub(super) fn reset(&mut self) {
        (self.up, self.down) = (0.0, 0.0);
    }

    fn sum(&self) -> f64 {
        self.up.max(self.down)
    }
}
