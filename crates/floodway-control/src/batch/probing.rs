//! When a batch of another size is sent to measure the overhead, and of which size.

// All constants: docs/decisions/0011-batch-sizes.md.

/// Pairs to begin with, for which every other batch is a probe. Fewer if they agree.
const WARM_UP: u32 = 24;

/// Regular batches between probes: where the size is what limits batches, where they are smaller
/// than it allows, where callers come back and all slots are busy, so that the rest of a probe's batch
/// waits for the time of another, and while a change of costs is likely.
const USUAL: u32 = 15;
const SPARE: u32 = 63;
const RARE: u32 = 255;
const DOUBT: u32 = 3;

/// Probes after a change.
const AFTER_CHANGE: u32 = 8;

/// Batches of one item between larger ones, at most. Doubles with each of them from `USUAL`, once
/// one item is known to be best: in the end one item in 256 is in such a batch, so that they do not
/// show in the 99th percentile.
const SELDOM: u32 = 1_023;

/// A probe has one part of so many of the items.
const PART: usize = 256;

/// Items of a probe where batches have one.
const UPWARD: usize = 4;

/// What a batch is sent for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// To answer its items.
    Regular,
    /// To measure the overhead.
    Overhead,
    /// To see whether half the size, or twice the size, is cheaper per item.
    Comparison,
}

#[derive(Clone, Debug)]
pub(super) struct Probing {
    /// Pairs left of the warm-up.
    warm_up: u32,
    /// Probes left that a change asked for.
    after_change: u32,
    /// Regular batches since the last probe.
    regular: u32,
    /// Regular batches between probes of more than one item.
    upward: u32,
}

impl Probing {
    pub(super) fn new() -> Self {
        Self { warm_up: WARM_UP, after_change: 0, regular: 0, upward: USUAL }
    }

    pub(super) fn is_warming_up(&self) -> bool {
        self.warm_up > 0
    }

    /// A probe came back and made a pair. `narrow`: whether little is left undecided.
    pub(super) fn paired(&mut self, narrow: bool) {
        self.warm_up = if narrow { 0 } else { self.warm_up.saturating_sub(1) };
    }

    /// Costs have changed.
    pub(super) fn changed(&mut self) {
        self.after_change = AFTER_CHANGE;
        self.upward = USUAL;
    }

    /// The size of a probe instead of the next batch, if it is time for one.
    pub(super) fn size(&self, next: &Next) -> Option<usize> {
        if self.regular < self.between(next) {
            return None;
        }
        let size = if next.target == 1 {
            UPWARD.min(next.queued).min(next.most)
        } else {
            (next.items / PART).max(1)
        };
        (size != next.items).then_some(size)
    }

    /// Regular batches between probes of the overhead.
    fn between(&self, next: &Next) -> u32 {
        if self.warm_up > 0 {
            1
        } else if self.after_change > 0 {
            DOUBT
        } else if next.target == 1 {
            self.upward
        } else if next.doubt {
            DOUBT
        } else if next.rare {
            RARE
        } else if !next.is_limited_by_size() {
            SPARE
        } else {
            USUAL
        }
    }

    /// A batch goes. `sure`: whether it is known that one item a batch is best.
    pub(super) fn dispatched(&mut self, role: Role, target: usize, sure: bool) {
        match role {
            Role::Regular => self.regular = self.regular.saturating_add(1),
            Role::Comparison => {}
            Role::Overhead => {
                self.regular = 0;
                self.after_change = self.after_change.saturating_sub(1);
                if target > 1 {
                    self.upward = USUAL;
                } else if self.warm_up == 0 && self.after_change == 0 && sure {
                    self.upward = (self.upward * 2 + 1).min(SELDOM);
                }
            }
        }
    }
}

/// The batch that a probe would be sent instead of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Next {
    /// Its items.
    pub(super) items: usize,
    /// The most items that a batch has now, and the most that were ever allowed.
    pub(super) target: usize,
    pub(super) most: usize,
    /// Items that wait.
    pub(super) queued: usize,
    /// Whether it is always the same callers who come back, and much is known of them.
    pub(super) rare: bool,
    /// Whether the next probes decide if the cost has changed.
    pub(super) doubt: bool,
}

impl Next {
    /// Whether size is what limits the batch, and not what there is to send.
    pub(super) fn is_limited_by_size(&self) -> bool {
        self.items * 2 >= self.target
    }
}
