//! Named parts of a limit.

use super::state::MAX_PERMITS;
use crate::{
    BuildError, UnknownPartition,
    sync::{AtomicU64, Ordering},
};

/// The partition of callers that name none: it owns what no other partition does.
pub(super) const DEFAULT: &str = "default";

/// The partitions of a limiter with the permits that each uses. Empty where there are none, in
/// which case nobody counts.
#[derive(Debug, Default)]
pub(super) struct Partitions(Box<[Partition]>);

#[derive(Debug)]
struct Partition {
    name: String,
    guarantee: f64,
    in_use: AtomicU64,
}

impl Partitions {
    /// Checks the parts and adds the default partition in front.
    pub(super) fn new(named: Vec<(String, f64)>) -> Result<Self, BuildError> {
        if named.is_empty() {
            return Ok(Self::default());
        }
        let mut rest = 1.0;
        let mut all = vec![(DEFAULT.to_owned(), 0.0)];
        for (name, guarantee) in named {
            rest -= guarantee;
            let valid = (0.0..=1.0).contains(&guarantee) && rest > -1e-9;
            if !valid || all.iter().any(|(known, _)| *known == name) {
                return Err(BuildError::Partition { name, guarantee });
            }
            all.push((name, guarantee));
        }
        if all.len() > usize::from(u16::MAX) {
            return Err(BuildError::OutOfRange {
                field: "partition count",
                value: all.len() as f64,
                min: 0,
                max: MAX_PERMITS.min(u32::from(u16::MAX)),
            });
        }
        all[0].1 = f64::max(rest, 0.0);
        let partition =
            |(name, guarantee)| Partition { name, guarantee, in_use: AtomicU64::new(0) };
        Ok(Self(all.into_iter().map(partition).collect()))
    }

    pub(super) fn guarantees(&self) -> Vec<f64> {
        self.0.iter().map(|partition| partition.guarantee).collect()
    }

    pub(super) fn find(&self, limiter: &str, name: &str) -> Result<u16, UnknownPartition> {
        let position = self.0.iter().position(|partition| partition.name == name);
        position.and_then(|position| u16::try_from(position).ok()).ok_or_else(|| UnknownPartition {
            limiter: limiter.to_owned(),
            name: name.to_owned(),
            known: self.0.iter().map(|partition| partition.name.clone()).collect(),
        })
    }

    pub(super) fn name(&self, index: u16) -> Option<&str> {
        self.0.get(usize::from(index)).map(|partition| partition.name.as_str())
    }

    /// Permits that a partition uses, of `in_flight` in all.
    pub(super) fn in_use(&self, index: usize, in_flight: u32) -> u32 {
        let in_use = |partition: &Partition| partition.in_use.load(Ordering::Relaxed) as u32;
        match index {
            0 => in_flight.saturating_sub(self.0.iter().skip(1).map(in_use).sum()),
            _ => self.0.get(index).map_or(0, in_use),
        }
    }

    // Relaxed, as the counts decide only who goes first, never whether there is room. The default
    // partition uses what no other does, so that nobody counts where there are no others.
    #[inline]
    pub(super) fn add(&self, index: u16, weight: u32) {
        if index > 0 {
            self.0[usize::from(index)].in_use.fetch_add(u64::from(weight), Ordering::Relaxed);
        }
    }

    #[inline]
    pub(super) fn remove(&self, index: u16, weight: u32) {
        if index > 0 {
            self.0[usize::from(index)].in_use.fetch_sub(u64::from(weight), Ordering::Relaxed);
        }
    }
}
