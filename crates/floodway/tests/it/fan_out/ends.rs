//! What ends give.

use std::future::ready;

use floodway::fan_out::FanOutExt;
use tokio::time::sleep;

use super::kit::{Count, R, ends, nz};
use crate::support::ms;

#[tokio::test(start_paused = true)]
async fn a_slow_consumer_gets_everything() {
    let seen = Count::default();
    let s = seen.clone();
    ends((0..100_u32).fan_out(|n| async move { R::Ok(n) }).concurrency(nz(4)).buffer(2).for_each(
        move |_| {
            s.up();
            sleep(ms(5))
        },
    ))
    .await;
    assert_eq!(seen.get(), 100);
}

#[tokio::test(start_paused = true)]
async fn a_quorum_of_an_unknown_length_is_out_of_reach_at_its_end() {
    for in_task in [false, true] {
        let f =
            (0..10_u32).filter(|n| *n < 2).fan_out(|n| async move { R::Ok(n) }).concurrency(nz(1));
        let r = if in_task {
            ends(f.in_task().quorum(nz(3))).await
        } else {
            ends(f.quorum(nz(3))).await
        };
        assert!(r.is_err(), "{r:?} {in_task}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_of_more_than_memory_holds() {
    let r = ends((0..usize::MAX).fan_out(|n| async move { R::Ok(n) }).first_ok()).await;
    assert!(r.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_waits_leaves_others_their_turn() {
    use futures::future::poll_immediate;
    let seen = Count::default();
    let s = seen.clone();
    let f = (0..1_000_000_u32).fan_out(|n| async move { R::Ok(n) }).in_task().for_each(move |_| {
        s.up();
        ready(())
    });
    assert!(poll_immediate(f).await.is_none());
    assert!(seen.get() < 10_000, "{}", seen.get());
}
