//! A page in the text format, as `OpenMetrics` with exemplars.
//!
//! The two formats differ in a few words (<https://prometheus.io/docs/specs/om/open_metrics_spec/>),
//! and the page has parts from two recorders, of which one writes text alone. So the page is
//! translated rather than written twice. Libraries that write `OpenMetrics` keep their exemplars
//! behind histograms of their own, which could not take over ours.

use std::{
    collections::HashMap,
    fmt::Write,
    time::{Duration, SystemTime},
};

use floodway_metrics::{Exemplar, Family, HistogramValue, Series, Snapshot, Value};

/// Translates `text`, on which the series of `snapshot` have their exemplars.
pub(super) fn from_text(text: &str, snapshot: &Snapshot) -> String {
    let exemplars: HashMap<_, _> = by_line(snapshot).collect();
    let mut page = String::with_capacity(text.len() + 128 * exemplars.len());
    // The name in `# HELP` depends on the type, which the next line says.
    let mut help = None;
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(described) = line.strip_prefix("# HELP ") {
            help = described.split_once(' ');
        } else if let Some((name, kind)) =
            line.strip_prefix("# TYPE ").and_then(|typed| typed.rsplit_once(' '))
        {
            let (family, kind) = family_and_type(name, kind);
            if let Some((_, said)) = help.take().filter(|(described, _)| *described == name) {
                let _ = writeln!(page, "# HELP {family} {}", said.replace('"', "\\\""));
            }
            let _ = writeln!(page, "# TYPE {family} {kind}");
        } else if !line.starts_with('#') {
            page.push_str(line);
            let series = line.rsplit_once(' ').map(|(series, _)| series);
            if let Some(exemplar) = series.and_then(|series| exemplars.get(series)) {
                write_exemplar(&mut page, exemplar);
            }
            page.push('\n');
        }
    }
    page.push_str("# EOF\n");
    page
}

/// A counter is called what its samples are without `_total`; what counts under another name is no
/// counter here.
fn family_and_type<'a>(name: &'a str, kind: &'a str) -> (&'a str, &'a str) {
    match (kind, name.strip_suffix("_total")) {
        ("counter", Some(family)) => (family, kind),
        ("counter" | "untyped", None) => (name, "unknown"),
        _ => (name, kind),
    }
}

/// The exemplars, by the series of their bucket as the text format writes it.
fn by_line(snapshot: &Snapshot) -> impl Iterator<Item = (String, Exemplar)> {
    let families = snapshot.families.iter();
    let series = families.flat_map(|family| family.series.iter().map(move |one| (family, one)));
    series.flat_map(|(family, series)| match &series.value {
        Value::Histogram(value) => of_series(family, series, value),
        _ => Vec::new(),
    })
}

fn of_series(family: &Family, series: &Series, value: &HistogramValue) -> Vec<(String, Exemplar)> {
    let bounds = value.buckets.upper_bounds().map(|bound| bound.to_string());
    let bounds = bounds.chain(["+Inf".to_owned()]);
    let exemplars = bounds.zip(value.exemplars()).filter_map(|(bound, exemplar)| {
        let labels = series.label_pairs(family.metric);
        // Names of components and values of labels have no character that needs an escape.
        let labels: String = labels.map(|(name, value)| format!("{name}=\"{value}\",")).collect();
        let line = format!("{}_bucket{{{labels}le=\"{bound}\"}}", family.metric.name);
        Some((line, exemplar?))
    });
    exemplars.collect()
}

fn write_exemplar(page: &mut String, exemplar: &Exemplar) {
    let Exemplar { value, trace, time, .. } = exemplar;
    let time = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs_f64();
    let (trace_id, span_id) = (trace.trace_id, trace.span_id);
    let _ = write!(
        page,
        " # {{trace_id=\"{trace_id:032x}\",span_id=\"{span_id:016x}\"}} {value} {time:.3}"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(from_text(text, &Snapshot::default()), expected);
    }

    #[test]
    fn counters_lose_the_suffix_in_their_description_alone() {
        check(
            "# HELP a_total Says \"a\".\n# TYPE a_total counter\na_total{b=\"c d\"} 2\n",
            "# HELP a Says \\\"a\\\".\n# TYPE a counter\na_total{b=\"c d\"} 2\n# EOF\n",
        );
    }

    #[test]
    fn what_has_no_counterpart_is_unknown_and_blank_lines_go() {
        check("# TYPE a counter\na 1\n\n", "# TYPE a unknown\na 1\n# EOF\n");
        check("# TYPE a untyped\na 1\n\n", "# TYPE a unknown\na 1\n# EOF\n");
    }

    #[test]
    fn a_gauge_stays_what_it_is_and_keeps_its_own_help() {
        check(
            "# HELP b B.\n# TYPE a_total gauge\na_total 1\n",
            "# TYPE a_total gauge\na_total 1\n# EOF\n",
        );
    }
}
