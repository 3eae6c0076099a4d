//! Exemplars. In a binary of their own, because a process has one source of traces and keeps it: here
//! it is one that the test controls, in the other tests that of OpenTelemetry.

use std::cell::Cell;

use floodway::{Limiter, Outcome};
use floodway_exporter::{Exporter, Format};
use floodway_metrics::{Registry, TraceContext, set_trace_source};

thread_local! {
    /// What a tracing system would say.
    static TRACE: Cell<Option<TraceContext>> = const { Cell::new(None) };
}

fn trace() -> Option<TraceContext> {
    TRACE.get()
}

#[test]
fn buckets_have_the_trace_of_one_of_their_observations() {
    assert!(set_trace_source(trace));
    let registry = Registry::new();
    let orders = Limiter::builder("orders").limit(3).registry(&registry).build().unwrap();
    let exporter = Exporter::new(&registry);
    let run = |trace_id: Option<u128>| {
        TRACE.set(trace_id.map(|trace_id| TraceContext { trace_id, span_id: 0xb }));
        orders.try_acquire().unwrap().complete(Outcome::Success);
    };
    let held = || {
        let page = exporter.render_as(Format::OpenMetrics);
        let exemplars: Vec<String> = page
            .lines()
            .filter(|line| line.starts_with("floodway_limiter_hold_duration_seconds_bucket"))
            .filter_map(|line| Some(line.split_once(" # ")?.1.to_owned()))
            .collect();
        exemplars
    };
    run(None);
    assert_eq!(held(), [""; 0]);

    run(Some(0xa));
    run(Some(0xc));
    let exemplars = held();
    let [exemplar] = exemplars.as_slice() else {
        panic!("one bucket was hit: {exemplars:?}");
    };
    let ids = "{trace_id=\"0000000000000000000000000000000a\",span_id=\"000000000000000b\"} ";
    let rest = exemplar.strip_prefix(ids).unwrap_or_else(|| panic!("{exemplar}"));
    let (value, time) = rest.split_once(' ').unwrap();
    assert!(value.parse::<f64>().unwrap() < 1.0, "{value}");
    assert!(time.parse::<f64>().unwrap() > 1.7e9, "{time}");

    // Not sampled: the last one stays. Sampled: it is replaced once somebody has seen it.
    run(None);
    assert_eq!(held(), exemplars);
    run(Some(0xd));
    assert!(held()[0].contains("0000000d\""), "{:?}", held());
    let text = exporter.render();
    assert!(!text.contains(" # {"), "the text format has no exemplars");
}
