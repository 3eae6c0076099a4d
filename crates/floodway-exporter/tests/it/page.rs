//! What is on the page of metrics.

use std::sync::Arc;

use floodway::Aimd;
use floodway_exporter::Exporter;
use floodway_metrics::{
    CATALOGUE, Collector, ComponentKind, Histogram, Kind, Registry, Source,
    catalogue::limiter::{KEYS, OVERFLOWED},
};

use crate::support::limiter;

#[tokio::test]
async fn every_metric_of_a_limiter_is_there_from_birth_with_every_label_value() {
    let registry = Registry::new();
    let orders = limiter(&registry, "orders/db").algorithm(Aimd::new(3)).build().unwrap();
    let page = Exporter::new(&registry).render();
    // Only a map of limiters has keys.
    let of_a_map = [KEYS.name, OVERFLOWED.name];
    for metric in CATALOGUE
        .iter()
        .filter(|metric| metric.component == ComponentKind::Limiter)
        .filter(|metric| !of_a_map.contains(&metric.name))
    {
        assert!(page.contains(&format!("# HELP {} {}\n", metric.name, metric.help)), "{page}");
        assert!(page.contains(&format!("# TYPE {} {}\n", metric.name, metric.kind.as_str())));
        let series = format!("{}{{limiter=\"orders/db\",", metric.name);
        for label in metric.labels {
            for value in label.values {
                let pair = format!("{}=\"{value}\"", label.name);
                let found = page.lines().any(|l| l.starts_with(&series) && l.contains(&pair));
                assert!(found, "{series}{pair}\n{page}");
            }
        }
    }
    orders.try_acquire().unwrap().complete(floodway::Outcome::Success);
    let page = Exporter::new(&registry).render();
    for line in [
        "floodway_limiter_completed_total{limiter=\"orders/db\",outcome=\"success\"} 1\n",
        "floodway_limiter_hold_duration_seconds_bucket{limiter=\"orders/db\",le=\"10\"} 1\n",
        "floodway_limiter_hold_duration_seconds_bucket{limiter=\"orders/db\",le=\"+Inf\"} 1\n",
        "floodway_limiter_hold_duration_seconds_count{limiter=\"orders/db\"} 1\n",
        "floodway_limiter_limit{limiter=\"orders/db\"} 3\n",
    ] {
        assert!(page.contains(line), "{line}{page}");
    }
}

/// Reports every metric of a kind of component, at zero: what each looks like on the page.
struct Zeros(ComponentKind);

impl Zeros {
    /// Registered for as long as the answer lives.
    fn registered(registry: &Registry, kind: ComponentKind, name: &str) -> Arc<dyn Source> {
        let source: Arc<dyn Source> = Arc::new(Self(kind));
        registry.register(kind, name, &source).unwrap();
        source
    }
}

impl Source for Zeros {
    fn collect(&self, out: &mut Collector) {
        for metric in CATALOGUE.iter().filter(|metric| metric.component == self.0) {
            let values = metric.labels.iter().map(|label| label.values.len()).product();
            match metric.kind {
                Kind::Histogram(buckets) => out.histogram(metric, Histogram::new(buckets).value()),
                _ => out.numbers(metric, vec![0.0; values]),
            }
        }
    }
}

#[test]
fn every_metric_of_a_fan_out_is_there_at_zero_with_every_label_value() {
    let registry = Registry::new();
    let _fan_out = Zeros::registered(&registry, ComponentKind::FanOut, "enrich");
    let page = Exporter::new(&registry).render();
    for line in [
        "# TYPE floodway_fan_out_calls_total counter\n",
        "floodway_fan_out_calls_total{fan_out=\"enrich\",outcome=\"partial\"} 0\n",
        "floodway_fan_out_items_processed_total{fan_out=\"enrich\",outcome=\"not_started\"} 0\n",
        "# TYPE floodway_fan_out_in_flight_items gauge\n",
        "floodway_fan_out_in_flight_items{fan_out=\"enrich\"} 0\n",
        "floodway_fan_out_hedges_total{fan_out=\"enrich\",result=\"lost\"} 0\n",
        "# TYPE floodway_fan_out_width_items histogram\n",
        "floodway_fan_out_width_items_bucket{fan_out=\"enrich\",le=\"4096\"} 0\n",
        "floodway_fan_out_width_items_bucket{fan_out=\"enrich\",le=\"+Inf\"} 0\n",
        "floodway_fan_out_wake_delay_seconds_bucket{fan_out=\"enrich\",le=\"0.0001\"} 0\n",
    ] {
        assert!(page.contains(line), "{line}{page}");
    }
    let series = page.lines().filter(|line| line.contains("{fan_out=\"enrich\""));
    assert_eq!(series.count(), 126);
}

#[test]
fn every_metric_of_a_pool_is_there_at_zero_with_every_label_value() {
    let registry = Registry::new();
    let _pool = Zeros::registered(&registry, ComponentKind::Pool, "db");
    let page = Exporter::new(&registry).render();
    for line in [
        "# TYPE floodway_pool_limit gauge\n",
        "floodway_pool_limit{pool=\"db\",source=\"effective\"} 0\n",
        "floodway_pool_limit{pool=\"db\",source=\"algorithm\"} 0\n",
        "# TYPE floodway_pool_rejections_total counter\n",
        "floodway_pool_rejections_total{pool=\"db\",cause=\"queue_full\"} 0\n",
        "floodway_pool_rejections_total{pool=\"db\",cause=\"nested\"} 0\n",
        "floodway_pool_abandoned_acquires_total{pool=\"db\"} 0\n",
        "floodway_pool_connections_opening{pool=\"db\"} 0\n",
        "floodway_pool_connect_failures_total{pool=\"db\"} 0\n",
        "floodway_pool_connections_trimmed_total{pool=\"db\"} 0\n",
        "floodway_pool_claims{pool=\"db\"} 0\n",
        "floodway_pool_oldest_hold_seconds{pool=\"db\"} 0\n",
        "# TYPE floodway_pool_connect_duration_seconds histogram\n",
        "floodway_pool_connect_duration_seconds_bucket{pool=\"db\",le=\"0.0001\"} 0\n",
    ] {
        assert!(page.contains(line), "{line}{page}");
    }
    let series = page.lines().filter(|line| line.contains("{pool=\"db\""));
    assert_eq!(series.count(), 86);
}

#[test]
fn every_metric_of_a_lease_is_there_at_zero_with_every_label_value() {
    let registry = Registry::new();
    let _lease = Zeros::registered(&registry, ComponentKind::Fleet, "orders-db");
    let page = Exporter::new(&registry).render();
    for line in [
        "# TYPE floodway_fleet_budget gauge\n",
        "floodway_fleet_granted{budget=\"orders-db\"} 0\n",
        "floodway_fleet_lease_info{budget=\"orders-db\",state=\"none\"} 0\n",
        "floodway_fleet_lease_info{budget=\"orders-db\",state=\"released\"} 0\n",
        "floodway_fleet_lease_remaining_seconds{budget=\"orders-db\"} 0\n",
        "# TYPE floodway_fleet_renewals_total counter\n",
        "floodway_fleet_renewals_total{budget=\"orders-db\",outcome=\"timed_out\"} 0\n",
        "floodway_fleet_grant_changes_total{budget=\"orders-db\",direction=\"down\"} 0\n",
        "floodway_fleet_renewal_duration_seconds_bucket{budget=\"orders-db\",le=\"0.0001\"} 0\n",
    ] {
        assert!(page.contains(line), "{line}{page}");
    }
    let series = page.lines().filter(|line| line.contains("{budget=\"orders-db\""));
    assert_eq!(series.count(), 50);
}

#[test]
fn every_metric_of_a_batcher_is_there_at_zero_with_every_label_value() {
    let registry = Registry::new();
    let _batcher = Zeros::registered(&registry, ComponentKind::Batcher, "users");
    let page = Exporter::new(&registry).render();
    for line in [
        "# TYPE floodway_batcher_target_items gauge\n",
        "floodway_batcher_bound_items{batcher=\"users\",bound=\"warm_up\"} 0\n",
        "floodway_batcher_binding_bound_info{batcher=\"users\",bound=\"overhead\"} 0\n",
        "floodway_batcher_max_weight{batcher=\"users\"} 0\n",
        "# TYPE floodway_batcher_items_total counter\n",
        "floodway_batcher_items_total{batcher=\"users\",outcome=\"deduplicated\"} 0\n",
        "floodway_batcher_flushes_total{batcher=\"users\",trigger=\"drain\"} 0\n",
        "# TYPE floodway_batcher_batch_items histogram\n",
        "floodway_batcher_batch_items_bucket{batcher=\"users\",le=\"4096\"} 0\n",
        "floodway_batcher_wait_duration_seconds_bucket{batcher=\"users\",le=\"0.0001\"} 0\n",
    ] {
        assert!(page.contains(line), "{line}{page}");
    }
    let series = page.lines().filter(|line| line.contains("{batcher=\"users\""));
    assert_eq!(series.count(), 112);
}

#[tokio::test]
async fn the_page_passes_promtool() {
    let registry = Registry::new();
    let _limiter = limiter(&registry, "orders").build().unwrap();
    let _fan_out = Zeros::registered(&registry, ComponentKind::FanOut, "enrich");
    let _batcher = Zeros::registered(&registry, ComponentKind::Batcher, "users");
    let _lease = Zeros::registered(&registry, ComponentKind::Fleet, "orders-db");
    let exporter = Exporter::new(&registry);
    let _first = exporter.render();
    if let Some(checked) = floodway_test_support::promtool_check_metrics(&exporter.render()) {
        assert_eq!(checked, Ok(()));
    }
}
