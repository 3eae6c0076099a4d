//! Where items come from.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use floodway::fan_out::{Backlog, FanOutExt, StopReason};
use futures::{StreamExt, stream};
use tokio::time::{Instant, sleep};

use super::kit::{R, ends, nz};
use crate::support::ms;

struct Hinted<I>(I, (usize, Option<usize>));
impl<I: Iterator> Iterator for Hinted<I> {
    type Item = I::Item;
    fn next(&mut self) -> Option<I::Item> {
        self.0.next()
    }
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.1
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_pushed_does_not_wait_for_a_stream() {
    for in_task in [false, true] {
        let backlog = Backlog::new();
        let push = backlog.clone();
        let source = stream::iter([0_u32]).chain(stream::once(async {
            sleep(Duration::from_secs(1000)).await;
            3
        }));
        let began = Instant::now();
        let at = Arc::new(Mutex::new(Vec::new()));
        let a = at.clone();
        let f = source
            .fan_out(move |n| {
                a.lock().unwrap().push(began.elapsed().as_millis());
                let push = push.clone();
                async move {
                    sleep(ms(1)).await;
                    if n == 0 {
                        push.push(1).unwrap()
                    };
                    R::Ok(n)
                }
            })
            .backlog(&backlog);
        let report =
            if in_task { ends(f.in_task().collect()).await } else { ends(f.collect()).await };
        assert_eq!(report.outcomes.len(), 3);
        assert_eq!(*at.lock().unwrap(), [0, 1, 1_000_000], "in task {in_task}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_size_hint_may_lie() {
    for hint in [
        (0, Some(0)),
        (5, Some(5)),
        (20, Some(20)),
        (usize::MAX, Some(usize::MAX)),
        (0, None),
        (20, Some(3)),
    ] {
        for in_task in [false, true] {
            let f = Hinted(0..10_u32, hint)
                .fan_out(|n| async move {
                    sleep(ms(1)).await;
                    R::Ok(n)
                })
                .concurrency(nz(3));
            let r =
                if in_task { ends(f.in_task().collect()).await } else { ends(f.collect()).await };
            assert_eq!(r.stop, StopReason::Completed);
            assert_eq!(r.outcomes.len(), 10, "{hint:?} {in_task}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_and_a_key_may_push() {
    for in_task in [false, true] {
        let backlog = Backlog::new();
        let (by_source, by_key) = (backlog.clone(), backlog.clone());
        let source = (0..4_u32).inspect(move |n| {
            if *n == 2 {
                by_source.push(10).expect("it runs");
            }
        });
        let fan_out =
            source.fan_out(|n| async move { R::Ok(n) }).backlog(&backlog).group_by_key(move |n| {
                if *n == 3 {
                    by_key.push(20).expect("it runs");
                }
                *n
            });
        let values = if in_task {
            ends(fan_out.in_task().try_collect()).await
        } else {
            ends(fan_out.try_collect()).await
        };
        let mut values = values.expect("none fails");
        values.sort_unstable();
        assert_eq!(values, [0, 1, 2, 3, 10, 20], "in task {in_task}");
    }
}
