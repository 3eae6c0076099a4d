//! Whether the last pairs of batches say something else than those before.

use super::ratio::{Column, GRID, least};

// All constants: docs/decisions/0011-batch-sizes.md.

/// Pairs on either side of a change. Two outliers are not a change, and one pair in fifty is one.
const FEWEST: usize = 3;

/// Most pairs since a change.
const LONGEST: usize = 12;

/// By how many steps of the grid the ratio has to change to be worth it: by half.
const WORTH: usize = 3;

/// How much more likely a change has to be than none, as a logarithm, to be sure of it; and to want
/// more pairs soon.
const SURE: f64 = 5.0;
const DOUBT: f64 = 1.5;

/// Mean deviation that is as good as none, because of the steps of the grid.
const EXACT: f64 = 0.03;

/// What pairs say about a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    None,
    /// The next pairs will tell.
    Doubt,
    /// So many of the last pairs came after it.
    Sure {
        since: usize,
    },
}

/// Compares one ratio for all pairs with one for those before a change and another for those after
/// it: the generalised likelihood ratio, after [Willsky and Jones][glr], for deviations that are
/// Laplace distributed with a scale that is not known.
///
/// Pairs, and not the times of batches: the overhead is a small part of the time of a batch that has
/// the right size, and a downstream that is slow for a while is no reason to give a ratio up.
///
/// [glr]: https://doi.org/10.1109/TAC.1976.1101146
pub(super) fn change<'a>(
    loss: &[f64; GRID],
    newest_first: impl ExactSizeIterator<Item = &'a Column>,
) -> Change {
    let count = newest_first.len();
    let pairs = count as f64;
    let one = loss[least(loss.iter().copied())] + EXACT * pairs;
    let mut after = [0.0; GRID];
    let mut most = (0.0, 0);
    for (column, since) in newest_first.zip(1..=LONGEST.min(count.saturating_sub(FEWEST))) {
        for (sum, loss) in after.iter_mut().zip(column) {
            *sum += f64::from(*loss);
        }
        let before = |index: usize| loss[index] - after[index];
        let best_after = least(after.iter().copied());
        let best_before = least((0..GRID).map(before));
        if since < FEWEST || best_after.abs_diff(best_before) < WORTH {
            continue;
        }
        let two = after[best_after] + before(best_before) + EXACT * pairs;
        let gain = pairs * (one / two).ln();
        if gain > most.0 {
            most = (gain, since);
        }
    }
    match most {
        (gain, since) if gain > SURE => Change::Sure { since },
        (gain, _) if gain > DOUBT => Change::Doubt,
        _ => Change::None,
    }
}
