//! The `metrics` facade, beside ours and fed by ours. One file for all that needs the recorder of the
//! process.

use axum::{Router, body::Body, http::Request};
use floodway_exporter::{Exporter, FacadeError, Publisher};
use floodway_metrics::Registry;
use http_body_util::BodyExt;
use tower::ServiceExt;

use crate::support::limiter;

#[tokio::test]
async fn the_facades_metrics_are_on_the_same_page() {
    let registry = Registry::new();
    let _limiter = limiter(&registry, "orders").build().unwrap();
    let exporter = Exporter::new(&registry).with_facade().unwrap();
    metrics::counter!("shop_orders_total", "kind" => "new").increment(2);
    metrics::histogram!("shop_order_seconds").record(0.3);
    let app: Router = exporter.routes();
    let request = Request::get("/metrics").body(Body::empty()).unwrap();
    let response = app.oneshot(request).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let page = String::from_utf8(body.to_vec()).unwrap();
    for line in [
        "shop_orders_total{kind=\"new\"} 2\n",
        "shop_order_seconds_bucket{le=\"0.5\"} 1\n",
        "floodway_limiter_limit{limiter=\"orders\"} 3\n",
        "floodway_build_info{version=\"",
    ] {
        assert!(page.contains(line), "{line}{page}");
    }

    // A recorder that came late has all of it.
    let other = Registry::new();
    let early = limiter(&other, "published").build().unwrap();
    drop(early.try_acquire().unwrap());
    let publisher = Publisher::new(&other);
    publisher.publish();
    publisher.publish();
    let page = exporter.render();
    for line in [
        "# TYPE floodway_limiter_acquired_total counter\n",
        "floodway_limiter_acquired_total{limiter=\"published\",path=\"immediate\"} 1\n",
        "floodway_limiter_limit{limiter=\"published\"} 3\n",
        "floodway_limiter_hold_duration_seconds_bucket{limiter=\"published\",le=\"10\"} 1\n",
        "floodway_limiter_hold_duration_seconds_count{limiter=\"published\"} 1\n",
        "# TYPE floodway_limiter_permit_seconds_total gauge\n",
    ] {
        assert!(page.contains(line), "{line}{page}");
    }
    // Built again, it goes on; gone, nothing of it is there.
    drop(early);
    let again = limiter(&other, "published").build().unwrap();
    drop((again.try_acquire().unwrap(), again.try_acquire().unwrap()));
    publisher.publish();
    let acquired = |page: &str| {
        let name = "floodway_limiter_acquired_total{limiter=\"published\",path=\"immediate\"} ";
        page.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_owned()
    };
    assert_eq!(acquired(&exporter.render()), "3");
    drop(again);
    publisher.publish();
    let page = exporter.render();
    assert!(page.contains("floodway_limiter_limit{limiter=\"published\"} 0\n"), "{page}");
    assert_eq!(acquired(&page), "3");
    let never = publisher.start(std::time::Duration::ZERO).unwrap_err();
    assert_eq!(never.to_string(), "period: 0 s is out of range, expected more");

    let again = Exporter::new(&registry).with_facade();
    assert!(matches!(again, Err(FacadeError::Installed)));
}

#[test]
fn the_facade_needs_a_runtime() {
    let error = Exporter::new(&Registry::new()).with_facade().unwrap_err();
    assert_eq!(error.to_string(), "the metrics facade must be joined inside a tokio runtime");
}
