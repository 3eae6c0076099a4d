//! `promtool` tells good pages from bad ones, and Prometheus answers questions.

use std::time::Duration;

use floodway_test_support::{Prometheus, eventually, promtool_check_metrics};
use rustix::{
    io::Errno,
    process::{Pid, test_kill_process},
};

const GOOD: &str = "\
# HELP example_requests_total Requests.
# TYPE example_requests_total counter
example_requests_total 1
";

#[test]
fn a_good_page_is_accepted() {
    let Some(judged) = promtool_check_metrics(GOOD) else {
        return;
    };
    assert_eq!(judged, Ok(()));
}

#[test]
fn a_bad_page_is_rejected_with_a_reason() {
    let Some(judged) = promtool_check_metrics(&GOOD.replace(" 1\n", " one\n")) else {
        return;
    };
    let reason = judged.unwrap_err();
    assert!(reason.contains("one"), "{reason}");

    let Some(judged) = promtool_check_metrics(&GOOD.replace("_total", "")) else {
        return;
    };
    let reason = judged.unwrap_err();
    assert!(reason.contains("_total"), "{reason}");
}

const CONFIG: &str = "
global: { scrape_interval: 1s, evaluation_interval: 1s }
rule_files: [rules.yml]
scrape_configs:
  - job_name: nobody
    static_configs: [{ targets: ['127.0.0.1:1'] }]
";

const RULES: &str = "
groups:
  - name: example
    rules:
      - record: example:one
        expr: vector(1)
      - alert: NobodyThere
        expr: up == 0
";

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_server_scrapes_records_and_alerts_until_it_is_dropped() {
    let Some(prometheus) = Prometheus::start(CONFIG, &[("rules.yml", RULES)]) else {
        return;
    };
    let pid = Pid::from_raw(i32::try_from(prometheus.pid()).unwrap()).unwrap();
    assert_eq!(prometheus.url(), format!("http://127.0.0.1:{}", prometheus.port()));

    let up = || prometheus.query("up").unwrap();
    eventually("a scrape that fails", PATIENCE, || !up().is_empty());
    assert_eq!(up()[0].labels["job"], "nobody");
    assert_eq!(up()[0].values, [0.0]);
    assert_eq!(prometheus.query("scalar(up) / 0").unwrap()[0].values.len(), 1);
    assert_eq!(prometheus.query("nothing").unwrap(), []);
    let error = prometheus.query("up +").unwrap_err().to_string();
    assert!(error.contains("parse error"), "{error}");

    let (last, step) = (Duration::from_secs(20), Duration::from_secs(1));
    let recorded = || prometheus.query_range("example:one", last, step).unwrap();
    eventually("two values that are recorded", PATIENCE, || {
        recorded().first().is_some_and(|series| series.values.len() > 1)
    });
    assert!(recorded()[0].values.iter().all(|value| *value == 1.0));

    let firing = |name: &str| {
        let alerts = prometheus.alerts().unwrap();
        alerts.iter().any(|alert| alert.name == name && alert.state == "firing")
    };
    eventually("the alert fires", PATIENCE, || firing("NobodyThere"));
    assert!(!firing("Another"));

    drop(prometheus);
    assert_eq!(test_kill_process(pid), Err(Errno::SRCH), "the server is gone and reaped");
}

#[test]
#[should_panic(expected = "no_such_section")]
fn a_failure_shows_the_log() {
    let started = Prometheus::start("no_such_section: 1", &[]);
    assert!(started.is_none(), "the configuration was accepted");
    // Without Prometheus there is no failure to show.
    panic!("no_such_section");
}
