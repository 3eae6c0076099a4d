//! What the exporter measures of itself.

use std::time::Duration;

use floodway_metrics::{
    Buckets, Collector, Counter, Histogram, Source, catalogue::exporter as catalogue,
};

use crate::Format;

/// The exporter's own numbers.
#[derive(Debug)]
pub(crate) struct About {
    render: Histogram,
    scrapes: Counter<3>,
    refused: Counter<4>,
    exports: Counter<2>,
}

/// What was delivered, in the order of the label's values.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Delivered {
    Text,
    OpenMetrics,
    Status,
}

impl From<Format> for Delivered {
    fn from(format: Format) -> Self {
        match format {
            Format::Text => Self::Text,
            Format::OpenMetrics => Self::OpenMetrics,
        }
    }
}

/// Why nothing was, in the order of the label's values.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Refusal {
    Unauthorized,
    Busy,
    TooLarge,
    Invalid,
}

impl About {
    pub(crate) fn new() -> Self {
        Self {
            render: Histogram::new(Buckets::DURATIONS),
            scrapes: Counter::new(),
            refused: Counter::new(),
            exports: Counter::new(),
        }
    }

    pub(crate) fn rendered(&self, took: Duration) {
        self.render.record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(crate) fn delivered(&self, what: Delivered) {
        self.scrapes.increment(what as usize);
    }

    pub(crate) fn refused(&self, why: Refusal) {
        self.refused.increment(why as usize);
    }

    #[cfg(feature = "otel")]
    pub(crate) fn exported(&self, worked: bool) {
        self.exports.increment(usize::from(!worked));
    }
}

impl Source for About {
    fn collect(&self, out: &mut Collector) {
        let numbers = |counts: &[u64]| counts.iter().map(|count| *count as f64).collect::<Vec<_>>();
        out.histogram(&catalogue::RENDER_DURATION, self.render.value());
        out.numbers(&catalogue::SCRAPES, numbers(&self.scrapes.values()));
        out.numbers(&catalogue::REFUSED, numbers(&self.refused.values()));
        out.numbers(&catalogue::EXPORTS, numbers(&self.exports.values()));
    }
}
