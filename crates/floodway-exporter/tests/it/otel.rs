//! Metrics and traces, as a collector receives them.

mod collector;
mod logs;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use floodway::{Batcher, Outcome, fan_out::FanOutExt};
use floodway_exporter::{
    Exporter,
    otel::{Otlp, OtlpError, observe},
};
use floodway_metrics::{
    Buckets, CATALOGUE, Collector, ComponentKind, Histogram, Registry, Source,
    catalogue::{batcher::IN_FLIGHT, pool},
};
use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::metrics::{
    InMemoryMetricExporter, SdkMeterProvider,
    data::{AggregatedMetrics, MetricData},
};
use tracing::Instrument;
use tracing_subscriber::prelude::*;

use self::collector::{Collector as Collecting, text_values};
use crate::support::limiter;

/// A registry with something in it.
async fn used() -> (Registry, impl Sized) {
    let registry = Registry::new();
    let orders = limiter(&registry, "orders").build().unwrap();
    for _ in 0..5 {
        orders.try_acquire().unwrap().complete(Outcome::Success);
    }
    let batcher = Batcher::builder("inserts")
        .registry(&registry)
        .build(async |items: Vec<u32>| {
            Ok::<_, String>(items.into_iter().map(Ok::<_, String>).collect())
        })
        .unwrap();
    batcher.call(7).await.unwrap();
    // The batch ends a moment after its answers.
    while registry.snapshot().number(&IN_FLIGHT, &["inserts"]) != Some(0.0) {
        tokio::task::yield_now().await;
    }
    (registry, (orders, batcher))
}

#[tokio::test]
async fn text_and_otlp_agree_on_every_value() {
    let (registry, _components) = used().await;
    let mut collector = Collecting::start().await;
    let exporter = Exporter::new(&registry);
    let otlp = Otlp::builder("shop").endpoint(collector.endpoint()).header("x-key", "secret");
    assert!(!format!("{otlp:?}").contains("secret"));
    let exporting = otlp.build().unwrap().export(&registry);
    let received = collector.metrics().await;
    let text = text_values(&exporter.render());
    assert!(text.len() > 200, "{}", text.len());
    assert_eq!((received.service.as_str(), received.key.as_deref()), ("shop", Some("secret")));
    for (series, value) in &text {
        assert_eq!(received.values.get(series), Some(value), "{series}");
    }
    let more: Vec<_> = received.values.keys().filter(|key| !text.contains_key(*key)).collect();
    assert!(more.is_empty(), "{more:?}");
    exporting.shutdown().await;
}

#[tokio::test]
async fn what_happened_last_is_sent_before_the_end() {
    let (registry, _components) = used().await;
    let mut collector = Collecting::start().await;
    let late = limiter(&registry, "late").build().unwrap();
    let otlp = Otlp::builder("shop").endpoint(collector.endpoint()).build().unwrap();
    let exporting = otlp.export(&registry);
    let acquired = "floodway_limiter_acquired_total{limiter=late,path=immediate}";
    assert_eq!(collector.metrics().await.values[acquired], 0.0);
    drop(late.try_acquire().unwrap());
    exporting.shutdown().await;
    assert_eq!(collector.metrics().await.values[acquired], 1.0);
}

/// Batches are linked to the spans of their items, and what a fan-out spawns stays below its caller.
/// The one test here with a subscriber; it is that of this thread, as are all of the tasks.
#[tokio::test]
async fn spans_of_batches_link_to_those_of_items_and_spawned_work_keeps_its_span() {
    let registry = Registry::new();
    let collector = Collecting::start().await;
    let otlp = Otlp::builder("shop").endpoint(collector.endpoint()).build().unwrap();
    let subscriber = tracing_subscriber::registry().with(otlp.layer());
    let exporting = otlp.export(&registry);
    {
        let _here = tracing::subscriber::set_default(subscriber);
        let batcher = Batcher::builder("inserts")
            .registry(&registry)
            .build(async |items: Vec<u32>| {
                Ok::<_, String>(items.into_iter().map(Ok::<_, String>).collect())
            })
            .unwrap();
        let call = |item| batcher.call(item).instrument(tracing::info_span!("caller", item));
        let (one, two) = tokio::join!(call(1), call(2));
        assert_eq!((one.unwrap(), two.unwrap()), (1, 2));

        let name = floodway::fan_out::Name::new("enrich").unwrap();
        let items = (0..4u32).fan_out(|item| {
            async move { Ok::<_, String>(item) }.instrument(tracing::info_span!("item", item))
        });
        let caller = tracing::info_span!("page");
        let report = items.name(&name).collect().instrument(caller).await;
        assert_eq!(report.stats.counts.succeeded, 4);
    }
    exporting.shutdown().await;

    let spans = collector.spans();
    let named = |name: &str| {
        let of_name = spans.iter().filter(|span| span.name == name);
        of_name.collect::<Vec<_>>()
    };
    let names: Vec<_> = spans.iter().map(|span| span.name.as_str()).collect();
    let callers = named("caller");
    assert_eq!(callers.len(), 2, "{names:?}");
    let batches: Vec<_> = spans.iter().filter(|span| !span.links.is_empty()).collect();
    let linked: usize = batches.iter().map(|batch| batch.links.len()).sum();
    assert_eq!(linked, 2, "{names:?}");
    for caller in callers {
        let links = batches.iter().flat_map(|batch| &batch.links);
        assert!(links.clone().any(|link| link.span_id == caller.span_id), "{names:?}");
    }
    let pages = named("page");
    let [page] = pages.as_slice() else { panic!("{names:?}") };
    let items = named("item");
    assert_eq!(items.len(), 4, "{names:?}");
    for item in items {
        assert_eq!(item.trace_id, page.trace_id, "an item is in the trace of its page");
    }
}

#[tokio::test]
async fn a_meter_observes_every_counter_and_gauge() {
    let (registry, _components) = used().await;
    let kept = InMemoryMetricExporter::default();
    let provider = SdkMeterProvider::builder().with_periodic_exporter(kept.clone()).build();
    observe(&registry, &provider.meter("floodway"));
    tokio::task::spawn_blocking(move || provider.force_flush().unwrap()).await.unwrap();
    let mut values = BTreeMap::new();
    for received in kept.get_finished_metrics().unwrap() {
        for metric in received.scope_metrics().flat_map(|scope| scope.metrics()) {
            let AggregatedMetrics::F64(data) = metric.data() else { panic!("{metric:?}") };
            let mut add = |attributes: Vec<String>, value| {
                values.insert(format!("{}{{{}}}", metric.name(), attributes.join(",")), value);
            };
            let pairs = |attributes: &mut dyn Iterator<Item = &opentelemetry::KeyValue>| {
                let mut pairs: Vec<_> =
                    attributes.map(|pair| format!("{}={}", pair.key, pair.value)).collect();
                pairs.sort();
                pairs
            };
            match data {
                MetricData::Gauge(gauge) => gauge
                    .data_points()
                    .for_each(|point| add(pairs(&mut point.attributes()), point.value())),
                MetricData::Sum(sum) => sum
                    .data_points()
                    .for_each(|point| add(pairs(&mut point.attributes()), point.value())),
                other => panic!("{other:?}"),
            }
        }
    }
    let text = text_values(&Exporter::new(&registry).render());
    let mut compared = 0;
    for (series, value) in text.iter().filter(|(series, _)| !series.contains("_bucket{")) {
        assert_eq!(values.get(series), Some(value), "{series}");
        compared += 1;
    }
    assert!(compared > 100, "{compared}");
}

/// A pool as it is exported, at made-up numbers.
struct Pool;

impl Source for Pool {
    fn collect(&self, out: &mut Collector) {
        out.numbers(&pool::CONNECTIONS, [2.0, 3.0]);
        out.number(&pool::CONNECTIONS_MAX, 8.0);
        out.number(&pool::TIMEOUTS, 1.0);
        let waits = Histogram::new(Buckets::DURATIONS);
        waits.record(2_000_000);
        out.histogram(&pool::WAIT_DURATION, waits.value());
    }
}

#[tokio::test]
async fn pools_have_the_names_and_attributes_of_the_conventions() {
    let registry = Registry::new();
    let source: Arc<dyn Source> = Arc::new(Pool);
    registry.register(ComponentKind::Pool, "db", &source).unwrap();
    let mut collector = Collecting::start().await;
    let otlp = Otlp::builder("shop").endpoint(collector.endpoint()).build().unwrap();
    let exporting = otlp.export(&registry);
    let received = collector.metrics().await;
    let name = "db.client.connection.pool.name=db";
    for (series, value) in [
        (format!("db.client.connection.count{{{name},db.client.connection.state=idle}}"), 2.0),
        (format!("db.client.connection.count{{{name},db.client.connection.state=used}}"), 3.0),
        (format!("db.client.connection.max{{{name}}}"), 8.0),
        (format!("db.client.connection.timeouts{{{name}}}"), 1.0),
        (format!("db.client.connection.wait_time_count{{{name}}}"), 1.0),
        (format!("db.client.connection.wait_time_sum{{{name}}}"), 0.002),
    ] {
        assert_eq!(received.values.get(&series), Some(&value), "{series}");
    }
    exporting.shutdown().await;
}

#[test]
fn names_of_the_conventions_are_those_of_the_database_client() {
    let names: Vec<_> = CATALOGUE.iter().filter_map(|metric| metric.otel).collect();
    assert_eq!(
        names,
        [
            "db.client.connection.count",
            "db.client.connection.max",
            "db.client.connection.pending_requests",
            "db.client.connection.timeouts",
            "db.client.connection.wait_time",
            "db.client.connection.use_time",
            "db.client.connection.create_time",
        ]
    );
}

#[test]
fn bad_descriptions_name_the_field_and_the_value() {
    let check = |builder: floodway_exporter::otel::OtlpBuilder, message: &str| {
        assert_eq!(builder.build().unwrap_err().to_string(), message);
    };
    check(Otlp::builder(""), "service: the name is empty");
    check(Otlp::builder("a").endpoint("nowhere"), "endpoint: \"nowhere\" is no URL");
    check(
        Otlp::builder("a").endpoint("https://127.0.0.1:1"),
        "endpoint: \"https://127.0.0.1:1\" is not of the form http://host:port",
    );
    for more in ["http://user:password@127.0.0.1:1", "http://127.0.0.1:1/?a=b"] {
        check(
            Otlp::builder("a").endpoint(more),
            "endpoint: expected no user, password, query or fragment; use header for a secret",
        );
    }
    check(
        Otlp::builder("a").header("a b", "c"),
        "header: \"a b\" or its value is not possible in HTTP",
    );
    let period = Otlp::builder("a").period(Duration::from_millis(10)).build().unwrap_err();
    assert!(matches!(period, OtlpError::Period { .. }));
    assert_eq!(period.to_string(), "period: 10ms is out of range, expected 1 s or more");
}
