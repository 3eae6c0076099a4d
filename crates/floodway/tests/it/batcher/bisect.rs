//! An item that spoils its batch is found by dividing it.

use floodway::{BatchSizing, OnBatchError};
use floodway_metrics::catalogue::batcher as catalogue;

use super::kit::{
    Answer, Answers, Downstream, MS, Trouble, answers, builder, calls, check_idle, doubled, ends,
    number, settle, words,
};

/// What the items of one batch come to, if those of `poison` spoil any batch that they are in; and
/// each call of the batch function.
async fn bisect(items: u32, poison: &[u32], max_calls: u32) -> (Vec<Answer>, Vec<Vec<u32>>) {
    let downstream = Downstream::gated();
    let (registry, builder) = builder();
    let builder = builder.on_batch_error(OnBatchError::Bisect {
        max_calls,
        when: |error| *error == Trouble::Poison,
    });
    let poison = poison.to_vec();
    let batcher = downstream.judging(builder, move |items| {
        if items.iter().any(|item| poison.contains(item)) {
            return Err(Trouble::Poison);
        }
        doubled(items)
    });
    // One runs, so that all others go together.
    let first = calls(&batcher, [1_000_000]).await;
    let calls = calls(&batcher, 0..items).await;
    downstream.let_through(1_000);
    let answers = answers(calls).await;
    assert!(first.into_iter().next().expect("one").await.unwrap().is_ok());
    let batches = downstream.batches().split_off(1);
    let splits = number(&registry, &catalogue::SPLITS, "") as usize;
    // Each division adds two calls.
    assert_eq!(batches.len(), 1 + 2 * splits);
    assert_eq!(number(&registry, &catalogue::FLUSHES, ""), 2.0);
    assert_eq!(super::kit::all_items(&registry), f64::from(items + 1));
    settle().await;
    check_idle(&batcher);
    (answers, batches)
}

/// The answers, if the poison was found.
fn found(items: u32, poison: &[u32]) -> Vec<String> {
    let answer = |item: u32| match poison.contains(&item) {
        true => "item Poison".to_owned(),
        false => (item * 2).to_string(),
    };
    (0..items).map(answer).collect()
}

#[tokio::test(start_paused = true)]
async fn one_of_64_takes_13_calls_wherever_it_is() {
    for poison in 0..64 {
        let (answers, batches) = bisect(64, &[poison], 13).await;
        assert_eq!(words(&answers), found(64, &[poison]));
        assert_eq!(batches.len(), 13, "{poison}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_of_any_number_takes_no_more_than_the_next_power_of_two() {
    for items in [2_u32, 3, 5, 7, 33, 63] {
        for poison in 0..items {
            let calls = 1 + 2 * items.next_power_of_two().ilog2();
            let (answers, batches) = bisect(items, &[poison], calls).await;
            assert_eq!(words(&answers), found(items, &[poison]), "{poison} of {items}");
            assert!(batches.len() <= calls as usize);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn two_are_found_as_well() {
    for poison in [[0, 1], [0, 63], [31, 32], [5, 40]] {
        let (answers, batches) = bisect(64, &poison, 25).await;
        assert_eq!(words(&answers), found(64, &poison));
        assert!(batches.len() <= 25);
    }
}

#[tokio::test(start_paused = true)]
async fn when_the_calls_run_out_everybody_still_has_an_answer() {
    for max_calls in 3..30 {
        let poison = [3, 17, 40, 63];
        let (answers, batches) = bisect(64, &poison, max_calls).await;
        assert!(batches.len() <= max_calls as usize, "{} of {max_calls}", batches.len());
        for (item, word) in words(&answers).into_iter().enumerate() {
            let item = u32::try_from(item).expect("few");
            let done = (item * 2).to_string();
            // A good one may be in a part that was given up; a bad one is never done.
            let expected: &[&str] = match poison.contains(&item) {
                true => &["item Poison", "batch Poison"],
                false => &[&done, "batch Poison"],
            };
            assert!(expected.contains(&word.as_str()), "{item}: {word}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn all_of_them_poison_takes_two_calls_an_item() {
    let all: Vec<u32> = (0..16).collect();
    let (answers, batches) = bisect(16, &all, u32::MAX).await;
    assert_eq!(words(&answers), found(16, &all));
    assert_eq!(batches.len(), 31);
}

#[tokio::test(start_paused = true)]
async fn an_error_that_no_item_causes_divides_nothing() {
    let downstream = Downstream::gated();
    let (_registry, builder) = builder();
    let builder = builder.on_batch_error(OnBatchError::Bisect {
        max_calls: 13,
        when: |error| *error == Trouble::Poison,
    });
    let batcher = downstream.judging(builder, |_| Err(Trouble::Down));
    let calls = calls(&batcher, 0..5).await;
    downstream.let_through(100);
    let batch = vec!["batch Down"; 4];
    assert_eq!(words(&answers(calls).await), [vec!["item Down"], batch].concat());
    assert_eq!(downstream.batches().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_part_that_panics_or_answers_too_little_spoils_no_other() {
    let downstream = Downstream::gated();
    let (_registry, builder) = builder();
    let builder = builder.on_batch_error(OnBatchError::Bisect { max_calls: 99, when: |_| true });
    let batcher = downstream.judging(builder, |items| match items {
        [1, 2] => std::panic::resume_unwind(Box::new("on purpose")),
        [3, 4] => Ok(vec![Ok(3)]),
        items if items.len() > 2 => Err(Trouble::Poison),
        items => doubled(items),
    });
    let calls = calls(&batcher, 0..9).await;
    downstream.let_through(100);
    let panic = "panic on purpose";
    let expected = ["0", panic, panic, "1 for 2", "1 for 2", "10", "12", "14", "16"];
    assert_eq!(words(&answers(calls).await), expected);
}

/// A downstream that takes no batch heavier than `most`.
fn choosy(most: u64) -> impl Fn(&[u32]) -> Answers {
    move |items| {
        if items.len() as u64 > most {
            return Err(Trouble::TooLarge);
        }
        doubled(items)
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_too_large_is_halved_without_being_asked_to() {
    let downstream = Downstream::gated();
    let (_registry, builder) = builder();
    let builder = builder.too_large_when(|error| *error == Trouble::TooLarge);
    let batcher = downstream.judging(builder.sizing(BatchSizing::Fixed(64)), choosy(10));
    let calls = calls(&batcher, 0..65).await;
    downstream.let_through(100);
    super::kit::check_doubled(0..65, answers(calls).await);
    let sizes: Vec<_> = downstream.batches().iter().map(Vec::len).collect();
    assert_eq!(sizes, [1, 64, 32, 16, 8, 8, 16, 8, 8, 32, 16, 8, 8, 16, 8, 8]);
}

#[tokio::test(start_paused = true)]
async fn one_item_that_is_too_large_is_the_error_of_that_item() {
    let downstream = Downstream::gated();
    let (_registry, builder) = builder();
    let builder = builder.too_large_when(|error| *error == Trouble::TooLarge);
    let batcher = downstream.judging(builder, |items| match items {
        items if items.contains(&3) => Err(Trouble::TooLarge),
        items => doubled(items),
    });
    let calls = calls(&batcher, 0..5).await;
    downstream.let_through(100);
    let expected = ["0", "2", "4", "item TooLarge", "8"];
    assert_eq!(words(&answers(calls).await), expected);
    let again = ends(batcher.call(3)).await;
    assert_eq!(words(&[again]), ["item TooLarge"]);
    assert_eq!(words(&[ends(batcher.call(4)).await]), ["8"]);
}

#[tokio::test(start_paused = true)]
async fn answers_of_a_part_do_not_wait_for_another_part() {
    let downstream = Downstream::gated();
    let (_registry, builder) = builder();
    let builder = builder.too_large_when(|error| *error == Trouble::TooLarge).on_batch_error(
        OnBatchError::Retry { max_calls: 4, backoff: 60_000 * MS, when: |e| *e == Trouble::Down },
    );
    let batcher = downstream.judging(builder, |items| match items {
        [1, 2, 3, 4] => Err(Trouble::TooLarge),
        [3, 4] => Err(Trouble::Down),
        items => doubled(items),
    });
    let mut calls = calls(&batcher, 0..5).await;
    downstream.let_through(100);
    let began = tokio::time::Instant::now();
    let late = calls.split_off(3);
    super::kit::check_doubled(0..3, answers(calls).await);
    assert!(began.elapsed().is_zero(), "who has an answer is told");
    assert_eq!(words(&answers(late).await), ["batch Down", "batch Down"]);
}
