//! The dashboards and the rules with real numbers: the demo under load, scraped by Prometheus.

mod dashboards;
mod rules;

use std::{thread, time::Duration};

use floodway_test_support::{Prometheus, Series, eventually};

use tokio::time::Instant;

use self::dashboards::Query;
use crate::demo::Running;

/// How long the demo is watched before anything is asked: twice the window of rates and more.
const SECONDS: f64 = 40.0;

/// Of which the queries see the last.
const SEEN: Duration = Duration::from_secs(20);

const STEP: Duration = Duration::from_secs(2);

/// A busy machine takes its time.
const PATIENCE: Duration = Duration::from_secs(60);

/// Every second, so that a test has enough samples before anybody loses patience.
fn config(address: &str) -> String {
    format!(
        "global: {{ scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }}
rule_files: [recording-rules.yml, alerting-rules.yml]
scrape_configs:
  - job_name: floodway-demo
    static_configs: [{{ targets: ['{address}'] }}]
"
    )
}

#[test]
fn every_panel_and_every_rule_has_numbers_and_a_demo_that_is_gone_is_missed() {
    let mut demo = Running::start(&["--serve", "--load", "3", "--orders", "5000"]);
    let address = demo.address();
    let (recording, alerting) = (rules::recording(), rules::alerting_within_seconds());
    let files = [("recording-rules.yml", &*recording), ("alerting-rules.yml", &*alerting)];
    let Some(prometheus) = Prometheus::start(&config(&address), &files) else {
        return;
    };
    let scraped = || {
        let counted = "count_over_time((floodway_limiter_limit{limiter=\"orders-http\"})[5m:1s])";
        prometheus
            .query(counted)
            .is_ok_and(|series| series.first().is_some_and(|series| series.values[0] >= SECONDS))
    };
    eventually("the demo is scraped", PATIENCE, scraped);

    let queries = dashboards::queries();
    assert!(queries.len() > 100, "only {} queries", queries.len());
    let failed = failures_that_last(&prometheus, &queries);
    assert!(failed.is_empty(), "{} of {}:\n{}", failed.len(), queries.len(), failed.join("\n"));

    let records = rules::recorded(&recording);
    assert!(records.len() > 5, "{records:?}");
    let missing: Vec<_> =
        records.iter().filter(|name| !has_numbers(&prometheus.query(name).unwrap())).collect();
    assert!(missing.is_empty(), "recorded, and empty: {missing:?}");

    assert!(!fires(&prometheus), "the demo is there");
    demo.kill();
    eventually("FloodwayTargetMissing fires", PATIENCE, || fires(&prometheus));
}

/// What is wrong with queries, and still is some scrapes later: where compilers have the processors,
/// half a minute may be too short for the rarest of events.
#[expect(clippy::disallowed_methods, reason = "nothing else runs in this thread")]
fn failures_that_last(prometheus: &Prometheus, queries: &[Query]) -> Vec<String> {
    let mut remaining: Vec<_> = queries.iter().collect();
    let began = Instant::now();
    loop {
        remaining.retain(|query| failure(prometheus, query).is_some());
        if remaining.is_empty() || began.elapsed() > PATIENCE {
            return remaining.iter().filter_map(|query| failure(prometheus, query)).collect();
        }
        thread::sleep(Duration::from_secs(1));
    }
}

/// Whether there is a number that is one.
fn has_numbers(series: &[Series]) -> bool {
    series.iter().flat_map(|series| &series.values).any(|value| !value.is_nan())
}

fn failure(prometheus: &Prometheus, query: &Query) -> Option<String> {
    let Query { dashboard, panel, expression } = query;
    let says = match prometheus.query_range(expression, SEEN, STEP) {
        Ok(series) if has_numbers(&series) => return None,
        Ok(series) if series.is_empty() => "is empty".to_owned(),
        Ok(_) => "has no number".to_owned(),
        Err(error) => format!("is refused: {error:#}"),
    };
    Some(format!("{dashboard} / {panel} {says}: {expression}"))
}

fn fires(prometheus: &Prometheus) -> bool {
    let alerts = prometheus.alerts().unwrap();
    alerts.iter().any(|alert| {
        alert.name == "FloodwayTargetMissing"
            && alert.state == "firing"
            && alert.labels.get("job").is_some_and(|job| job == "floodway-demo")
    })
}
