//! The best fixed chunk, which nobody knows beforehand.

use std::num::NonZeroUsize;

use super::{Items, Ran, Rule, Setting, run};

/// What the best of the fixed chunks does.
#[derive(Clone, Copy, Debug)]
pub struct Best {
    /// Items of the chunk: a power of two.
    pub items: NonZeroUsize,
    /// What it does.
    pub ran: Ran,
}

/// Tries all powers of two up to the number of items.
#[must_use]
pub fn best_fixed(items: &Items, setting: Setting) -> Best {
    let mut best: Option<Best> = None;
    let mut size = NonZeroUsize::MIN;
    loop {
        if best.is_none_or(|best| fastest(items, setting, size) < best.ran.makespan.as_secs_f64()) {
            let ran = run(items, setting, &mut *Rule::Fixed(size).start(&setting));
            if best.is_none_or(|best| ran.makespan < best.ran.makespan) {
                best = Some(Best { items: size, ran });
            }
        }
        match best {
            Some(best) if size.get() >= items.len() => return best,
            _ => size = size.saturating_mul(NonZeroUsize::MIN.saturating_add(1)),
        }
    }
}

/// Seconds that a chunk of this size takes at least, if nobody ever idles. Spares the runs of a
/// million chunks that cannot be the best.
fn fastest(items: &Items, setting: Setting, size: NonZeroUsize) -> f64 {
    let work = items.time(0..items.len()) as f64 * 1e-9;
    let chunks = items.len() as f64 / size.get() as f64;
    (work + chunks * setting.overhead.as_secs_f64()) / setting.workers.get() as f64
}
