//! When a batch of another size is sent to measure the overhead, and of which.

/// Pairs to begin with, for which every other batch is a probe.
const WARM_UP: u32 = 24;

/// Regular batches between probes: usually, and while there is doubt.
const USUAL: u32 = 15;
const DOUBT: u32 = 3;

/// Probes after an alarm.
const ALARMED: u32 = 8;

/// Regular batches between probes where batches have one item: doubled each time, up to this.
const SELDOM: u32 = 1_023;

/// A probe has one part of so many of the items.
const PART: usize = 16;

/// A probe where batches have one item.
const UPWARD: usize = 4;

#[derive(Clone, Debug)]
pub(super) struct Probing {
    /// Pairs left of the warm-up.
    warm_up: u32,
    /// Probes left that an alarm asked for.
    alarmed: u32,
    /// Regular batches since the last probe.
    regular: u32,
    /// Regular batches between probes of more than one item.
    upward: u32,
}

impl Probing {
    pub(super) fn new() -> Self {
        Self { warm_up: WARM_UP, alarmed: 0, regular: 0, upward: USUAL }
    }

    pub(super) fn is_warming_up(&self) -> bool {
        self.warm_up > 0
    }

    pub(super) fn paired(&mut self) {
        self.warm_up = self.warm_up.saturating_sub(1);
    }

    pub(super) fn alarm(&mut self) {
        self.alarmed = ALARMED;
        self.upward = USUAL;
    }

    /// The size of a probe instead of a batch of `items`, if it is time for one. `target` and `most`
    /// are the usual and the largest size, `queued` what there is.
    pub(super) fn size(
        &self,
        items: usize,
        target: usize,
        most: usize,
        queued: usize,
        doubt: bool,
    ) -> Option<usize> {
        let upward = target == 1;
        let between = if self.warm_up > 0 {
            1
        } else if self.alarmed > 0 || doubt {
            DOUBT
        } else if upward {
            self.upward
        } else {
            USUAL
        };
        if self.regular < between {
            return None;
        }
        let size =
            if upward { UPWARD.min(queued).min(most) } else { (items / PART).max(1) };
        (size != items).then_some(size)
    }

    /// A batch goes.
    pub(super) fn dispatched(&mut self, probe: bool, target: usize) {
        if !probe {
            self.regular = self.regular.saturating_add(1);
            return;
        }
        self.regular = 0;
        self.alarmed = self.alarmed.saturating_sub(1);
        if target > 1 {
            self.upward = USUAL;
        } else if self.warm_up == 0 && self.alarmed == 0 {
            self.upward = (self.upward * 2 + 1).min(SELDOM);
        }
    }
}
