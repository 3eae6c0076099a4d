//! What a replica needs: the peak of a short past.

use std::collections::VecDeque;

/// How far back the peak looks, in milliseconds. A peak of several seconds, as in rate limiting, would
/// keep a share for as long after the load has moved to other replicas.
pub(crate) const WINDOW: u64 = 1_000;

/// The peak over the last [`WINDOW`].
#[derive(Debug, Default)]
pub(crate) struct Peak {
    /// Times and values, each higher than all that came after it.
    samples: VecDeque<(u64, u32)>,
}

impl Peak {
    /// At `now` it was `value`; the peak up to now.
    pub(crate) fn observe(&mut self, now: u64, value: u32) -> u32 {
        while self.samples.back().is_some_and(|(_, before)| *before <= value) {
            self.samples.pop_back();
        }
        self.samples.push_back((now, value));
        while self.samples.front().is_some_and(|(at, _)| at + WINDOW < now) {
            self.samples.pop_front();
        }
        self.samples.front().map_or(value, |(_, peak)| *peak)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peak_is_forgotten_after_the_window() {
        let mut peak = Peak::default();
        assert_eq!(peak.observe(0, 3), 3);
        assert_eq!(peak.observe(500, 9), 9);
        assert_eq!(peak.observe(900, 4), 9);
        assert_eq!(peak.observe(1_500, 2), 9);
        assert_eq!(peak.observe(1_501, 2), 4);
        assert_eq!(peak.observe(2_000, 2), 2);
    }
}
