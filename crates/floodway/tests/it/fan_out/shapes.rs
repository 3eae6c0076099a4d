//! What has to compile: ends are `Send` where their parts are, and need not be where they are not.

use std::{cell::Cell, future::ready, rc::Rc};

use floodway::{
    Limiter, Registry,
    fan_out::{FanOutExt, Handle, Running},
};
use futures::stream;

use super::kit::{R, ends, nz};

fn is_send<T: Send>(value: T) -> T {
    value
}

fn is_static<T: Send + 'static>(value: T) -> T {
    value
}

async fn double(n: u32) -> R<u32> {
    Ok(2 * n)
}

async fn length(text: &str) -> R<usize> {
    tokio::task::yield_now().await;
    Ok(text.len())
}

#[tokio::test(start_paused = true)]
async fn every_end_is_send() {
    let fan_out = || (0..3_u32).fan_out(double);
    let _ = ends(is_static(fan_out().collect())).await;
    ends(is_static(fan_out().try_collect())).await.expect("none fails");
    ends(is_static(fan_out().first_ok())).await.expect("none fails");
    ends(is_static(fan_out().quorum(nz(2)))).await.expect("none fails");
    let _ = ends(is_static(fan_out().for_each(|_| ready(())))).await;
    let _ = ends(is_static(fan_out().fold(0, |n, _| ready(n)))).await;
    let _ = ends(is_static(fan_out().stream()).next()).await;
    let _ = ends(is_static(fan_out().spawn_each().collect())).await;
    let _ = ends(is_static((0..3_u32).fan_out(R::Ok).blocking().collect())).await;
    let running: Running<_, _> = is_static(fan_out().start());
    let _: Handle = is_static(running.handle().clone());
    let _ = ends(is_static(running.join())).await;
    let _ = ends(is_static(fan_out().in_task().collect())).await;
    let _ = ends(is_static(fan_out().in_task().stream_lazy()).next()).await;
}

#[tokio::test(start_paused = true)]
async fn what_borrows_is_send_in_the_task() {
    let words = [String::from("a"), String::from("bc")];
    let prefix = String::from("-");
    let lengths = words.iter().fan_out(|word| length(word)).in_task().try_collect();
    assert_eq!(ends(is_send(lengths)).await.expect("none fails"), [1, 2]);
    let lengths = words.iter().fan_out(|word| {
        let prefix = &prefix;
        async move { Ok::<_, std::convert::Infallible>(length(word).await? + prefix.len()) }
    });
    assert_eq!(ends(is_send(lengths.in_task().try_collect())).await.expect("none fails"), [2, 3]);
    let keyed = stream::iter(&words).fan_out(|word| length(word)).limit_per_key(|w| w.len(), nz(1));
    assert!(ends(is_send(keyed.weight(|_| 1).in_task().collect())).await.is_complete());
}

#[tokio::test(start_paused = true)]
async fn what_is_not_send_runs_in_the_task() {
    let sum = Rc::new(Cell::new(0));
    let operation = |n: Rc<u32>| {
        let sum = Rc::clone(&sum);
        async move {
            sum.set(sum.get() + *n);
            tokio::task::yield_now().await;
            Ok::<Rc<u32>, Rc<str>>(n)
        }
    };
    let values = (0..4).map(Rc::new).fan_out(operation).in_task().try_collect();
    assert_eq!(ends(values).await.expect("none fails").len(), 4);
    assert_eq!(sum.get(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_fan_out_in_a_spawned_task_in_a_fan_out() {
    let limiter = Limiter::builder("shape").limit(2).registry(&Registry::new()).build();
    let limiter = limiter.expect("valid");
    let task = tokio::spawn(async move {
        let inner = limiter.clone();
        let operation = move |n: u32| {
            let inner = inner.clone();
            async move {
                let words: Vec<_> = (0..n).map(|n| n.to_string()).collect();
                let lengths = words.iter().fan_out(|word| length(word)).limiter(&inner);
                lengths.in_task().try_collect().await.map(|lengths| lengths.len())
            }
        };
        (0..4_u32).fan_out(operation).limiter(&limiter).try_collect().await
    });
    let lengths = ends(task).await.expect("no panic");
    assert_eq!(lengths.unwrap_or_default(), [0, 1, 2, 3]);
}
