//! How much a batch may weigh, configured or learnt from refusals.

// All constants: docs/decisions/0011-batch-sizes.md.

/// A refused weight times this is the next maximum.
const BACK_OFF: f64 = 0.9;

/// What a batch that came back adds to a learnt maximum.
const RECOVERY: f64 = 0.01;

/// After so many batches without a refusal, and after each few more, recovery is twice as fast again:
/// the downstream may take more than it did.
const CALM: u32 = 640;
const CALMER: u32 = 32;

/// A learnt maximum is forgotten once it is so many times what batches weigh.
const IRRELEVANT: f64 = 8.0;

/// Weight of a batch in the mean weight of an item.
const WEIGHT: f64 = 1.0 / 16.0;

#[derive(Clone, Debug)]
pub(super) struct Weight {
    configured: Option<u64>,
    learnt: Option<f64>,
    /// Recovery, halved with every refusal: a downstream with a fixed maximum refuses one in
    /// some hundreds.
    recovery: f64,
    /// Batches since the last refusal, or since recovery became faster.
    calm: u32,
    /// Weight of an item, on average; 0 before the first batch.
    item: f64,
    /// The heaviest of the last batches.
    heaviest: f64,
}

impl Weight {
    pub(super) fn new(configured: Option<u64>) -> Self {
        Self { configured, learnt: None, recovery: RECOVERY, calm: 0, item: 0.0, heaviest: 0.0 }
    }

    /// The most that a batch may weigh, at least 1.
    pub(super) fn max(&self) -> Option<u64> {
        let learnt = self.learnt.map(|learnt| (learnt as u64).max(1));
        match (learnt, self.configured) {
            (Some(learnt), Some(configured)) => Some(learnt.min(configured)),
            (learnt, configured) => learnt.or(configured),
        }
    }

    /// The items that fit on average.
    pub(super) fn items(&self) -> Option<usize> {
        let max = self.max()?;
        (self.item > 0.0).then(|| ((max as f64 / self.item) as usize).max(1))
    }

    pub(super) fn refused(&mut self, weight: u64) {
        let next = weight as f64 * BACK_OFF;
        if self.learnt.is_some() {
            self.recovery = (self.recovery / 2.0).max(RECOVERY / 1_024.0);
        }
        // Batches that were under way when the first was refused are refused as well.
        self.learnt = Some(self.learnt.map_or(next, |learnt| learnt.min(next)).max(1.0));
        self.calm = 0;
        self.heaviest = self.heaviest.max(weight as f64);
    }

    pub(super) fn add(&mut self, items: f64, weight: u64) {
        let weight = weight as f64;
        let mean = weight / items;
        if self.item == 0.0 {
            self.item = mean;
        }
        self.item += (mean - self.item) * WEIGHT;
        self.heaviest = weight.max(self.heaviest * (1.0 - RECOVERY));
        if let Some(learnt) = &mut self.learnt {
            *learnt *= 1.0 + self.recovery;
            self.calm += 1;
            if self.calm >= CALM {
                self.calm = CALM - CALMER;
                self.recovery = (self.recovery * 2.0).min(RECOVERY);
            }
            let irrelevant = match self.configured {
                Some(configured) => *learnt >= configured as f64,
                None => *learnt > self.heaviest * IRRELEVANT,
            };
            if irrelevant {
                self.learnt = None;
            }
        }
    }
}
