//! What went wrong in other batchers, by their issue.

use floodway::{BatchSizing, OnBatchError};
use floodway_metrics::catalogue::batcher as catalogue;

use super::kit::{
    Downstream, Trouble, answers, builder, calls, check_doubled, check_idle, doubled, ends, number,
    settle, waits, words,
};

/// <https://github.com/ray-project/ray/issues/66140>: a callback that panics ends the batcher.
#[tokio::test(start_paused = true)]
async fn ray_66140_a_function_that_panics_is_called_again() {
    let (_registry, builder) = builder();
    let batcher = Downstream::open().judging(builder, |items| {
        assert_ne!(items, [7], "on purpose");
        doubled(items)
    });
    assert!(words(&[ends(batcher.call(7)).await])[0].starts_with("panic"));
    check_doubled([8], vec![ends(batcher.call(8)).await]);
}

/// <https://github.com/ZcashFoundation/zebra/issues/4738>: a flush that fails ends the batcher.
#[tokio::test(start_paused = true)]
async fn zebra_4738_a_batch_that_fails_is_not_the_last() {
    let (_registry, builder) = builder();
    let batcher = Downstream::open().judging(builder, |items| match items {
        [7] => Err(Trouble::Down),
        items => doubled(items),
    });
    assert_eq!(words(&[ends(batcher.call(7)).await]), ["item Down"]);
    check_doubled([8], vec![ends(batcher.call(8)).await]);
}

/// <https://github.com/ZcashFoundation/zebra/issues/10505>: one bad item of 64 is 64 checks again.
#[tokio::test(start_paused = true)]
async fn zebra_10505_one_bad_item_of_64_takes_13_calls() {
    let downstream = Downstream::gated();
    let (_registry, builder) = builder();
    let builder = builder.on_batch_error(OnBatchError::Bisect { max_calls: 13, when: |_| true });
    let batcher = downstream.judging(builder, |items| {
        if items.contains(&41) { Err(Trouble::Poison) } else { doubled(items) }
    });
    let running = calls(&batcher, [1_000]).await;
    let calls = calls(&batcher, 0..64).await;
    downstream.let_through(100);
    check_doubled([1_000], answers(running).await);
    let answers = answers(calls).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 63);
    assert_eq!(words(&answers)[41], "item Poison");
    assert_eq!(downstream.batches().len(), 1 + 13);
}

/// <https://github.com/ZcashFoundation/zebra/issues/10101>: items are done whose callers have gone.
#[tokio::test(start_paused = true)]
async fn zebra_10101_who_has_gone_is_not_sent() {
    let downstream = Downstream::gated();
    let (_registry, builder) = builder();
    let batcher = downstream.doubling(builder);
    let running = calls(&batcher, [0]).await;
    let mut gone = batcher.call(1);
    waits(&mut gone);
    let stays = calls(&batcher, [2]).await;
    drop(gone);
    downstream.let_through(2);
    check_doubled([0], answers(running).await);
    check_doubled([2], answers(stays).await);
    assert_eq!(downstream.batches(), [[0], [2]]);
}

/// <https://github.com/open-telemetry/opentelemetry-python/issues/4533>: "too large" is an error, and
/// the next batch is as large.
#[tokio::test(start_paused = true)]
async fn otel_4533_too_large_is_divided_and_remembered() {
    let downstream = Downstream::gated();
    let (_registry, builder) = builder();
    let builder = builder.too_large_when(|error| *error == Trouble::TooLarge);
    let batcher = downstream.judging(builder, |items| {
        if items.len() > 10 { Err(Trouble::TooLarge) } else { doubled(items) }
    });
    downstream.let_through(1_000);
    for _ in 0..2 {
        let calls = calls(&batcher, 0..40).await;
        check_doubled(0..40, answers(calls).await);
        settle().await;
    }
    let sizes: Vec<_> = downstream.batches().iter().map(Vec::len).collect();
    assert!(sizes.contains(&39), "{sizes:?}");
    let later = &sizes[sizes.iter().rposition(|size| *size > 20).unwrap() + 1..];
    assert!(later.iter().sum::<usize>() >= 40, "{sizes:?}");
    check_idle(&batcher);
}

/// <https://github.com/bentoml/BentoML/pull/5637>: nobody knows why a batch went when it did.
#[tokio::test(start_paused = true)]
async fn bentoml_5637_a_batch_says_why_it_went() {
    let downstream = Downstream::gated();
    let (registry, builder) = builder();
    let linger = std::time::Duration::from_millis(10);
    let batcher = downstream.doubling(builder.sizing(BatchSizing::Fixed(4)).max_linger(linger));
    downstream.let_through(10);
    check_doubled(0..4, answers(calls(&batcher, 0..4).await).await);
    check_doubled([9], vec![ends(batcher.call(9)).await]);
    for (trigger, count) in [("size", 1.0), ("linger", 1.0), ("idle", 0.0)] {
        assert_eq!(number(&registry, &catalogue::FLUSHES, trigger), count, "{trigger}");
    }
}
