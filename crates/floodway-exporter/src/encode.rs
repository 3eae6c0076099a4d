//! A snapshot as a page, in the formats that Prometheus reads.

mod open_metrics;
mod text;

use floodway_metrics::Snapshot;

/// What a page is written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// Version 0.0.4 of the Prometheus text format.
    #[default]
    Text,
    /// `OpenMetrics` 1.0, which also has exemplars: a trace for each bucket of a histogram, if traces
    /// are recorded.
    OpenMetrics,
}

impl Format {
    /// The content type of the page.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// What a client gets that sends these `Accept` headers. Whoever can read `OpenMetrics` and says so,
    /// as Prometheus does, gets it: unless by a weight of 0, weights do not matter.
    pub(crate) fn accepted<'a>(mut accept: impl Iterator<Item = &'a str>) -> Self {
        let reads_it = accept.any(|line| line.split(',').any(is_open_metrics));
        if reads_it { Self::OpenMetrics } else { Self::Text }
    }
}

/// Of a media range with its parameters.
fn is_open_metrics(range: &str) -> bool {
    let mut parts = range.split(';').map(str::trim);
    let named =
        parts.next().is_some_and(|t| t.eq_ignore_ascii_case("application/openmetrics-text"));
    let refused = |parameter: &str| {
        let weight = parameter.strip_prefix(['q', 'Q']).and_then(|rest| rest.strip_prefix('='));
        weight.is_some_and(|weight| weight.parse() == Ok(0.0))
    };
    named && !parts.any(refused)
}

/// A page with what is already on it in the text format, and `snapshot`.
pub(crate) fn page(mut page: String, snapshot: &Snapshot, format: Format) -> String {
    text::encode(snapshot, &mut page);
    match format {
        Format::Text => page,
        Format::OpenMetrics => open_metrics::from_text(&page, snapshot),
    }
}

#[cfg(test)]
mod tests {
    use super::Format;

    #[test]
    fn who_can_read_open_metrics_gets_it() {
        let check = |accept: &[&str], format| {
            assert_eq!(Format::accepted(accept.iter().copied()), format, "{accept:?}");
        };
        check(&[], Format::Text);
        check(&["*/*"], Format::Text);
        check(&["text/plain", "application/openmetrics-text"], Format::OpenMetrics);
        check(&["Application/OpenMetrics-Text; version=1.0.0;q=0.1, */*"], Format::OpenMetrics);
        check(&["application/openmetrics-text;q=0, text/plain"], Format::Text);
        check(&["application/openmetrics-text; Q=0.000"], Format::Text);
        check(&["application/openmetrics-textual"], Format::Text);
    }
}
