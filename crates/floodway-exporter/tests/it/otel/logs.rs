//! A collector that is away.

use std::{
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use floodway_exporter::otel::Otlp;
use floodway_metrics::{Registry, catalogue::exporter as catalogue};
use tracing::{Event, Subscriber, field::Visit};
use tracing_subscriber::{Layer, layer::Context, prelude::*};

use crate::support::limiter;

/// Keeps what our crate logs.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        struct Text(String);
        impl Visit for Text {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
                self.0 += &format!("{}={value:?} ", field.name());
            }
        }
        if event.metadata().target().starts_with("floodway") {
            let mut text = Text(format!("{} ", event.metadata().level()));
            event.record(&mut text);
            self.0.lock().unwrap().push(text.0);
        }
    }
}

#[tokio::test]
async fn a_collector_that_is_away_is_logged_once_and_nothing_waits() {
    let registry = Registry::new();
    let orders = limiter(&registry, "orders").build().unwrap();
    let lines = Lines::default();
    let _here =
        tracing::subscriber::set_default(tracing_subscriber::registry().with(lines.clone()));
    // Nobody listens on this port: it was free a moment ago.
    let endpoint = format!("http://127.0.0.1:{}", floodway_test_support::free_port());
    let period = Duration::from_secs(1);
    let otlp = Otlp::builder("shop").endpoint(endpoint).period(period).build().unwrap();
    let exporting = otlp.export(&registry);
    let failed = || registry.snapshot().number(&catalogue::EXPORTS, &["failed"]);
    while failed() < Some(3.0) {
        // Work goes on meanwhile.
        drop(orders.acquire().await.unwrap());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let warned = lines.0.lock().unwrap().clone();
    assert_eq!(warned.len(), 1, "{warned:?}");
    assert!(warned[0].starts_with("WARN ") && warned[0].contains("metrics cannot be exported"));
    assert!(warned[0].contains("/v1/metrics"), "{warned:?}");
    exporting.shutdown().await;
}
