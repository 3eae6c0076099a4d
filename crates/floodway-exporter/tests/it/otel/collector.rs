//! A collector: receives OTLP over HTTP and keeps what it got.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, routing::post};
use opentelemetry_proto::tonic::{
    collector::{metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::{KeyValue, any_value},
    metrics::v1::{metric::Data, number_data_point::Value as Number},
    trace::v1::Span,
};
use prost::Message;
use tokio::{net::TcpListener, sync::mpsc, time::timeout};

pub(super) struct Collector {
    addr: SocketAddr,
    metrics: mpsc::UnboundedReceiver<Received>,
    spans: Arc<Mutex<Vec<Span>>>,
}

/// The numbers of one export, as `name{label=value,…}` with sorted labels.
pub(super) struct Received {
    pub(super) service: String,
    /// The header `x-key`.
    pub(super) key: Option<String>,
    pub(super) values: BTreeMap<String, f64>,
}

/// `AGGREGATION_TEMPORALITY_CUMULATIVE`.
const CUMULATIVE: i32 = 2;

#[derive(Clone)]
struct Inbox {
    metrics: mpsc::UnboundedSender<Received>,
    spans: Arc<Mutex<Vec<Span>>>,
}

impl Collector {
    pub(super) async fn start() -> Self {
        let (sender, metrics) = mpsc::unbounded_channel();
        let spans = Arc::default();
        let inbox = Inbox { metrics: sender, spans: Arc::clone(&spans) };
        let router = Router::new()
            .route("/v1/metrics", post(receive_metrics))
            .route("/v1/traces", post(receive_spans))
            .with_state(inbox);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { addr, metrics, spans }
    }

    pub(super) fn endpoint(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The next export.
    pub(super) async fn metrics(&mut self) -> Received {
        let received = timeout(Duration::from_secs(20), self.metrics.recv()).await;
        received.expect("an export arrives").expect("the collector runs")
    }

    pub(super) fn spans(&self) -> Vec<Span> {
        self.spans.lock().unwrap().clone()
    }
}

async fn receive_spans(State(inbox): State<Inbox>, body: Bytes) {
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    let spans = request.resource_spans.into_iter().flat_map(|spans| spans.scope_spans);
    inbox.spans.lock().unwrap().extend(spans.flat_map(|scope| scope.spans));
}

async fn receive_metrics(State(inbox): State<Inbox>, headers: HeaderMap, body: Bytes) {
    let key = headers.get("x-key").map(|key| key.to_str().unwrap().to_owned());
    let request = ExportMetricsServiceRequest::decode(body).unwrap();
    let mut values = BTreeMap::new();
    let mut service = String::new();
    for received in request.resource_metrics {
        let attributes = received.resource.unwrap().attributes;
        let named = attributes.iter().find(|pair| pair.key == "service.name");
        service = text(named.expect("the service has a name"));
        for metric in received.scope_metrics.into_iter().flat_map(|scope| scope.metrics) {
            add(&mut values, &metric.name, metric.data.unwrap());
        }
    }
    values.retain(|series, _| !is_about_the_exporter(series));
    let _ = inbox.metrics.send(Received { service, key, values });
}

fn add(values: &mut BTreeMap<String, f64>, name: &str, data: Data) {
    let points = match data {
        Data::Gauge(gauge) => gauge.data_points,
        Data::Sum(sum) => {
            assert_eq!(sum.aggregation_temporality, CUMULATIVE, "{name}");
            let counts = name.ends_with("_total") || name.ends_with(".timeouts");
            assert_eq!(sum.is_monotonic, counts, "{name}");
            for point in &sum.data_points {
                let (start, now) = (point.start_time_unix_nano, point.time_unix_nano);
                assert!(start > 0 && start <= now, "{name}: {start} to {now}");
            }
            sum.data_points
        }
        Data::Histogram(histogram) => {
            assert_eq!(histogram.aggregation_temporality, CUMULATIVE, "{name}");
            for point in histogram.data_points {
                let labels = labels(&point.attributes);
                let (mut up_to, mut bounds) = (0, point.explicit_bounds.iter());
                for count in &point.bucket_counts {
                    up_to += count;
                    let bound = bounds.next().map_or("+Inf".to_owned(), ToString::to_string);
                    let with_bound = sorted(labels.iter().cloned().chain([format!("le={bound}")]));
                    values
                        .insert(format!("{name}_bucket{{{with_bound}}}"), f64::from(up_to as u32));
                }
                let labels = sorted(labels.into_iter());
                values.insert(format!("{name}_count{{{labels}}}"), point.count as f64);
                values.insert(format!("{name}_sum{{{labels}}}"), point.sum.unwrap());
            }
            return;
        }
        other => panic!("{name}: {other:?}"),
    };
    for point in points {
        let Some(Number::AsDouble(number)) = point.value else { panic!("{point:?}") };
        let labels = sorted(labels(&point.attributes).into_iter());
        values.insert(format!("{name}{{{labels}}}"), number);
    }
}

fn labels(attributes: &[KeyValue]) -> Vec<String> {
    attributes.iter().map(|pair| format!("{}={}", pair.key, text(pair))).collect()
}

fn sorted(labels: impl Iterator<Item = String>) -> String {
    let mut labels: Vec<_> = labels.collect();
    labels.sort();
    labels.join(",")
}

fn text(pair: &KeyValue) -> String {
    match pair.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(any_value::Value::StringValue(text)) => text.clone(),
        other => panic!("{other:?}"),
    }
}

/// The exporter's own numbers change by looking.
fn is_about_the_exporter(series: &str) -> bool {
    series.starts_with("floodway_exporter_")
}

/// What a page in the text format says, in the same form.
pub(super) fn text_values(page: &str) -> BTreeMap<String, f64> {
    let series = page.lines().filter(|line| !line.starts_with('#'));
    let parsed = series.map(|line| {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let (name, rest) = series.split_once('{').unwrap_or((series, "}"));
        let labels = rest.trim_end_matches('}').split(',').filter(|label| !label.is_empty());
        let labels = sorted(labels.map(|label| label.replace('"', "")));
        (format!("{name}{{{labels}}}"), value.parse().unwrap())
    });
    parsed.filter(|(series, _)| !is_about_the_exporter(series)).collect()
}
