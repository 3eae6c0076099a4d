//! `OpenMetrics` for who asks for it.

use floodway_exporter::Exporter;
use floodway_metrics::Registry;

use crate::support::{LOCAL, get, limiter};

#[tokio::test]
async fn who_accepts_it_gets_it() {
    let registry = Registry::new();
    let _limiter = limiter(&registry, "orders").build().unwrap();
    let server = Exporter::new(&registry).serve(LOCAL).await.unwrap();
    let accept = "Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n";
    let page = get(server.local_addr(), "/metrics", accept).await;
    for part in [
        "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n",
        "\n# TYPE floodway_limiter_acquired counter\n",
        "\nfloodway_limiter_acquired_total{limiter=\"orders\",path=\"immediate\"} 0\n",
        "\n# TYPE floodway_limiter_limit gauge\n",
    ] {
        assert!(page.contains(part), "{part}{page}");
    }
    assert!(page.ends_with("\n# EOF\n"), "{page}");
    let page = get(server.local_addr(), "/metrics", "Accept: text/plain\r\n").await;
    assert!(page.contains("\n# TYPE floodway_limiter_acquired_total counter\n"), "{page}");
}
