//! A batch that fails, and what the next one knows of it.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use floodway::{BatchError, OnBatchError};
use floodway_metrics::catalogue::batcher as catalogue;

use super::kit::{
    Downstream, MS, Trouble, answers, builder, calls, check_doubled, check_idle, check_outcomes,
    doubled, ends, number, settle, words,
};

#[tokio::test(start_paused = true)]
async fn of_a_whole_batch_all_items_have_the_same_error() {
    let downstream = Downstream::gated();
    let (registry, builder) = builder();
    let batcher = downstream.judging(builder, |_| Err(Trouble::Down));
    let calls = calls(&batcher, 0..4).await;
    downstream.let_through(2);
    let answers = answers(calls).await;
    // The first was alone in its batch, so that it is its own error.
    assert_eq!(words(&answers), ["item Down", "batch Down", "batch Down", "batch Down"]);
    let errors = answers.iter().filter_map(|answer| match answer {
        Err(BatchError::Batch(error)) => Some(Arc::as_ptr(error)),
        _ => None,
    });
    let errors: Vec<_> = errors.collect();
    assert!(errors.iter().all(|error| *error == errors[0]), "one error, not copies of it");
    check_outcomes(&registry, &[("item_error", 1), ("batch_error", 3)], &[("error", 2)]);
    settle().await;
    check_idle(&batcher);
}

#[tokio::test(start_paused = true)]
async fn of_an_item_is_its_own() {
    let downstream = Downstream::gated();
    let (registry, builder) = builder();
    let batcher = downstream.judging(builder, |items| {
        let answer = |item: &u32| if *item == 2 { Err(Trouble::Poison) } else { Ok(7) };
        Ok(items.iter().map(answer).collect())
    });
    let calls = calls(&batcher, 0..4).await;
    downstream.let_through(2);
    assert_eq!(words(&answers(calls).await), ["7", "7", "item Poison", "7"]);
    check_outcomes(&registry, &[("ok", 3), ("item_error", 1)], &[("ok", 2)]);
}

#[tokio::test(start_paused = true)]
async fn by_the_wrong_number_of_answers_is_of_that_batch_alone() {
    for (given, word) in [(0_u32, "0 for 3"), (2, "2 for 3"), (4, "4 for 3"), (1_000, "1000 for 3")]
    {
        let downstream = Downstream::gated();
        let (registry, builder) = builder();
        let batcher = downstream.judging(builder, move |items| match items {
            [1, 2, 3] => Ok((0..given).map(|_| Ok(0)).collect()),
            items => doubled(items),
        });
        let calls = calls(&batcher, 0..4).await;
        downstream.let_through(3);
        assert_eq!(words(&answers(calls).await), ["0", word, word, word]);
        check_doubled([9], vec![ends(batcher.call(9)).await]);
        let items = [("ok", 2), ("batch_error", 3)];
        check_outcomes(&registry, &items, &[("ok", 2), ("mismatched", 1)]);
    }
}

/// Fails `failures` times with `Down` before it works, and is retried.
async fn check_retry(max_calls: u32, failures: u32, works: bool) {
    let downstream = Downstream::open();
    let (registry, builder) = builder();
    let failed = AtomicU32::new(0);
    let builder = builder.on_batch_error(OnBatchError::Retry {
        max_calls,
        backoff: 10 * MS,
        when: |error| *error == Trouble::Down,
    });
    let batcher = downstream.judging(builder, move |items| {
        if failed.fetch_add(1, Ordering::Relaxed) < failures {
            return Err(Trouble::Down);
        }
        doubled(items)
    });
    let answer = ends(batcher.call(1)).await;
    let calls = if works { failures + 1 } else { max_calls };
    assert_eq!(downstream.batches(), vec![[1]; calls as usize]);
    assert_eq!(number(&registry, &catalogue::RETRIES, ""), f64::from(calls - 1));
    assert_eq!(words(&[answer]), [if works { "2" } else { "item Down" }]);
    assert_eq!(number(&registry, &catalogue::FLUSHES, ""), 1.0);
    settle().await;
    check_idle(&batcher);
}

#[tokio::test(start_paused = true)]
async fn is_tried_again_as_often_as_asked_for() {
    check_retry(2, 1, true).await;
    check_retry(4, 3, true).await;
    check_retry(2, 2, false).await;
    check_retry(4, 9, false).await;
}

#[tokio::test(start_paused = true)]
async fn is_tried_again_after_a_wait_that_doubles() {
    let downstream = Downstream::open();
    let (_registry, builder) = builder();
    let began = tokio::time::Instant::now();
    let times = Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = Arc::clone(&times);
    let builder = builder.on_batch_error(OnBatchError::Retry {
        max_calls: 5,
        backoff: 100 * MS,
        when: |_| true,
    });
    let batcher = downstream.judging(builder, move |_| {
        seen.lock().unwrap().push(began.elapsed());
        Err(Trouble::Down)
    });
    assert!(ends(batcher.call(1)).await.is_err());
    let times = times.lock().unwrap();
    assert_eq!(times.len(), 5);
    for (n, pair) in times.windows(2).enumerate() {
        let most = 100 * MS * (1 << n);
        let waited = pair[1] - pair[0];
        assert!(waited >= most / 2 && waited <= most + MS, "{n}: {waited:?} of {most:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn is_not_tried_again_for_other_errors() {
    let downstream = Downstream::open();
    let (_registry, builder) = builder();
    let builder = builder.on_batch_error(OnBatchError::Retry {
        max_calls: 5,
        backoff: MS,
        when: |error| *error == Trouble::Down,
    });
    let batcher = downstream.judging(builder, |_| Err(Trouble::Poison));
    assert_eq!(words(&[ends(batcher.call(1)).await]), ["item Poison"]);
    assert_eq!(downstream.batches().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn that_is_tried_again_keeps_its_slot() {
    let downstream = Downstream::open();
    let (_registry, builder) = builder();
    let builder = builder.on_batch_error(OnBatchError::Retry {
        max_calls: 2,
        backoff: 100 * MS,
        when: |_| true,
    });
    let batcher = downstream.judging(builder, |items| match items {
        [0] => Err(Trouble::Down),
        items => doubled(items),
    });
    let failing = calls(&batcher, [0]).await;
    let rest = calls(&batcher, 1..4).await;
    // Nothing overtakes it: there is one slot.
    assert_eq!(downstream.batches(), [[0]]);
    assert_eq!(words(&answers(failing).await), ["item Down"]);
    check_doubled(1..4, answers(rest).await);
    assert_eq!(downstream.batches(), [vec![0], vec![0], vec![1, 2, 3]]);
}
