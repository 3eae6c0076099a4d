//! The bounds of histograms.

use std::{fmt, sync::OnceLock, time::Duration};

/// Room for this many bounds beside `+Inf`.
pub(crate) const MAX_BOUNDS: usize = 16;

/// What the durations of this process have; set when it is first needed, at the latest.
static DURATIONS: OnceLock<&'static Buckets> = OnceLock::new();

/// The bucket bounds of a histogram, kept as whole numbers so that recording needs no floats.
#[derive(Debug)]
pub struct Buckets {
    /// Upper bounds in the recorded unit, ascending, without `+Inf`.
    pub bounds: &'static [u64],
    /// Recorded units in one exported unit: 1e9 for nanoseconds exported as seconds.
    pub per_unit: f64,
}

impl Buckets {
    /// 100 µs to 10 s in sixteen steps of 2 to 2.5: the span between a cache hit and a request
    /// that nobody waits for any more. Recorded in nanoseconds. [`set_durations`](Self::set_durations)
    /// replaces them.
    pub const DURATIONS: &'static Self = &Self {
        bounds: &[
            100_000,
            250_000,
            500_000,
            1_000_000,
            2_500_000,
            5_000_000,
            10_000_000,
            25_000_000,
            50_000_000,
            100_000_000,
            250_000_000,
            500_000_000,
            1_000_000_000,
            2_500_000_000,
            5_000_000_000,
            10_000_000_000,
        ],
        per_unit: 1e9,
    };

    /// 1 to 4096 items in powers of two.
    pub const ITEMS: &'static Self = &Self {
        bounds: &[1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048, 4_096],
        per_unit: 1.0,
    };

    /// Replaces the bounds of all of Floodway's durations in this process, by 1 to 16 others, ascending:
    /// for a service whose times are all below a millisecond, or all above a second. Before anything is
    /// built, because a histogram keeps the bounds it began with.
    ///
    /// Dashboards and rules ask for quantiles and go on working. Give all replicas of a service the same
    /// bounds: a sum over others has no quantile.
    ///
    /// ```standalone_crate
    /// use std::time::Duration;
    /// use floodway_metrics::{Buckets, Histogram};
    ///
    /// let refused = |bounds: &[Duration]| Buckets::set_durations(bounds).unwrap_err().to_string();
    /// let ms = Duration::from_millis;
    /// assert_eq!(refused(&[]), "bounds: 0 of them are out of range, expected 1 to 16");
    /// assert_eq!(refused(&[ms(1); 17]), "bounds: 17 of them are out of range, expected 1 to 16");
    /// assert!(refused(&[ms(0), ms(1)]).starts_with("bounds: 0ns at 0 is not above"));
    /// assert!(refused(&[ms(1), ms(2), ms(2)]).starts_with("bounds: 2ms at 2 is not above"));
    ///
    /// let micros = [10, 20, 50, 100, 200, 500, 1_000, 10_000].map(Duration::from_micros);
    /// Buckets::set_durations(&micros).unwrap();
    ///
    /// let histogram = Histogram::new(Buckets::DURATIONS);
    /// histogram.record(15_000);
    /// let bounds: Vec<f64> = histogram.value().buckets.upper_bounds().collect();
    /// assert_eq!(bounds[..2], [1e-5, 2e-5]);
    /// assert_eq!(histogram.value().cumulative[..2], [0, 1]);
    /// assert!(Buckets::set_durations(&micros).is_err());
    /// ```
    ///
    /// # Errors
    ///
    /// If there are none or more than 16, one is zero, longer than 584 years or not above the one before,
    /// or a component was built or a page of metrics made before.
    pub fn set_durations(bounds: &[Duration]) -> Result<(), BucketsError> {
        if DURATIONS.get().is_some() {
            return Err(BucketsError::InUse);
        }
        if !(1..=MAX_BOUNDS).contains(&bounds.len()) {
            return Err(BucketsError::Number { bounds: bounds.len() });
        }
        let mut nanos: Vec<u64> = Vec::new();
        for bound in bounds {
            let value = u64::try_from(bound.as_nanos()).unwrap_or(0);
            if value <= nanos.last().copied().unwrap_or(0) {
                return Err(BucketsError::Bound { at: nanos.len(), bound: *bound });
            }
            nanos.push(value);
        }
        // Once per process, or a few times if several threads try at once.
        let buckets = Box::leak(Box::new(Self { bounds: nanos.leak(), per_unit: 1e9 }));
        DURATIONS.set(buckets).map_err(|_| BucketsError::InUse)
    }

    /// The bounds of durations in this process, which from now on stay.
    #[must_use]
    pub fn durations() -> &'static Self {
        Self::DURATIONS.in_force()
    }

    /// Those that hold for a histogram of these.
    pub(crate) fn in_force(&'static self) -> &'static Self {
        // By value: one constant may have several addresses.
        if self.bounds == Self::DURATIONS.bounds {
            DURATIONS.get_or_init(|| Self::DURATIONS)
        } else {
            self
        }
    }

    /// The bounds in the exported unit.
    pub fn upper_bounds(&self) -> impl Iterator<Item = f64> + '_ {
        self.bounds.iter().map(|bound| *bound as f64 / self.per_unit)
    }
}

/// Why bounds cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BucketsError {
    /// None, or too many.
    Number {
        /// How many.
        bounds: usize,
    },
    /// Zero, longer than 584 years, or not above the one before.
    Bound {
        /// Its position, from 0.
        at: usize,
        /// The bound.
        bound: Duration,
    },
    /// Others are in use.
    InUse,
}

impl fmt::Display for BucketsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number { bounds } => {
                write!(f, "bounds: {bounds} of them are out of range, expected 1 to {MAX_BOUNDS}")
            }
            Self::Bound { at, bound } => {
                write!(f, "bounds: {bound:?} at {at} is not above the one before, or out of range")
            }
            Self::InUse => f.write_str(
                "bounds: others are in use already; set them before anything is built or exported",
            ),
        }
    }
}

impl std::error::Error for BucketsError {}
