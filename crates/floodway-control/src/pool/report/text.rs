//! A report in a few lines that a person can act on.

use std::fmt;

use super::{
    PoolReport, PoolVerdict,
    judging::{ENOUGH, callers_wait},
};

impl fmt::Display for PoolVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooSmall => "too small",
            Self::TooLarge => "too large",
            Self::Saturated => "saturated database",
            Self::Fits => "fits",
            Self::Unknown => "unknown",
        })
    }
}

impl fmt::Display for PoolReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seen = &self.evidence;
        writeln!(f, "pool of {}: {}", seen.max, self.verdict)?;
        writeln!(f, "  {}", self.advice())?;
        writeln!(
            f,
            "  {:.1} holds per second of {:.1?} each (p99 {:.1?}): {:.1} of {} usable connections in \
             use on average, {} by others",
            self.throughput, seen.hold_mean, seen.hold_p99, self.needed, seen.usable, seen.foreign,
        )?;
        write!(
            f,
            "  {} served after {:.1?} (p99 {:.1?}), {} refused, in {:.0?}",
            seen.holds, seen.wait_p50, seen.wait_p99, seen.refused, seen.elapsed,
        )?;
        for band in seen.bands.iter().filter(|band| band.holds > 0) {
            write!(
                f,
                "\n  with {:.1} in use: {:.1?} each, {:.1} per second ({} holds)",
                band.in_use(),
                band.hold(),
                band.throughput(),
                band.holds,
            )?;
        }
        Ok(())
    }
}

impl PoolReport {
    /// What to do, and why.
    fn advice(&self) -> String {
        let max = self.suggested.unwrap_or(self.evidence.max);
        match self.verdict {
            PoolVerdict::TooSmall => format!(
                "callers wait, and the more connections were in use, the more was done: try a \
                 maximum of {max}, if the database allows it, and look again",
            ),
            PoolVerdict::TooLarge => format!(
                "nobody waits, and 99 of 100 found at most {} connections in use: a maximum of \
                 {max} is enough, and each one more costs memory of the database",
                self.evidence.in_use_p99(),
            ),
            PoolVerdict::Saturated => {
                let less = self.suggested.map(|max| format!("; a maximum of {max} does as much"));
                format!(
                    "callers wait, but more connections at once did not get more done: make the \
                     queries cheaper or the database larger, and not the pool{}",
                    less.unwrap_or_default(),
                )
            }
            PoolVerdict::Fits if callers_wait(&self.evidence) => "callers wait, but the pool was \
                not full: look for a limit above it, and at how long connecting takes"
                .to_owned(),
            PoolVerdict::Fits => "nothing to do".to_owned(),
            PoolVerdict::Unknown if self.evidence.holds < ENOUGH => {
                format!("{} holds are too few, {ENOUGH} are enough", self.evidence.holds)
            }
            PoolVerdict::Unknown => {
                "callers wait, but too seldom were fewer connections in use, to \
                tell what more of them give: look at a longer time, or change the maximum and \
                compare the throughput"
                    .to_owned()
            }
        }
    }
}
