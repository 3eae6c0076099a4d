//! What takes batches, and what it saw of them.

use std::{
    fmt,
    ops::{Add, Sub},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::future::BoxFuture;
use tokio::time::Instant;

/// Why a batch failed; the suite ends with it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Failed(String);

/// Any error, for a peer whose errors have to be clones.
pub(super) fn failed(error: impl fmt::Display) -> Failed {
    Failed(error.to_string())
}

type Send_ = dyn Fn(Vec<u64>) -> BoxFuture<'static, Result<(), Failed>> + Send + Sync;

/// Takes batches, and counts them.
#[derive(Clone)]
pub(super) struct Downstream {
    send: Arc<Send_>,
    watch: Arc<Mutex<Watch>>,
}

/// What runs now, beside the counts.
#[derive(Debug)]
struct Watch {
    in_flight: u64,
    since: Instant,
    counts: Counts,
}

/// Sizes in powers of two: 1, 2–3, 4–7 and so on.
const SIZES: usize = 12;

/// What a downstream saw in a while.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    batches: u64,
    items: u64,
    sizes: [u64; SIZES],
    /// Time with nothing in flight.
    idle: Duration,
    /// Time with something in flight.
    busy: Duration,
    /// Time of all batches together.
    in_flight: Duration,
}

impl Downstream {
    pub(super) fn new<F>(send: impl Fn(Vec<u64>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), Failed>> + Send + 'static,
    {
        let watch = Watch { in_flight: 0, since: Instant::now(), counts: Counts::default() };
        Self {
            send: Arc::new(move |items| Box::pin(send(items))),
            watch: Arc::new(Mutex::new(watch)),
        }
    }

    /// The same one with counts of its own.
    pub(super) fn fresh(&self) -> Self {
        let send = Arc::clone(&self.send);
        Self::new(move |items| send(items))
    }

    pub(super) async fn send(&self, items: Vec<u64>) -> Result<(), Failed> {
        self.change(1, items.len());
        let sent = (self.send)(items).await;
        self.change(-1, 0);
        sent
    }

    pub(super) fn counts(&self) -> Counts {
        self.change(0, 0);
        self.watch.lock().unwrap_or_else(PoisonError::into_inner).counts
    }

    fn change(&self, by: i64, items: usize) {
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let passed = now.duration_since(watch.since);
        watch.since = now;
        let in_flight = watch.in_flight;
        watch.in_flight = in_flight.saturating_add_signed(by);
        let counts = &mut watch.counts;
        match in_flight {
            0 => counts.idle += passed,
            _ => counts.busy += passed,
        }
        counts.in_flight += passed * u32::try_from(in_flight).unwrap_or(u32::MAX);
        if items > 0 {
            counts.batches += 1;
            counts.items += items as u64;
            counts.sizes[(items.ilog2() as usize).min(SIZES - 1)] += 1;
        }
    }
}

impl Counts {
    /// Items of a batch, on average.
    pub(super) fn mean(&self) -> f64 {
        self.items as f64 / self.batches as f64
    }

    /// Batches in flight, on average.
    pub(super) fn in_flight(&self) -> f64 {
        self.in_flight.as_secs_f64() / (self.idle + self.busy).as_secs_f64()
    }

    /// The share of time with nothing in flight.
    pub(super) fn idle(&self) -> f64 {
        self.idle.as_secs_f64() / (self.idle + self.busy).as_secs_f64()
    }
}

impl Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.with(other, |one, other| one + other, |one, other| one + other)
    }
}

impl Sub for Counts {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self.with(other, |one, other| one - other, |one, other| one - other)
    }
}

impl Counts {
    fn with(
        self,
        other: Self,
        number: impl Fn(u64, u64) -> u64,
        time: impl Fn(Duration, Duration) -> Duration,
    ) -> Self {
        Self {
            batches: number(self.batches, other.batches),
            items: number(self.items, other.items),
            sizes: std::array::from_fn(|size| number(self.sizes[size], other.sizes[size])),
            idle: time(self.idle, other.idle),
            busy: time(self.busy, other.busy),
            in_flight: time(self.in_flight, other.in_flight),
        }
    }
}

/// The mean size, how many are in flight, and the share of batches of each size.
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mean, in_flight, idle) = (self.mean(), self.in_flight(), self.idle() * 100.0);
        let took = self.in_flight.as_secs_f64() * 1e3 / self.batches as f64;
        write!(
            f,
            "{mean:.1} items  {took:.2} ms a batch  {in_flight:.2} in flight  idle {idle:.0} %  sizes"
        )?;
        for (size, batches) in self.sizes.iter().enumerate().filter(|(_, batches)| **batches > 0) {
            let share = *batches as f64 / self.batches as f64 * 100.0;
            write!(f, " {}+:{share:.0}%", 1_u64 << size)?;
        }
        Ok(())
    }
}
