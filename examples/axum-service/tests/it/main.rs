//! Runs the service as an operator does: orders go in, and the pages and a collector say so.

mod collector;
mod service;

use std::thread;

use floodway_test_support::promtool_check_metrics;
use serde_json::Value;

use self::{collector::Collector, service::Service};

const LOOK: &str = "a-token-that-lets-look";
const CHANGE: &str = "a-token-that-lets-change";

fn place(service: &Service, id: u32) {
    let order = format!(r#"{{"id":{id},"product":"loom"}}"#);
    let response = service::post(&service.app, "/orders", None, &order);
    assert!(response.starts_with("HTTP/1.1 201"), "{response}");
}

/// What the status page shows, which is sampled every two seconds, once there is any of `kind`.
fn status(service: &Service, kind: &str) -> Value {
    for _ in 0..100_000 {
        let data = service::get(&service.metrics, "/floodway/data", "");
        let (_, body) = data.split_once("\r\n\r\n").expect("a body");
        let data: Value = serde_json::from_str(body).expect("JSON");
        if data[kind] != serde_json::json!([]) {
            return data;
        }
        thread::yield_now();
    }
    panic!("no {kind}");
}

#[test]
fn the_pages_say_what_became_of_the_orders() {
    let service = Service::start(&[]);
    thread::scope(|scope| {
        for id in 1..=8 {
            scope.spawn({
                let service = &service;
                move || place(service, id)
            });
        }
    });
    let found = service::get(&service.app, "/orders/8", "");
    assert!(found.starts_with("HTTP/1.1 200") && found.ends_with("\r\n\r\nloom"), "{found}");
    let missing = service::get(&service.app, "/orders/9", "");
    assert!(missing.starts_with("HTTP/1.1 404"), "{missing}");

    let page = service::get(&service.metrics, "/metrics", "");
    for line in [
        "orders_stored_total 8",
        "floodway_limiter_completed_total{limiter=\"http\",outcome=\"success\"} 10",
        "floodway_batcher_items_total{batcher=\"orders\",outcome=\"ok\"} 8",
        "floodway_pool_connections_max{pool=\"sqlite\"} 4",
    ] {
        assert!(page.contains(&format!("{line}\n")), "{line:?} is not in:\n{page}");
    }
    let (_, body) = page.split_once("\r\n\r\n").expect("a body");
    if let Some(judged) = promtool_check_metrics(body) {
        assert_eq!(judged, Ok(()));
    }
    let data = status(&service, "pools");
    for (kind, name) in [("limiters", "http"), ("pools", "sqlite"), ("batchers", "orders")] {
        assert_eq!(data[kind][0]["name"], name, "{data}");
    }
    assert!(data["limiters"][0]["adjustable"].is_null(), "{data}");
    let status = service::get(&service.metrics, "/floodway", "");
    assert!(status.contains("<title>Floodway</title>"), "{status}");
}

#[test]
fn a_token_is_for_looking_and_another_one_for_changing() {
    let service = Service::start(&[("METRICS_TOKEN", LOOK), ("CONTROL_TOKEN", CHANGE)]);
    let look = format!("Authorization: Bearer {LOOK}\r\n");
    assert!(service::get(&service.metrics, "/metrics", "").starts_with("HTTP/1.1 401"));
    assert!(service::get(&service.metrics, "/metrics", &look).starts_with("HTTP/1.1 200"));
    let change = |token| {
        let body = r#"{"limiter":"http","limit":8}"#;
        service::post(&service.metrics, "/floodway/control", Some(token), body)
    };
    let refused = change(LOOK);
    assert!(refused.starts_with("HTTP/1.1 401"), "{refused}");
    let changed = change(CHANGE);
    assert!(changed.starts_with("HTTP/1.1 200"), "{changed}");
    let page = service::get(&service.metrics, "/metrics", &look);
    assert!(page.contains("floodway_limiter_limit{limiter=\"http\"} 8\n"), "{page}");
}

#[test]
fn a_collector_gets_all_of_it_before_the_end() {
    let collector = Collector::start();
    let mut service =
        Service::start(&[("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint().as_str())]);
    place(&service, 1);
    let accept = "Accept: application/openmetrics-text\r\n";
    let page = service::get(&service.metrics, "/metrics", accept);
    let exemplar = page.lines().find(|line| line.contains(" # {trace_id=\""));
    let exemplar = exemplar.unwrap_or_else(|| panic!("no exemplar in:\n{page}"));

    assert_eq!(service.terminate(), Some(0));
    let received = collector.received();
    assert_eq!(received.services, ["orders"]);
    // Those of the first export, which may be older than the order, and those of the last.
    assert_eq!(received.counts["db.client.connection.wait_time"].last(), Some(&1));
    let span = |name: &str| {
        let found = received.spans.iter().find(|span| span.name == name);
        found.unwrap_or_else(|| panic!("no {name:?} in {:?}", received.spans))
    };
    let (request, batch) = (span("request"), span("batch"));
    assert_eq!(batch.links.len(), 1);
    assert_eq!(batch.links[0].span_id, request.span_id);
    let traces = [request, batch].map(|span| hex(&span.trace_id));
    assert!(traces.iter().any(|trace| exemplar.contains(trace)), "{traces:?}, {exemplar}");
}

#[test]
fn what_is_wrong_with_the_environment_is_said() {
    for (variable, value, said) in [
        ("METRICS_TOKEN", "short", "token: 5 characters"),
        ("METRICS_ADDRESS", "0.0.0.0:0", "set a token"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://127.0.0.1:4318", "http://host:port"),
    ] {
        let output = Service::fails(variable, value);
        assert!(output.contains(said), "{said:?} is not in:\n{output}");
    }
}

#[test]
fn it_stays_short_enough_to_be_read() {
    let files = [
        include_str!("../../src/main.rs"),
        include_str!("../../src/orders.rs"),
        include_str!("../../src/telemetry.rs"),
    ];
    let is_code = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with("//");
    let lines: usize = files.iter().map(|file| file.lines().filter(is_code).count()).sum();
    assert!(lines < 150, "{lines} lines");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
