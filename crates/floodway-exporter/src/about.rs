//! What the exporter measures of itself.

use std::{sync::Arc, time::Duration};

use floodway_metrics::{
    Buckets, Collector, ComponentKind, Counter, Histogram, Registry, Source,
    catalogue::exporter as catalogue,
};

use crate::Format;

/// The exporter's own numbers.
#[derive(Debug)]
pub(crate) struct About {
    render: Histogram,
    scrapes: Counter<{ catalogue::FORMAT.values.len() }>,
    refused: Counter<{ catalogue::REFUSAL.values.len() }>,
    exports: Counter<{ catalogue::EXPORT_RESULT.values.len() }>,
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
    /// Those of all exporters of `registry`, so that none starts again when one of them is gone.
    pub(crate) fn of(registry: &Registry) -> Arc<Self> {
        let shared = registry.shared(ComponentKind::Exporter, "");
        // Exporters have no name that could be refused, and no other type is registered as one.
        debug_assert!(shared.is_ok(), "{shared:?}");
        shared.unwrap_or_default()
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

/// All at zero.
impl Default for About {
    fn default() -> Self {
        Self {
            render: Histogram::new(Buckets::DURATIONS),
            scrapes: Counter::new(),
            refused: Counter::new(),
            exports: Counter::new(),
        }
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
