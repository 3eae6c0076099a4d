//! A collector: receives OTLP over HTTP, one request after the other, and keeps what it got.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use opentelemetry_proto::tonic::{
    collector::{metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::any_value::Value,
    metrics::v1::metric::Data,
    trace::v1::Span,
};
use prost::Message;

pub(crate) struct Collector {
    addr: SocketAddr,
    received: Arc<Mutex<Received>>,
}

#[derive(Clone, Default)]
pub(crate) struct Received {
    /// Names of services, each once.
    pub(crate) services: Vec<String>,
    /// Of each histogram, how much it has counted, export by export.
    pub(crate) counts: HashMap<String, Vec<u64>>,
    pub(crate) spans: Vec<Span>,
}

impl Collector {
    /// Until the process of the test ends.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = listener.local_addr().expect("bound");
        let received = Arc::new(Mutex::new(Received::default()));
        let inbox = Arc::clone(&received);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("accepts");
                let (path, body) = receive(&stream);
                let mut inbox = inbox.lock().expect("nobody panics with it");
                match path.as_str() {
                    "/v1/metrics" => inbox.add_metrics(&body),
                    "/v1/traces" => inbox.add_spans(&body),
                    other => panic!("{other}"),
                }
                // Only now: who has the answer may look at what was received.
                let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                stream.write_all(answer.as_bytes()).expect("answers");
            }
        });
        Self { addr, received }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.addr)
    }

    pub(crate) fn received(&self) -> Received {
        self.received.lock().expect("the collector runs").clone()
    }
}

/// Path and body of the one request of a connection.
fn receive(stream: &TcpStream) -> (String, Vec<u8>) {
    let mut reader = BufReader::new(stream);
    let (mut path, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a header");
        if line.trim().is_empty() {
            break;
        }
        if let Some(rest) = line.strip_prefix("POST ") {
            path = rest.split(' ').next().expect("a path").to_owned();
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a number");
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    (path, body)
}

impl Received {
    fn add_metrics(&mut self, body: &[u8]) {
        let request = ExportMetricsServiceRequest::decode(body).expect("metrics");
        for resource in request.resource_metrics {
            for attribute in resource.resource.expect("a resource").attributes {
                let value = attribute.value.and_then(|value| value.value);
                if let ("service.name", Some(Value::StringValue(name))) =
                    (attribute.key.as_str(), value)
                    && !self.services.contains(&name)
                {
                    self.services.push(name);
                }
            }
            for metric in resource.scope_metrics.into_iter().flat_map(|scope| scope.metrics) {
                if let Some(Data::Histogram(histogram)) = metric.data {
                    let counts = self.counts.entry(metric.name).or_default();
                    counts.extend(histogram.data_points.iter().map(|point| point.count));
                }
            }
        }
    }

    fn add_spans(&mut self, body: &[u8]) {
        let request = ExportTraceServiceRequest::decode(body).expect("spans");
        let scopes = request.resource_spans.into_iter().flat_map(|spans| spans.scope_spans);
        self.spans.extend(scopes.flat_map(|scope| scope.spans));
    }
}
