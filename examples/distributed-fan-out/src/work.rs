//! What is done for one item.

use std::{fmt, process, str::FromStr, time::Duration};

use tokio::time::sleep;

use crate::span;

/// What an item takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Nothing, so that what is measured is the way there and back.
    None,
    /// So long, without the processor: it waits for somebody else, as most work does.
    Io(Duration),
}

/// What an item is that failed.
#[derive(Debug, thiserror::Error)]
#[error("item {0} is poisoned")]
pub(crate) struct Poisoned(u64);

impl Work {
    /// How long an item takes at least.
    pub(crate) const fn time(self) -> Duration {
        match self {
            Self::None => Duration::ZERO,
            Self::Io(time) => time,
        }
    }

    async fn run(self) {
        match self {
            Self::None => {}
            Self::Io(time) => sleep(time).await,
        }
    }
}

impl FromStr for Work {
    type Err = String;

    fn from_str(value: &str) -> Result<Self, String> {
        match value.split_once(':') {
            None if value == "none" => Ok(Self::None),
            Some(("io", time)) => span::parse(time).map(Self::Io),
            _ => Err("expected none or io:TIME, as in io:2ms".into()),
        }
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Io(time) => write!(f, "io:{}", span::shown(*time)),
        }
    }
}

/// What is done for each item, and which of them go wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operation {
    pub(crate) work: Work,
    pub(crate) items: u64,
    /// How many of them always fail.
    pub(crate) poisoned: u64,
    /// How many of them end the process that takes them.
    pub(crate) lethal: u64,
}

impl Operation {
    pub(crate) async fn run(self, item: u64) -> Result<(), Poisoned> {
        self.work.run().await;
        if is_among(item, self.items, self.lethal) {
            // As a stack overflow or a failed allocation does: nothing is unwound or handed back.
            process::abort();
        }
        if is_among(item, self.items, self.poisoned) { Err(Poisoned(item)) } else { Ok(()) }
    }
}

/// Spreads `some` over `all`.
fn is_among(number: u64, all: u64, some: u64) -> bool {
    let before = |number: u64| u128::from(number) * u128::from(some) / u128::from(all);
    before(number + 1) > before(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_items_are_poisoned_as_asked_for() {
        for (all, some) in [(10, 0), (10, 1), (10, 3), (10, 10), (7, 5), (1, 1)] {
            let found = (0..all).filter(|number| is_among(*number, all, some)).count();
            assert_eq!(found as u64, some, "{some} of {all}");
        }
    }

    #[test]
    fn work_is_written_as_it_is_read() {
        for text in ["none", "io:2ms"] {
            assert_eq!(text.parse::<Work>().expect(text).to_string(), text);
        }
        for text in ["", "io", "io:2", "cpu:2ms", "none:1ms"] {
            text.parse::<Work>().expect_err(text);
        }
    }
}
