//! A limiter per key, and calls nested in calls.

use std::{convert::Infallible, future::pending};

use floodway::{LimiterMap, Queue, Registry};
use floodway_metrics::catalogue::limiter as metrics;
use floodway_tower::LimiterLayer;
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{Bench, is_pending};

#[tokio::test(start_paused = true)]
async fn a_key_that_is_full_refuses_only_its_own() {
    let registry = Registry::new();
    let tenants = LimiterMap::builder("tenants", |tenant: Option<&&str>, limiter| {
        limiter.limit(if tenant == Some(&"large") { 2 } else { 1 }).queue(Queue::none())
    })
    .registry(&registry)
    .build()
    .unwrap();
    let service = service_fn(async |_: &'static str| pending::<Result<(), Infallible>>().await);
    let service =
        LimiterLayer::keyed(tenants.clone(), |tenant: &&'static str| *tenant).layer(service);
    let mut calls = Vec::new();
    for (tenant, admitted) in
        [("small", true), ("small", false), ("other", true), ("large", true), ("large", true)]
    {
        let mut call = Box::pin(service.clone().oneshot(tenant));
        assert_eq!(is_pending(&mut call).await, admitted, "{tenant}");
        calls.push(call);
    }
    let snapshot = registry.snapshot();
    let number = |metric| snapshot.number(metric, &["tenants"]);
    assert_eq!((number(&metrics::KEYS), number(&metrics::IN_FLIGHT)), (Some(3.0), Some(4.0)));
    assert_eq!(number(&metrics::REJECTED), Some(1.0));
    assert_eq!(tenants.limiter(&"small").in_flight(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_nested_in_one_of_the_same_limiter_is_lent_its_permit() {
    let bench = Bench::new(|b| b.limit(1));
    let layer = LimiterLayer::new(bench.limiter.clone());
    let inner = layer.layer(service_fn(async |n: u32| Ok::<_, Infallible>(n + 1)));
    let outer = layer.layer(service_fn(move |n: u32| inner.clone().oneshot(n)));
    assert_eq!(outer.oneshot(41).await.unwrap(), 42);
    assert_eq!(bench.number(&metrics::NESTED, &["lent"]), 1.0);
    bench.check_completed([1, 0, 0]);
}
