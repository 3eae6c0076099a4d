//! Sizes of chunks, from what chunks cost.

use std::{num::NonZeroUsize, time::Duration};

use floodway_control::{Chunk, ChunkSizer, Chunking};
use proptest::prelude::*;

const OVERHEAD: Duration = Duration::from_micros(2);
/// Nineteen times the overhead.
const TARGET: Duration = Duration::from_micros(38);
const MICRO: Duration = Duration::from_micros(1);

fn count(items: usize) -> NonZeroUsize {
    NonZeroUsize::new(items).unwrap()
}

fn adaptive(workers: usize) -> ChunkSizer {
    ChunkSizer::new(Chunking::Adaptive, count(workers), OVERHEAD)
}

/// A sizer that has seen chunks of such items.
fn measured(workers: usize, item: Duration) -> ChunkSizer {
    let mut sizer = adaptive(workers);
    sizer.record(1, item);
    sizer
}

/// Sizes of all chunks, if one worker runs them all and items take the time that `item` says.
fn sizes(
    sizer: &mut ChunkSizer,
    mut left: u64,
    known: bool,
    item: impl Fn(usize) -> Duration,
) -> Vec<usize> {
    let mut sizes = Vec::new();
    let mut index = 0;
    while left > 0 {
        let chunk = sizer.next(known.then_some(left));
        let taken = chunk.items.get().min(left as usize);
        let (mut ran, mut time) = (0, Duration::ZERO);
        while ran < taken && !chunk.is_over(time) {
            time += item(index);
            ran += 1;
            index += 1;
        }
        sizer.record(ran, time);
        left -= ran as u64;
        sizes.push(ran);
    }
    sizes
}

#[test]
fn off_is_one_item_and_fixed_is_what_was_asked_for_or_is_left() {
    let mut off = ChunkSizer::new(Chunking::Off, count(4), OVERHEAD);
    assert_eq!(off.next(Some(100)), Chunk { items: count(1), slice: None });
    assert_eq!(off.next(None), Chunk { items: count(1), slice: None });
    let mut fixed = ChunkSizer::new(Chunking::Fixed(count(8)), count(4), OVERHEAD);
    assert_eq!(fixed.next(None), Chunk { items: count(8), slice: None });
    assert_eq!(fixed.next(Some(3)), Chunk { items: count(3), slice: None });
    assert_eq!(fixed.next(Some(0)), Chunk { items: count(1), slice: None });
}

#[test]
fn the_first_chunk_is_one_item_where_nothing_at_all_is_known() {
    assert_eq!(adaptive(4).next(None), Chunk { items: count(1), slice: None });
}

#[test]
fn the_first_chunks_are_shares_of_a_known_length_up_to_sixteen_in_a_short_slice() {
    let mut sizer = adaptive(8);
    for _ in 0..8 {
        assert_eq!(sizer.next(Some(100)), Chunk { items: count(13), slice: Some(TARGET) });
    }
    assert_eq!(adaptive(8).next(Some(10_000)).items, count(16));
    assert_eq!(adaptive(8).next(Some(5)), Chunk { items: count(1), slice: None });
}

#[test]
fn a_round_takes_half_of_what_is_left() {
    let mut sizer = measured(4, Duration::from_micros(15));
    let mut left = 80;
    let mut round = || {
        let sizes: Vec<_> = (0..4)
            .map(|_| {
                let items = sizer.next(Some(left)).items.get();
                left -= items as u64;
                items
            })
            .collect();
        sizes
    };
    assert_eq!(round(), [10; 4]);
    assert_eq!(round(), [5; 4]);
    assert_eq!(round(), [3; 4]);
}

#[test]
fn a_chunk_takes_nineteen_times_its_overhead_as_long_as_all_get_a_share() {
    // A round would be chunks of 25.
    assert_eq!(measured(4, MICRO).next(Some(200)).items, count(38));
    assert_eq!(measured(4, MICRO).next(Some(100)).items, count(25));
}

#[test]
fn the_last_chunk_of_a_round_is_what_is_left() {
    let mut sizer = measured(8, MICRO);
    let sizes = (0..8).map(|taken| sizer.next(Some(100 - 13 * taken)).items.get());
    assert_eq!(sizes.collect::<Vec<_>>(), [13, 13, 13, 13, 13, 13, 13, 9]);
}

#[test]
fn a_chunk_takes_five_times_that_at_most() {
    assert_eq!(measured(4, MICRO).next(Some(1_000_000)).items, count(190));
    assert_eq!(measured(4, Duration::from_secs(1)).next(Some(1_000_000)).items, count(1));
}

#[test]
fn a_slice_is_what_is_expected_and_some_patience() {
    let chunk = measured(4, MICRO).next(Some(1_000));
    assert_eq!(chunk.items, count(125));
    assert_eq!(chunk.slice, Some(125 * MICRO + 3 * TARGET));
    assert!(!chunk.is_over(124 * MICRO + 3 * TARGET));
    assert!(chunk.is_over(125 * MICRO + 3 * TARGET));
}

#[test]
fn a_chunk_of_one_item_has_no_slice_and_is_never_over() {
    let chunk = measured(4, Duration::from_secs(1)).next(Some(1_000));
    assert_eq!(chunk, Chunk { items: count(1), slice: None });
    assert!(!chunk.is_over(Duration::MAX));
}

#[test]
fn the_clock_is_read_often_enough_for_slow_items_and_seldom_for_cheap_ones() {
    let chunk = Chunk { items: count(1_000), slice: Some(Duration::from_micros(152)) };
    let mut looks = Vec::new();
    let mut ran = 0;
    while ran < 1_000 {
        let more = chunk.items_until_look(ran, Duration::from_nanos(4) * ran as u32);
        looks.push(more);
        ran += more;
    }
    assert_eq!(looks, [1, 1, 2, 4, 8, 16, 32, 64, 128, 256, 488]);
    assert_eq!(chunk.items_until_look(10, Duration::from_micros(10)), 2);
    assert_eq!(chunk.items_until_look(10, Duration::from_secs(10)), 1);
    assert_eq!(chunk.items_until_look(10, Duration::ZERO), 10);
    assert_eq!(chunk.items_until_look(1_000, Duration::ZERO), 0);
    assert_eq!(Chunk { slice: None, ..chunk }.items_until_look(0, Duration::ZERO), 1_000);
}

#[test]
fn where_the_length_is_unknown_chunks_begin_small_and_grow_to_the_target() {
    let mut sizer = adaptive(4);
    let sizes = sizes(&mut sizer, 2_000, false, |_| MICRO);
    assert_eq!(sizes[..4], [1, 4, 4, 4]);
    assert!(sizes.contains(&38), "{sizes:?}");
    assert_eq!(sizes.iter().max(), Some(&38));
}

#[test]
fn where_the_length_is_unknown_long_runs_pay_less_overhead() {
    let sizes = sizes(&mut adaptive(1), 1_000_000, false, |_| MICRO);
    assert_eq!(sizes.iter().max(), Some(&190));
}

#[test]
fn a_thousand_items_of_nothing_end_in_a_handful_of_chunks() {
    for workers in [1, 10, 100, 1_000] {
        for overhead in [200, 2_000].map(Duration::from_nanos) {
            let mut sizer = ChunkSizer::new(Chunking::Adaptive, count(workers), overhead);
            let first = sizer.next(Some(1_000)).items.get();
            sizer.record(first, Duration::from_nanos(4) * first as u32);
            let left = 1_000 - first as u64;
            assert_eq!(sizer.paying_workers(Some(left)), Some(count(1)));
            sizer.set_workers(count(1));
            let sizes = sizes(&mut sizer, left, true, |_| Duration::from_nanos(4));
            assert!(sizes.len() <= 5, "{workers} workers: {first} {sizes:?}");
        }
    }
}

/// [joblib #1220](https://github.com/joblib/joblib/issues/1220): a batch of the size that was right
/// for what came before takes hours.
#[test]
fn items_that_get_slow_come_back() {
    for known in [true, false] {
        let slow_from = 10_000;
        let item = |index| if index < slow_from { MICRO } else { Duration::from_secs(1) };
        let sizes = sizes(&mut adaptive(4), slow_from as u64 + 100, known, item);
        let mut index = 0;
        for size in sizes {
            let slow = (index + size).saturating_sub(slow_from.max(index));
            assert!(slow <= 1, "{slow} slow items at once, length known: {known}");
            index += size;
        }
    }
}

#[test]
fn items_that_get_fast_are_believed_after_some_chunks() {
    let item = |index| if index < 20 { Duration::from_millis(1) } else { MICRO };
    let sizes = sizes(&mut adaptive(1), 10_000, false, item);
    let small = sizes.iter().filter(|size| **size < 10).count();
    assert!(small < 80, "{small} small chunks: {sizes:?}");
}

#[test]
fn one_outlier_costs_some_small_chunks() {
    let item = |index| if index == 500 { Duration::from_millis(10) } else { MICRO };
    let with = sizes(&mut adaptive(1), 100_000, false, item).len();
    let without = sizes(&mut adaptive(1), 100_000, false, |_| MICRO).len();
    assert!(with < without + 60, "{with} chunks, {without} without");
}

#[test]
fn a_chunk_that_took_no_time_was_too_short_for_the_clock() {
    let mut sizer = measured(4, Duration::ZERO);
    assert_eq!(sizer.next(Some(1_000)).items, count(250));
    assert_eq!(sizer.paying_workers(Some(1_000)), Some(count(1)));
    assert_eq!(measured(4, Duration::ZERO).next(None).items, count(4_000));
}

#[test]
fn an_overhead_of_nothing_makes_chunks_that_a_clock_can_tell() {
    let mut sizer = ChunkSizer::new(Chunking::Adaptive, count(4), Duration::ZERO);
    sizer.record(100, MICRO);
    assert_eq!(sizer.next(Some(400)).items, count(100));
    assert_eq!(sizer.estimate().overhead_share, Some(0.0));
}

#[test]
fn huge_counts_and_times_do_not_overflow() {
    let mut sizer = ChunkSizer::new(Chunking::Adaptive, NonZeroUsize::MAX, Duration::MAX);
    for remaining in [Some(u64::MAX), None, Some(1), Some(0)] {
        let items = sizer.next(remaining).items.get() as u64;
        assert!(items <= remaining.unwrap_or(u64::MAX).max(1));
        sizer.record(usize::MAX, Duration::MAX);
        sizer.record_overhead(Duration::MAX);
    }
    let mut sizer = measured(1, Duration::from_nanos(1));
    assert_eq!(sizer.next(Some(u64::MAX)).items, count(190_000));
    assert_eq!(sizer.paying_workers(Some(u64::MAX)), Some(count(1)));
}

#[test]
fn a_chunk_of_which_nothing_ran_says_nothing() {
    let mut sizer = adaptive(4);
    sizer.record(0, Duration::from_secs(1));
    assert_eq!(sizer.estimate().item_time, None);
    assert_eq!(sizer.paying_workers(Some(100)), None);
    sizer.record(1, MICRO);
    sizer.record(0, Duration::from_secs(1));
    assert_eq!(sizer.estimate().item_time, Some(MICRO));
}

#[test]
fn a_worker_pays_with_nineteen_times_its_overhead_of_work() {
    let sizer = measured(8, MICRO);
    assert_eq!(sizer.paying_workers(Some(75)), Some(count(1)));
    assert_eq!(sizer.paying_workers(Some(76)), Some(count(2)));
    assert_eq!(sizer.paying_workers(Some(1_000_000)), Some(count(8)));
    assert_eq!(measured(8, Duration::from_secs(1)).paying_workers(Some(3)), Some(count(3)));
}

#[test]
fn where_the_length_is_unknown_as_many_items_are_expected_as_came() {
    let mut sizer = adaptive(8);
    for _ in 0..76 {
        let _ = sizer.next(None);
    }
    sizer.record(76, 76 * MICRO);
    assert_eq!(sizer.paying_workers(None), Some(count(2)));
}

#[test]
fn another_run_begins_with_what_was_learnt() {
    let mut first = adaptive(4);
    let _ = sizes(&mut first, 10_000, true, |_| MICRO);
    let mut again = first.again();
    assert_eq!(again.estimate(), first.estimate());
    assert_eq!(again.next(Some(800)).items, count(100));
    assert_eq!(first.again().next(None).items, count(4));
}

#[test]
fn more_workers_get_smaller_shares_at_once() {
    let mut sizer = measured(2, Duration::from_micros(12));
    assert_eq!(sizer.next(Some(64)).items, count(16));
    sizer.set_workers(count(8));
    assert_eq!(sizer.next(Some(48)).items, count(3));
}

#[test]
fn the_overhead_can_be_measured_again() {
    let mut sizer = measured(1, MICRO);
    sizer.record_overhead(Duration::from_micros(10));
    assert_eq!(sizer.estimate().overhead, 3 * MICRO);
    sizer.set_overhead(MICRO);
    assert_eq!(sizer.estimate().overhead, MICRO);
    assert_eq!(sizer.next(Some(20)).items, count(19));
}

#[test]
fn the_estimate_says_what_the_overhead_is_worth() {
    let mut sizer = adaptive(1);
    assert_eq!(sizer.estimate().overhead_share, None);
    assert_eq!(sizer.estimate().overhead, OVERHEAD);
    sizer.record(38, TARGET);
    let estimate = sizer.estimate();
    assert_eq!(estimate.item_time, Some(MICRO));
    assert_eq!((estimate.chunk_time, estimate.chunk_items), (Some(TARGET), Some(38.0)));
    assert!((estimate.overhead_share.unwrap() - 0.05).abs() < 1e-9);
}

/// What a worker did between two chunks: how long its items took, and the part that it ran.
fn steps() -> impl Strategy<Value = Vec<(u64, u8)>> {
    let step = |nanos: u64| proptest::collection::vec((0..nanos, 1u8..=4), 1..50);
    prop_oneof![step(100), step(10_000), step(1_000_000_000)]
}

proptest! {
    /// Whatever items take, and however much of a chunk comes back.
    #[test]
    fn chunks_cover_the_items_exactly_and_grow_four_times_at_most(
        length in 0u64..100_000, workers in 1usize..100, overhead in 0u64..100_000,
        steps in steps(), known: bool,
    ) {
        let overhead = Duration::from_nanos(overhead);
        let mut sizer = ChunkSizer::new(Chunking::Adaptive, count(workers), overhead);
        let mut left = length;
        let mut ran_items = 0;
        let mut last = None;
        let mut steps = steps.iter().cycle();
        while left > 0 {
            let chunk = sizer.next(known.then_some(left));
            let items = chunk.items.get() as u64;
            if known {
                prop_assert!(items <= left, "{items} of {left}");
            }
            if let Some(last) = last {
                prop_assert!(items <= 4 * last, "{items} after {last}");
            }
            prop_assert_eq!(chunk.slice.is_none(), items == 1);
            last = Some(items);
            let (nanos, part) = steps.next().unwrap();
            let taken = items.min(left);
            let ran = (taken / u64::from(*part)).max(1);
            sizer.record(ran as usize, Duration::from_nanos(nanos * ran));
            left -= ran;
            ran_items += ran;
        }
        prop_assert_eq!(ran_items, length);
    }

    #[test]
    fn more_items_never_pay_for_fewer_workers(
        item in 0u64..1_000_000_000, overhead in 0u64..1_000_000, workers in 1usize..1_000,
        fewer in 0u64..1_000_000, more in 0u64..1_000_000,
    ) {
        let (fewer, more) = (fewer.min(more), fewer.max(more));
        let overhead = Duration::from_nanos(overhead);
        let mut sizer = ChunkSizer::new(Chunking::Adaptive, count(workers), overhead);
        sizer.record(1, Duration::from_nanos(item));
        let paying = |items| sizer.paying_workers(Some(items)).unwrap().get();
        prop_assert!(paying(fewer) <= paying(more));
        prop_assert!(paying(more) <= workers);
        prop_assert!(paying(more) as u64 <= more.max(1));
        let mut dearer = sizer.clone();
        dearer.set_overhead(2 * overhead);
        prop_assert!(dearer.paying_workers(Some(more)).unwrap().get() <= paying(more));
    }
}
