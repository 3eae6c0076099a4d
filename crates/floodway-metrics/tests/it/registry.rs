//! Names, life times and the guard on their number.

use std::{sync::Arc, thread};

use floodway_metrics::{
    Buckets, Collector, ComponentKind, Counter, Histogram, MAX_NAME_LEN, MAX_NAMES_PER_KIND, OTHER,
    RegisterError, Registry, Source,
    catalogue::{exporter, fan_out, limiter as metrics},
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

#[derive(Default)]
struct Retries(Counter);

impl Source for Retries {
    fn collect(&self, out: &mut Collector) {
        out.number(&fan_out::RETRIES, self.0.total() as f64);
    }
}

fn shared(registry: &Registry, name: &str) -> Result<Arc<Retries>, RegisterError> {
    registry.shared(ComponentKind::FanOut, name)
}

#[test]
fn who_shares_a_name_counts_in_one_source_that_outlives_them() {
    let registry = Registry::new();
    shared(&registry, "enrich").unwrap().0.increment(0);
    let (first, second) = (shared(&registry, "enrich").unwrap(), shared(&registry, "enrich"));
    assert!(Arc::ptr_eq(&first, &second.unwrap()));
    first.0.increment(0);
    drop(first);
    assert_eq!(registry.snapshot().number(&fan_out::RETRIES, &["enrich"]), Some(2.0));
    shared(&registry, "enrich").unwrap().0.increment(0);
    assert_eq!(registry.snapshot().number(&fan_out::RETRIES, &["enrich"]), Some(3.0));
    assert_eq!(registry.snapshot().number(&exporter::OVERFLOW, &[]), Some(0.0));
}

#[test]
fn registries_share_nothing_and_keep_nothing_when_gone() {
    let (one, other) = (Registry::new(), Registry::new());
    let source = shared(&one, "enrich").unwrap();
    assert!(!Arc::ptr_eq(&source, &shared(&other, "enrich").unwrap()));
    let weak = Arc::downgrade(&source);
    drop((source, one));
    assert_eq!(weak.strong_count(), 0);
}

#[test]
fn threads_that_ask_for_a_new_name_at_once_get_one_source() {
    let registry = Registry::new();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for i in 0..100 {
                    shared(&registry, &format!("step-{i}")).unwrap().0.increment(0);
                }
            });
        }
    });
    let snapshot = registry.snapshot();
    for i in 0..100 {
        let name = format!("step-{i}");
        assert_eq!(snapshot.number(&fan_out::RETRIES, &[&name]), Some(8.0), "{name}");
    }
}

#[test]
fn shared_names_beyond_the_guard_share_one_source() {
    let registry = Registry::new();
    for _ in 0..2 {
        for i in 0..MAX_NAMES_PER_KIND + 5 {
            shared(&registry, &format!("tenant-{i}")).unwrap().0.increment(0);
        }
    }
    let beyond = || shared(&registry, "tenant-204").unwrap();
    assert!(Arc::ptr_eq(&beyond(), &shared(&registry, "tenant-200").unwrap()));
    let snapshot = registry.snapshot();
    assert_eq!(snapshot.number(&fan_out::RETRIES, &["tenant-199"]), Some(2.0));
    assert_eq!(snapshot.number(&fan_out::RETRIES, &["tenant-200"]), None);
    assert_eq!(snapshot.number(&fan_out::RETRIES, &[OTHER]), Some(10.0));
    assert_eq!(snapshot.number(&exporter::OVERFLOW, &[]), Some(12.0));
    let retries = snapshot.families.iter().find(|f| f.metric.name == fan_out::RETRIES.name);
    assert_eq!(retries.unwrap().series.len(), MAX_NAMES_PER_KIND + 1);
}

#[test]
fn shared_names_are_checked_as_others_are() {
    let registry = Registry::new();
    for (name, expected) in [
        ("", "fan_out name is empty"),
        ("a b", "fan_out name \"a b\" must begin"),
        (OTHER, "fan_out name \"_other\" must begin"),
    ] {
        let error = shared(&registry, name).err().unwrap().to_string();
        assert!(error.contains(expected), "{error:?} has {expected:?}");
    }
    let own: Arc<dyn Source> = Arc::new(One);
    registry.register(ComponentKind::FanOut, "own", &own).unwrap();
    let duplicate =
        |name: &str| RegisterError::Duplicate { kind: ComponentKind::FanOut, name: name.into() };
    assert_eq!(shared(&registry, "own").err(), Some(duplicate("own")));
    shared(&registry, "enrich").unwrap();
    let registered = registry.register(ComponentKind::FanOut, "enrich", &own);
    assert_eq!(registered, Err(duplicate("enrich")));
    #[derive(Default)]
    struct Another;
    impl Source for Another {
        fn collect(&self, _: &mut Collector) {}
    }
    let another = registry.shared::<Another>(ComponentKind::FanOut, "enrich");
    assert_eq!(another.err(), Some(duplicate("enrich")));
}

proptest::proptest! {
    // Each case registers hundreds.
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(16))]

    /// Whatever things are called, and however many there are.
    #[test]
    fn names_from_anywhere_stay_within_the_budget(
        names in proptest::collection::vec(
            proptest::prop_oneof![".{0,80}", "[a-z]{1,2}", "[0-9A-Za-z_./:-]{1,64}"],
            0..600,
        )
    ) {
        let registry = Registry::new();
        let kept: Vec<_> = names.iter().filter_map(|name| limiter(&registry, name).ok()).collect();
        let snapshot = registry.snapshot();
        for family in &snapshot.families {
            let of_one: usize =
                family.metric.labels.iter().map(|label| label.values.len()).product();
            assert!(family.series.len() <= (MAX_NAMES_PER_KIND + 1) * of_one);
            for series in &family.series {
                let name = series.component.as_deref().unwrap_or_default();
                assert!(!name.contains(['"', '\\', '\n', '{', '}']), "{name:?}");
            }
        }
        // Nobody is lost: who has no name of its own is among the others.
        let all = snapshot.number(&metrics::LIMIT, &[]).unwrap_or(0.0);
        assert_eq!(all, kept.len() as f64);
        let folded = kept.len().saturating_sub(MAX_NAMES_PER_KIND);
        assert_eq!(snapshot.number(&exporter::OVERFLOW, &[]), Some(folded as f64));
    }
}
