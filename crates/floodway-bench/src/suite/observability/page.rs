//! A page of about a thousand series, beside a page of as many of the `metrics` facade's recorder.

use std::hint::black_box;

use floodway::{Limiter, Outcome};
use floodway_exporter::{Exporter, Format};
use floodway_metrics::{Buckets, Registry};
use metrics_exporter_prometheus::PrometheusBuilder;

use crate::{
    measure::{Effort, race},
    report::Report,
};

const SERIES: usize = 1_000;

pub(super) fn measure(effort: Effort, report: &mut Report) -> anyhow::Result<()> {
    let registry = Registry::new();
    let exporter = Exporter::new(&registry);
    let mut limiters = Vec::new();
    while count(&exporter.render()) < SERIES {
        let name = format!("limiter-{}", limiters.len());
        let limiter = Limiter::builder(name).limit(8).registry(&registry).build()?;
        limiter.try_acquire()?.complete(Outcome::Success);
        limiters.push(limiter);
    }
    let bounds: Vec<f64> = Buckets::DURATIONS.upper_bounds().collect();
    let recorder = PrometheusBuilder::new().set_buckets(&bounds)?.build_recorder();
    let handle = recorder.handle();
    metrics::with_local_recorder(&recorder, || {
        let mut name = 0;
        // Two histograms and as many counters as a limiter has, each.
        while count(&handle.render()) < SERIES {
            let label = name.to_string();
            for _ in 0..2 {
                metrics::histogram!(format!("h{name}"), "limiter" => label.clone()).record(0.001);
            }
            for reason in 0..36 {
                let reason = reason.to_string();
                metrics::counter!("rejected", "limiter" => label.clone(), "reason" => reason)
                    .increment(1);
            }
            name += 1;
        }
    });
    report.lower("obs.page_series", count(&exporter.render()) as f64, "series", None);
    let pages = |format: Format| {
        let exporter = exporter.clone();
        move |iterations: u32| {
            for _ in 0..iterations {
                black_box(exporter.render_as(format));
            }
        }
    };
    let peer = |iterations: u32| {
        for _ in 0..iterations {
            black_box(handle.render());
        }
    };
    let race = race(
        effort.shorter(2_000),
        vec![Box::new(pages(Format::Text)), Box::new(pages(Format::OpenMetrics)), Box::new(peer)],
    );
    report.lower("obs.render_1000_ms", race.ns(0) / 1e6, "ms", Some(10.0));
    report.lower("obs.render_1000_open_metrics_ms", race.ns(1) / 1e6, "ms", Some(10.0));
    report.lower("obs.render_1000.vs_facade", race.ratio(0, 2), "ratio", None);
    Ok(())
}

fn count(page: &str) -> usize {
    page.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).count()
}
