//! Names, life times and the guard on their number.

use std::sync::Arc;

use floodway_metrics::{
    Buckets, Collector, ComponentKind, Histogram, MAX_NAME_LEN, MAX_NAMES_PER_KIND, OTHER,
    RegisterError, Registry, Source,
    catalogue::{exporter, limiter as metrics},
};

struct One;

impl Source for One {
    fn collect(&self, out: &mut Collector) {
        out.number(&metrics::LIMIT, 1.0);
        out.numbers(&metrics::ACQUIRED, [2.0, 3.0]);
    }
}

fn limiter(registry: &Registry, name: &str) -> Result<Arc<dyn Source>, RegisterError> {
    let source: Arc<dyn Source> = Arc::new(One);
    registry.register(ComponentKind::Limiter, name, &source)?;
    Ok(source)
}

#[test]
fn series_carry_the_name_and_every_label_value() {
    let registry = Registry::new();
    let _db = limiter(&registry, "db").unwrap();
    assert_eq!(registry.snapshot().number(&metrics::LIMIT, &["db"]), Some(1.0));
    assert_eq!(registry.snapshot().number(&metrics::ACQUIRED, &["db", "immediate"]), Some(2.0));
    assert_eq!(registry.snapshot().number(&metrics::ACQUIRED, &["db", "queued"]), Some(3.0));
    // Three above, overflow, build info, and itself.
    assert_eq!(registry.snapshot().number(&exporter::SERIES, &[]), Some(6.0));
}

#[test]
fn a_name_is_free_again_once_its_component_is_gone() {
    let registry = Registry::new();
    let first = limiter(&registry, "db").unwrap();
    let error = limiter(&registry, "db").err().unwrap();
    assert!(error.to_string().starts_with("limiter name \"db\" is already in use"), "{error}");
    drop(first);
    assert_eq!(registry.snapshot().number(&metrics::LIMIT, &["db"]), None);
    let _second = limiter(&registry, "db").unwrap();
}

#[test]
fn kinds_have_names_of_their_own() {
    let registry = Registry::new();
    let source = limiter(&registry, "db").unwrap();
    registry.register(ComponentKind::Pool, "db", &source).unwrap();
}

#[test]
fn bad_names_are_refused_with_the_name_in_the_message() {
    let registry = Registry::new();
    let long = "x".repeat(MAX_NAME_LEN + 1);
    for (name, expected) in [
        ("", "limiter name is empty"),
        (long.as_str(), "65 bytes, more than 64"),
        ("a b", "limiter name \"a b\" must begin"),
        ("naïve", "limiter name \"naïve\" must begin"),
        (OTHER, "limiter name \"_other\" must begin"),
    ] {
        let error = limiter(&registry, name).err().unwrap().to_string();
        assert!(error.contains(expected), "{error:?} has {expected:?}");
    }
    limiter(&registry, &"x".repeat(MAX_NAME_LEN)).unwrap();
}

#[test]
fn names_beyond_the_guard_are_added_up_and_counted() {
    let registry = Registry::new();
    let _all: Vec<_> = (0..MAX_NAMES_PER_KIND + 5)
        .map(|i| limiter(&registry, &format!("tenant-{i}")).unwrap())
        .collect();
    assert_eq!(registry.snapshot().number(&metrics::LIMIT, &["tenant-199"]), Some(1.0));
    assert_eq!(registry.snapshot().number(&metrics::LIMIT, &["tenant-200"]), None);
    assert_eq!(registry.snapshot().number(&metrics::LIMIT, &["_other"]), Some(5.0));
    let queued = registry.snapshot().number(&metrics::ACQUIRED, &["_other", "queued"]);
    assert_eq!(queued, Some(15.0));
    assert_eq!(registry.snapshot().number(&exporter::OVERFLOW, &[]), Some(5.0));
}

#[test]
fn components_without_a_name_are_added_up() {
    struct Exporter;
    impl Source for Exporter {
        fn collect(&self, out: &mut Collector) {
            out.histogram(&exporter::RENDER_DURATION, {
                let histogram = Histogram::new(Buckets::DURATIONS);
                histogram.record(1_000_000_000);
                histogram.value()
            });
        }
    }
    let registry = Registry::new();
    let sources: [Arc<dyn Source>; 2] = [Arc::new(Exporter), Arc::new(Exporter)];
    for source in &sources {
        registry.register(ComponentKind::Exporter, "", source).unwrap();
    }
    let snapshot = registry.snapshot();
    let rendered = snapshot.histogram(&exporter::RENDER_DURATION, &[]).unwrap();
    assert_eq!((rendered.count(), rendered.sum), (2, 2.0));
}
