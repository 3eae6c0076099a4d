//! What became of the calls of a load, and when.

use std::{collections::BTreeMap, time::Duration};

use super::{
    RECOVERY,
    load::{Call, Outcome},
};
use crate::support::ms;

/// Recovery is looked for every so often.
const STEP: Duration = ms(100);
/// For so long as much must be served as before: not longer, because a machine that is busy with
/// other tests has its bad moments.
const STRETCH: Duration = ms(300);

/// A stretch of time since the load began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) from: Duration,
    pub(super) to: Duration,
}

pub(super) struct Report(Vec<Call>);

impl Report {
    pub(super) fn new(calls: Vec<Call>) -> Self {
        Self(calls)
    }

    pub(super) fn calls(&self) -> usize {
        self.0.len()
    }

    pub(super) fn longest(&self) -> Duration {
        self.0.iter().map(|call| call.took).max().unwrap_or_default()
    }

    /// How many per second of those who came in `span` were served.
    pub(super) fn goodput(&self, span: Span) -> f64 {
        let served = self.within(span).filter(|call| call.outcome == Outcome::Served).count();
        served as f64 / (span.to - span.from).as_secs_f64()
    }

    /// How long after `ended` a stretch began of which `goodput` per second were served.
    pub(super) fn recovery(&self, ended: Duration, goodput: f64) -> Option<Duration> {
        let end = self.0.iter().map(|call| call.at).max()?;
        let steps = (0..).map(|step| STEP * step);
        let mut observed = steps.take_while(|after| ended + *after + STRETCH <= end);
        observed.find(|after| {
            let from = ended + *after;
            self.goodput(Span { from, to: from + STRETCH }) >= goodput
        })
    }

    /// How many of those who came in `span` got no connection, and how many of them because of
    /// `cause`.
    pub(super) fn refused(&self, span: Span, cause: &str) -> (usize, usize) {
        let causes = || self.within(span).filter_map(|call| call.outcome.cause());
        (causes().count(), causes().filter(|told| *told == cause).count())
    }

    /// How often each cause was told.
    pub(super) fn causes(&self) -> impl Iterator<Item = (&'static str, usize)> {
        let mut causes = BTreeMap::new();
        for cause in self.0.iter().filter_map(|call| call.outcome.cause()) {
            *causes.entry(cause).or_default() += 1;
        }
        causes.into_iter()
    }

    #[expect(clippy::print_stdout, reason = "figures for who runs a test by hand")]
    pub(super) fn print(&self, name: &str, fault: Span, before: f64) {
        let Span { from, to } = fault;
        let recovery = self.recovery(to, 0.9 * before);
        println!("{name}: a fault of {:.2?}, nine tenths again after {recovery:?}", to - from);
        println!("  {before:.0} served per second before, {:.0} during", self.goodput(fault));
        println!("  {} calls, the longest {:.0?}", self.calls(), self.longest());
        let mut span = Span { from, to: from };
        while span.to < to + RECOVERY {
            span = Span { from: span.to, to: span.to + ms(500) };
            let mut outcomes = BTreeMap::new();
            for call in self.within(span) {
                *outcomes.entry(format!("{:?}", call.outcome)).or_insert(0) += 1;
            }
            println!("  {:>5.1} s: {outcomes:?}", (span.from - from).as_secs_f64());
        }
    }

    fn within(&self, span: Span) -> impl Iterator<Item = &Call> {
        self.0.iter().filter(move |call| (span.from..span.to).contains(&call.at))
    }
}

impl Outcome {
    /// What it counts as among the causes of rejections.
    fn cause(self) -> Option<&'static str> {
        match self {
            Self::Refused(cause) => Some(cause),
            Self::NotDelivered => Some("connect_failing"),
            Self::Served | Self::PoolFailed | Self::QueryFailed | Self::QueryLate => None,
        }
    }
}
