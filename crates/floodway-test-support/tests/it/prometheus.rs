//! `promtool` tells good pages from bad ones.

use floodway_test_support::promtool_check_metrics;

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
