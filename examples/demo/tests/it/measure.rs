//! Short measurements: the shape of what they print and write, not the numbers.

use std::fs;

use floodway_test_support::Postgres;
use serde_json::Value;

use crate::demo::{Running, run, stderr, stdout};

/// Small enough for a build without optimization.
const SMALL: [&str; 4] = ["--phase-seconds", "0.5", "--orders", "2000"];

fn check_measurement(more: &[&str]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("report.json");
    let path = path.to_str().expect("a path in UTF-8");
    let output = run(&[&SMALL[..], &["--json", path], more].concat());
    assert!(output.status.success(), "{}", stderr(&output));

    let said = stdout(&output);
    for part in ["steady", "overload", "recovery", "protected", "times its capacity", "64 callers"]
    {
        assert!(said.contains(part), "{part:?} is not in:\n{said}");
    }
    let first = stderr(&output).lines().next().map(str::to_owned).unwrap_or_default();
    assert!(first.starts_with("http://127.0.0.1:") && first.ends_with("/floodway"), "{first}");
    assert!(!stderr(&output).contains('\u{1b}'), "control sequences without a terminal");

    let json = fs::read_to_string(path).expect("the report is written");
    let report: Value = serde_json::from_str(&json).expect("JSON");
    assert!(report["capacity_rps"].as_f64().expect("a number") > 0.0);
    for arm in ["plain", "protected"] {
        for phase in ["steady", "overload", "recovery"] {
            check_figures(&report["arms"][arm][phase]);
        }
    }
    let rounds = report["rounds"].as_array().expect("an array");
    assert_eq!(rounds.len(), 3);
    assert!(report["goodput_share"].as_f64().expect("a number") > 0.0);
    assert_eq!(report["inserts"]["callers"], 64);
    for way in ["unbatched", "batched"] {
        for name in ["rows_per_s", "p50_s", "p99_s"] {
            let figure = report["inserts"][way][name].as_f64().expect(name);
            assert!(figure > 0.0, "{way} {name} {figure}");
        }
    }
    let overload = &report["arms"]["protected"]["overload"];
    assert_eq!(overload["pool_timeouts"], 0);
    assert_eq!(report["arms"]["plain"]["overload"]["rejected"], serde_json::json!({}));
}

fn check_figures(figures: &Value) {
    for name in ["offered_rps", "goodput_rps"] {
        assert!(figures[name].is_f64(), "{name} in {figures}");
    }
    for name in ["p50_s", "p99_s", "rejected_p99_s", "recovered_after_s"] {
        let figure = figures.get(name).expect(name);
        assert!(figure.is_f64() || figure.is_null(), "{name} in {figures}");
    }
    assert!(figures["pool_timeouts"].is_u64(), "{figures}");
    assert_eq!(figures["failed"], 0, "{figures}");
    let rejected = figures["rejected"].as_object().expect("an object");
    for (reason, count) in rejected {
        let known = ["queue_full", "deadline", "unmeetable"];
        assert!(known.contains(&reason.as_str()) && count.is_u64(), "{figures}");
    }
}

#[test]
fn sqlite() {
    check_measurement(&[]);
}

#[test]
fn postgres() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    check_measurement(&["--database-url", &postgres.url()]);
}

#[test]
fn ctrl_c_prints_what_was_measured() {
    let mut demo = Running::start(&["--phase-seconds", "2", "--orders", "2000"]);
    // Two phases before the recovery, so that a slow machine has time to hear of it.
    demo.wait_for("capacity of the plain service");
    demo.interrupt();
    let (code, said) = demo.end();
    assert_eq!(code, Some(130), "{said}");
    assert!(said.contains("steady") && said.contains("not run"), "{said}");
    assert!(!said.contains("recovery"), "{said}");
}
