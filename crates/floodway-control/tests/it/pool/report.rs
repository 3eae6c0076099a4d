//! Whether a pool has the right size.

use std::time::Duration;

use floodway_control::{HoldBand, POOL_BANDS, PoolEvidence, PoolReport, PoolVerdict};
use proptest::prelude::*;

/// How long a query takes while nothing holds it up.
const SERVICE: Duration = Duration::from_millis(10);

/// What was seen of a pool of `usable`, of which `holds(n)` began with `n` connections in use and took
/// `hold(n)`.
fn seen(usable: u32, holds: impl Fn(u32) -> u64, hold: impl Fn(f64) -> f64) -> PoolEvidence {
    let mut evidence = PoolEvidence { max: usable, usable, ..PoolEvidence::default() };
    let mut held = Duration::ZERO;
    for n in 1..=usable {
        let (holds, hold) = (holds(n), SERVICE.mul_f64(hold(f64::from(n))));
        let band = &mut evidence.bands[PoolEvidence::band(n, usable)];
        band.holds += holds;
        band.in_use_sum += holds * u64::from(n);
        band.held += hold.mul_f64(holds as f64);
        held += hold.mul_f64(holds as f64);
        evidence.holds += holds;
    }
    evidence.hold_mean = held.div_f64(evidence.holds.max(1) as f64);
    evidence.hold_p99 = evidence.hold_mean * 4;
    evidence.elapsed = held.div_f64(f64::from(usable));
    evidence
}

/// A database with `cores` cores: whoever runs beyond them makes the others wait.
fn cores(cores: f64) -> impl Fn(f64) -> f64 {
    move |in_use| (in_use / cores).max(1.0)
}

/// Gunther's law: contention and coherency.
fn scalability(contention: f64, coherency: f64) -> impl Fn(f64) -> f64 {
    move |in_use| 1.0 + contention * (in_use - 1.0) + coherency * in_use * (in_use - 1.0)
}

/// A pool that is full most of the time, at which callers were refused.
fn overloaded(usable: u32, hold: impl Fn(f64) -> f64) -> PoolEvidence {
    let holds = |n| if n == usable { 50_000 } else { 1_000 };
    PoolEvidence { refused: 20_000, ..seen(usable, holds, hold) }
}

#[track_caller]
fn check(evidence: PoolEvidence, verdict: PoolVerdict, suggested: Option<u32>) -> PoolReport {
    let report = PoolReport::new(evidence);
    assert_eq!((report.verdict, report.suggested), (verdict, suggested), "{report}");
    report
}

#[test]
fn throughput_that_still_grows_calls_for_more_connections() {
    // 10 are in use nearly always, and 28 % of the callers were refused: a load of 13, and 7 to spare.
    check(overloaded(10, cores(64.0)), PoolVerdict::TooSmall, Some(20));
    check(overloaded(10, cores(10.0)), PoolVerdict::TooSmall, Some(20));
    check(overloaded(16, scalability(0.02, 0.0)), PoolVerdict::TooSmall, Some(31));
}

#[test]
fn throughput_that_does_not_grow_any_more_is_the_databases() {
    check(overloaded(10, cores(6.0)), PoolVerdict::Saturated, Some(6));
    // The last two of ten gave nothing.
    check(overloaded(10, cores(8.0)), PoolVerdict::Saturated, Some(8));
    // And here a quarter of what they would in proportion, which is too little to ask for more.
    check(overloaded(10, cores(8.5)), PoolVerdict::Saturated, Some(8));
    // Half of now, although four cores are busy with fewer.
    check(overloaded(32, cores(4.0)), PoolVerdict::Saturated, Some(16));
    // Falls from 15 connections on.
    check(overloaded(40, scalability(0.05, 0.004)), PoolVerdict::Saturated, Some(20));
}

#[test]
fn a_dip_between_does_not_make_the_fullest_look_well() {
    let dip = |in_use| if (6.0..9.0).contains(&in_use) { 2.5 } else { cores(5.0)(in_use) };
    check(overloaded(10, dip), PoolVerdict::Saturated, None);
}

#[test]
fn waits_alone_show_that_a_pool_is_small() {
    let busy = PoolEvidence { refused: 0, ..overloaded(10, cores(64.0)) };
    check(busy, PoolVerdict::Fits, None);
    let waiting = PoolEvidence { wait_p99: SERVICE, ..busy };
    check(waiting, PoolVerdict::TooSmall, Some(17));
    // One in a thousand, refused.
    let refused = busy.holds / 999 + 1;
    check(PoolEvidence { refused, ..busy }, PoolVerdict::TooSmall, Some(17));
    check(PoolEvidence { refused: refused - 2, ..busy }, PoolVerdict::Fits, None);
}

#[test]
fn connections_that_are_hardly_ever_used_are_too_many() {
    let calm = seen(64, |n| if n <= 16 { 1_000 } else { 1 }, cores(64.0));
    check(calm, PoolVerdict::TooLarge, Some(32));
    let busier = seen(64, |n| if n <= 24 { 1_000 } else { 1 }, cores(64.0));
    check(busier, PoolVerdict::TooLarge, Some(36));
    check(PoolEvidence { wait_p99: SERVICE, ..calm }, PoolVerdict::Fits, None);
    // More than half are wanted one time in twenty.
    let peaks = seen(64, |n| if n <= 16 { 1_000 } else { 20 }, cores(64.0));
    check(peaks, PoolVerdict::Fits, None);
    // Three connections that nobody uses are not worth a word.
    check(seen(4, |n| if n == 1 { 10_000 } else { 1 }, cores(64.0)), PoolVerdict::Fits, None);
}

#[test]
fn who_waits_while_the_pool_is_not_full_waits_for_something_else() {
    let ceiling = seen(32, |n| if n <= 8 { 2_000 } else { 0 }, cores(64.0));
    let report =
        check(PoolEvidence { refused: 5_000, ..ceiling }, PoolVerdict::Fits, None).to_string();
    assert!(report.contains("look for a limit above it"), "{report}");
}

#[test]
fn too_little_evidence_is_no_verdict() {
    let few = seen(10, |_| 49, cores(64.0));
    let report = check(few, PoolVerdict::Unknown, None).to_string();
    assert!(report.contains("490 holds are too few, 500 are enough"), "{report}");
    let always_full = seen(10, |n| if n == 10 { 10_000 } else { 10 }, cores(64.0));
    check(PoolEvidence { refused: 1, ..always_full }, PoolVerdict::Fits, None);
    let report = check(PoolEvidence { refused: 99, ..always_full }, PoolVerdict::Unknown, None);
    assert!(report.to_string().contains("look at a longer time"), "{report}");
    // From one connection to all of them says nothing of the last.
    let seldom_idle = seen(10, |n| if [1, 10].contains(&n) { 10_000 } else { 0 }, cores(64.0));
    check(PoolEvidence { refused: 99, ..seldom_idle }, PoolVerdict::Unknown, None);
    check(PoolEvidence::default(), PoolVerdict::Unknown, None);
}

#[test]
fn the_wider_holds_scatter_the_more_of_them_it_takes() {
    let holds = |n| if n == 10 { 10_000 } else { 600 };
    let exponential = PoolEvidence { refused: 1_000, ..seen(10, holds, cores(64.0)) };
    check(exponential, PoolVerdict::TooSmall, Some(18));
    let wide = PoolEvidence { hold_p99: SERVICE * 60, ..exponential };
    check(wide, PoolVerdict::Unknown, None);
}

#[test]
fn reserved_and_foreign_connections_are_suggested_on_top() {
    let busy = overloaded(10, cores(64.0));
    // 10 of 15: 2 are reserved and 3 used by others.
    check(
        PoolEvidence { max: 15, usable: 13, foreign: 3, ..busy },
        PoolVerdict::TooSmall,
        Some(20 + 2 + 3),
    );
}

#[test]
fn figures_are_those_of_littles_law() {
    let busy = overloaded(10, cores(64.0));
    let report = PoolReport::new(busy);
    // The pool was full all the time, by how `elapsed` was chosen.
    assert!((report.needed - 10.0).abs() < 1e-6, "{report}");
    assert!((report.throughput - 1_000.0).abs() < 1e-3, "{report}");
    let text = report.to_string();
    for part in [
        "pool of 10: too small\n",
        "try a maximum of 20",
        "1000.0 holds per second of 10.0ms each",
        "10.0 of 10 usable connections in use on average",
        "20000 refused",
        "with 10.0 in use: 10.0ms each, 998.0 per second (51000 holds)",
    ] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
}

/// What one sees of a pool of `size` whose callers come at random and hold a connection for a random
/// time, at a load of `load` connections: M/M/c, by Erlang's formulas.
fn random_callers(load: f64, size: u32) -> PoolEvidence {
    // How likely n connections are in use, as multiples of none; the last includes all who wait.
    let mut states = vec![1.0];
    for n in 1..=size {
        let before: f64 = *states.last().unwrap();
        states.push(before * load / f64::from(n));
    }
    *states.last_mut().unwrap() /= 1.0 - load / f64::from(size);
    let all: f64 = states.iter().sum();
    let waits = states.last().unwrap() / all;
    // An arrival finds one less in use than there are then; who waited begins with the pool full.
    let holds = |n: u32| {
        let waited = if n == size { waits } else { 0.0 };
        ((states[n as usize - 1] / all + waited) * 1e6) as u64
    };
    let evidence = seen(size, holds, |_| 1.0);
    let quantile = (waits / 0.01).ln().max(0.0) / (f64::from(size) - load);
    let elapsed = SERVICE.mul_f64(evidence.holds as f64 / load);
    PoolEvidence { wait_p99: SERVICE.mul_f64(quantile), elapsed, ..evidence }
}

#[test]
fn a_pool_with_the_root_of_its_load_to_spare_twice_fits() {
    for load in [4.0, 25.0, 100.0, 400.0_f64] {
        let root = load.sqrt();
        check(random_callers(load, (load + 2.0 * root) as u32), PoolVerdict::Fits, None);
        let small = PoolReport::new(random_callers(load, (load + 0.2 * root + 0.6) as u32));
        assert_eq!(small.verdict, PoolVerdict::TooSmall, "{small}");
    }
}

fn band() -> impl Strategy<Value = HoldBand> {
    let holds = prop_oneof![Just(0), 1u64..2_000, Just(u64::MAX)];
    (holds, any::<u64>(), any::<u64>(), 0u32..1_000_000_000).prop_map(
        |(holds, in_use_sum, seconds, nanos)| {
            let held = Duration::new(seconds, nanos);
            HoldBand { holds, in_use_sum, held }
        },
    )
}

proptest! {
    #[test]
    fn doing_what_is_suggested_ends_where_the_pool_fits(load in 1.0..200.0, size in 1u32..1_000) {
        let mut size = size.max((load + 0.5 * f64::sqrt(load)) as u32 + 1);
        let mut verdicts = Vec::new();
        while let Some(next) = PoolReport::new(random_callers(load, size)).suggested {
            let report = PoolReport::new(random_callers(load, size));
            verdicts.push(report.verdict);
            prop_assert!(f64::from(next) > load, "{}", report);
            prop_assert!(verdicts.len() <= 10, "{} {:?}", report, verdicts);
            size = next;
        }
        // Straight there, and not to and fro.
        verdicts.dedup();
        prop_assert!(verdicts.len() <= 1, "{:?}", verdicts);
        let end = PoolReport::new(random_callers(load, size));
        prop_assert_eq!(end.verdict, PoolVerdict::Fits, "{}", end);
    }

    #[test]
    fn whatever_was_measured_has_a_report(
        (max, usable, foreign) in any::<(u32, u32, u32)>(),
        (holds, refused) in any::<(u64, u64)>(),
        times in proptest::array::uniform5(any::<u64>()),
        bands in proptest::array::uniform8(band()),
    ) {
        let [elapsed, hold_mean, hold_p99, wait_p50, wait_p99] = times.map(Duration::from_nanos);
        let evidence = PoolEvidence {
            max, usable, foreign, elapsed, holds, refused, hold_mean, hold_p99, wait_p50, wait_p99,
            bands,
        };
        let report = PoolReport::new(evidence);
        prop_assert!(report.suggested != Some(max));
        prop_assert!(report.needed >= 0.0 && report.throughput >= 0.0);
        prop_assert!(report.to_string().lines().count() >= 4);
    }

    #[test]
    fn bands_ascend_and_share_what_is_usable(usable in 1u32..500, in_use in 0u32..600) {
        let band = PoolEvidence::band(in_use, usable);
        prop_assert!(band < POOL_BANDS);
        prop_assert!(band <= PoolEvidence::band(in_use + 1, usable));
        let share = f64::from(in_use.clamp(1, usable)) / f64::from(usable) * POOL_BANDS as f64;
        prop_assert_eq!(band, share.ceil() as usize - 1);
    }
}
