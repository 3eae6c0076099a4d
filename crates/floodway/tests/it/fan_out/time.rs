//! Timeouts, deadlines and cancellation.

use std::future::ready;

use floodway::{
    Chunking,
    fan_out::{FanOutExt, OnStop, StopReason},
};
use tokio::time::{Instant, sleep};

use super::kit::{Count, R, ends, nz};
use crate::support::ms;

#[tokio::test(start_paused = true)]
async fn a_grace_ends() {
    for in_task in [false, true] {
        // grace ends before the items
        let f = (0..10_u64)
            .fan_out(|n| async move {
                sleep(ms(n * 100)).await;
                R::Ok(n)
            })
            .concurrency(nz(5))
            .timeout(ms(150))
            .on_stop(OnStop::Drain(ms(100)));
        let began = Instant::now();
        let r = if in_task { ends(f.in_task().collect()).await } else { ends(f.collect()).await };
        assert_eq!(began.elapsed(), ms(250));
        let c = r.stats.counts;
        assert_eq!((c.succeeded, c.cancelled, c.not_started), (3, 4, 3), "in task {in_task}");
    }
}

#[tokio::test(start_paused = true)]
async fn cancelled_before_it_began_starts_nothing() {
    for mode in 0..4 {
        let calls = Count::default();
        let c = calls.clone();
        let f = (0..10_u64)
            .fan_out(move |n| {
                c.up();
                async move { R::Ok(n) }
            })
            .cancel_on(ready(()));
        let r = match mode {
            0 => ends(f.in_task().collect()).await,
            1 => ends(f.collect()).await,
            2 => ends(f.chunks(Chunking::Adaptive).collect()).await,
            _ => ends(f.spawn_each().collect()).await,
        };
        assert_eq!((r.stop, calls.get()), (StopReason::Cancelled, 0), "mode {mode}");
        assert_eq!(r.outcomes.len(), 10);
    }
}
