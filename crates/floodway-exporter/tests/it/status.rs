//! The data of the status page.

use std::{sync::Arc, time::Duration};

use floodway::{Batcher, Limiter, Outcome, Queue, Registry};
use floodway_exporter::Exporter;
use floodway_metrics::{Collector, ComponentKind, Source, catalogue::fleet};
use serde_json::Value;

use crate::support::{LOCAL, get, json, limiter};

async fn data(exporter: &Exporter, since: u64) -> Value {
    let server = exporter.serve(LOCAL).await.unwrap();
    json(&get(server.local_addr(), &format!("/floodway/data?since={since}"), "").await)
}

#[tokio::test]
async fn a_limiter_is_shown_as_it_is_and_as_it_was() {
    let registry = Registry::new();
    let queue = Queue::fifo().capacity(1).max_wait(Duration::from_secs(60));
    let orders = limiter(&registry, "orders").queue(queue).build().unwrap();
    let exporter = Exporter::new(&registry);
    let server = exporter.serve(LOCAL).await.unwrap();
    let now = json(&get(server.local_addr(), "/floodway/data?since=0", "").await);
    assert_eq!(now["limiters"][0]["name"], "orders");
    assert_eq!(now["limiters"][0]["admitted_per_second"], 0.0);

    let held: Vec<_> = (0..3).map(|_| orders.try_acquire().unwrap()).collect();
    let mut waiting = Box::pin(orders.acquire());
    assert!(futures::poll!(&mut waiting).is_pending());
    for _ in 0..20 {
        orders.acquire().await.unwrap_err();
    }
    // The next sample of the server is two seconds after the first.
    let next = now["history"]["next"].as_u64().unwrap();
    let now = loop {
        let path = format!("/floodway/data?since={next}");
        let now = json(&get(server.local_addr(), &path, "").await);
        if now["history"]["next"].as_u64() > Some(next) {
            break now;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let row = &now["limiters"][0];
    for (field, value) in
        [("limit", 3.0), ("in_flight", 3.0), ("queued", 1.0), ("queue_capacity", 1.0)]
    {
        assert_eq!(row[field], value, "{field} in {row}");
    }
    assert_eq!(row["mode"], "enforce");
    assert_eq!(row["rejections"][0]["label"], "queue_full");
    assert_eq!(row["rejections"][0]["total"], 20.0);
    let rate = row["rejected_per_second"].as_f64().unwrap();
    assert!(rate > 1.0 && rate <= 20.0, "{rate}");
    let findings = now["findings"].as_array().unwrap();
    assert!(findings.iter().all(|finding| finding["severity"] == "critical"), "{findings:?}");
    let texts: Vec<_> = findings.iter().map(|finding| finding["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["refuses 87 % of requests, mostly queue_full"]);
    let history = &now["history"];
    assert_eq!(history["first"], next);
    let ticks = history["times_ms"].as_array().unwrap().len();
    let series = &history["series"][0];
    assert_eq!(series["name"], "orders");
    for values in series["values"].as_object().unwrap().values() {
        assert_eq!(values.as_array().unwrap().len(), ticks);
    }
    assert_eq!(series["values"]["limit"][0], 3.0);
    drop(held);
}

#[tokio::test]
async fn components_have_their_rows() {
    let registry = Registry::new();
    let _limiter = limiter(&registry, "orders").build().unwrap();
    let batcher = Batcher::builder("inserts")
        .registry(&registry)
        .build(async |items: Vec<u32>| {
            Ok::<_, String>(items.into_iter().map(Ok::<_, String>).collect())
        })
        .unwrap();
    assert_eq!(batcher.call(7).await.unwrap(), 7);
    let now = data(&Exporter::new(&registry), 0).await;
    assert_eq!(now["batchers"][0]["name"], "inserts");
    assert_eq!(now["batchers"][0]["items"][0]["label"], "ok");
    assert_eq!(now["batchers"][0]["bound"], "warm_up");
    assert_eq!(now["pools"], serde_json::json!([]));
    assert_eq!(now["findings"], serde_json::json!([]));
    assert_eq!((&now["omitted"], &now["control"]), (&0.into(), &false.into()));
}

/// A lease whose engine does not answer any more.
#[tokio::test]
async fn a_lease_is_shown_with_what_the_engine_says_of_the_fleet() {
    struct Lease;
    impl Source for Lease {
        fn collect(&self, out: &mut Collector) {
            out.number(&fleet::BUDGET, 40.0);
            out.number(&fleet::MARGIN, 2.0);
            out.number(&fleet::GRANTED, 3.0);
            out.number(&fleet::HELD, 2.0);
            out.number(&fleet::OUTSTANDING, 38.0);
            out.number(&fleet::REPLICAS, 9.0);
            out.number(&fleet::LEASE_AGE, 45.0);
            out.number(&fleet::LEASE_REMAINING, 300.0);
            let floor =
                fleet::STATE.values.iter().map(|state| f64::from(u8::from(*state == "floor")));
            out.numbers(&fleet::LEASE_INFO, floor);
        }
    }
    let registry = Registry::new();
    let lease: Arc<dyn Source> = Arc::new(Lease);
    registry.register(ComponentKind::Fleet, "orders-db", &lease).unwrap();
    let now = data(&Exporter::new(&registry), 0).await;
    let row = &now["leases"][0];
    for (field, value) in [("usable", 38.0), ("granted", 3.0), ("held", 2.0), ("replicas", 9.0)] {
        assert_eq!(row[field], value, "{field} in {row}");
    }
    assert_eq!((&row["name"], &row["state"]), (&"orders-db".into(), &"floor".into()));
    assert_eq!(row["disagreement"], false);
    let finding = &now["findings"][0];
    assert_eq!((&finding["kind"], &finding["severity"]), (&"fleet".into(), &"warning".into()));
    assert_eq!(finding["text"], "its lease has lapsed: uses its floor of 3 for another 5 min");
    let series = &now["history"]["series"][0];
    assert_eq!(series["values"]["outstanding"][0], 38.0);
    assert_eq!(series["values"]["wanted"][0], Value::Null);
}

#[tokio::test]
async fn with_hundreds_of_components_the_history_is_bounded() {
    let registry = Registry::new();
    let _limiters: Vec<Limiter> =
        (0..100).map(|number| limiter(&registry, &format!("l{number}")).build().unwrap()).collect();
    let now = data(&Exporter::new(&registry), 0).await;
    assert_eq!(now["limiters"].as_array().unwrap().len(), 100);
    assert_eq!(now["history"]["series"].as_array().unwrap().len(), 64);
    assert_eq!(now["omitted"], 36);
}

#[tokio::test]
async fn whoever_asks_for_the_future_gets_nothing_and_nonsense_is_refused() {
    let registry = Registry::new();
    let exporter = Exporter::new(&registry);
    let now = data(&exporter, u64::MAX).await;
    assert_eq!(now["history"]["times_ms"], serde_json::json!([]));
    assert_eq!(now["history"]["first"], now["history"]["next"]);
    let server = exporter.serve(LOCAL).await.unwrap();
    let answer = get(server.local_addr(), "/floodway/data?since=yesterday", "").await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(json(&answer)["error"].as_str().unwrap().contains("since"), "{answer}");
}

#[tokio::test]
async fn the_page_and_its_assets_allow_nothing_from_elsewhere() {
    let server = Exporter::new(&Registry::new()).serve(LOCAL).await.unwrap();
    let page = get(server.local_addr(), "/floodway", "").await;
    assert!(page.contains("content-security-policy: default-src 'none'; script-src 'self';"));
    let mut loaded = 0;
    let links = [" href=\"", " src=\""].into_iter().flat_map(|name| page.split(name).skip(1));
    for link in links.filter(|link| !link.starts_with("data:") && !link.starts_with('#')) {
        let link = link.split('"').next().unwrap_or_default();
        assert!(link.starts_with("floodway/"), "{link}");
        let asset = get(server.local_addr(), &format!("/{link}"), "").await;
        assert!(asset.starts_with("HTTP/1.1 200 "), "{link}: {asset}");
        assert!(asset.contains("x-content-type-options: nosniff"), "{link}");
        for import in asset.split(" from \"./").skip(1) {
            let module = import.split('"').next().unwrap_or_default();
            let listed = page.contains(&format!("\"floodway/{module}\""));
            assert!(listed, "{link} imports {module}, which the page does not load");
        }
        loaded += 1;
    }
    assert!(loaded >= 4, "{page}");
    let moved = get(server.local_addr(), "/floodway/", "").await;
    assert!(moved.contains("location: ../floodway\r\n"), "{moved}");
}

/// A component that panics now and then.
#[tokio::test]
async fn a_component_that_panics_is_an_error_and_not_the_end() {
    struct Broken;
    impl Source for Broken {
        fn collect(&self, _: &mut Collector) {
            panic!("on purpose");
        }
    }
    let registry = Registry::new();
    let broken: Arc<dyn Source> = Arc::new(Broken);
    registry.register(ComponentKind::Limiter, "broken", &broken).unwrap();
    let server = Exporter::new(&registry).serve(LOCAL).await.unwrap();
    let answer = get(server.local_addr(), "/floodway/data", "").await;
    assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
    drop(broken);
    let orders = limiter(&registry, "orders").build().unwrap();
    orders.try_acquire().unwrap().complete(Outcome::Success);
    let answer = get(server.local_addr(), "/floodway/data", "").await;
    assert_eq!(json(&answer)["limiters"][0]["name"], "orders");
}
