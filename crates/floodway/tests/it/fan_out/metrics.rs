//! What is exported.

use floodway::{
    Chunking, Clock,
    fan_out::{FanOutExt, Name},
};
use tokio::time::sleep;

use super::kit::{ends, limiter, nz, waits};
use crate::support::ms;

#[tokio::test(start_paused = true)]
async fn nothing_stays_in_flight() {
    use floodway_metrics::catalogue::fan_out as metrics;
    // Rejected items, items given back and stops must not stay in flight.
    for case in 0..5 {
        let registry = floodway::Registry::new();
        let name = Name::in_registry(&registry, "n").unwrap();
        let limiter = limiter(|b| b.limit(2));
        let f = (0..100_u32)
            .fan_out(|n| async move {
                sleep(ms(10)).await;
                if n == 50 { Err(n) } else { Ok(n) }
            })
            .name(&name)
            .clock(Clock::tokio())
            .concurrency(nz(4));
        match case {
            0 => {
                let r =
                    ends(f.limiter(&limiter).weight(|n| if n % 2 == 0 { 1 } else { 9 }).collect())
                        .await;
                assert_eq!(r.stats.counts.rejected, 50);
            }
            1 => {
                let _ = ends(f.chunks(Chunking::Fixed(nz(10))).timeout(ms(55)).collect()).await;
            }
            2 => {
                let _ = ends(f.chunks(Chunking::Adaptive).collect()).await;
            }
            3 => {
                let _ = ends(f.try_collect()).await;
            }
            _ => {
                let mut c = f.chunks(Chunking::Fixed(nz(10))).collect();
                assert!(waits(&mut c).await);
                sleep(ms(15)).await;
                drop(c);
                sleep(ms(1)).await;
            }
        }
        let s = registry.snapshot();
        let get = |m| s.number(m, &["n"]).unwrap();
        assert_eq!(get(&metrics::IN_FLIGHT_ITEMS), 0.0, "case {case}");
        assert_eq!(get(&metrics::RUNNING_CALLS), 0.0, "case {case}");
        assert!(get(&metrics::ITEMS_STARTED) <= 100.0, "case {case}");
    }
}

#[tokio::test(start_paused = true)]
async fn show_how_long_woken_items_wait_for_their_poll() {
    for in_task in [false, true] {
        let registry = floodway::Registry::new();
        let name = Name::in_registry(&registry, "slow").expect("a name");
        let items = (0..3_u32)
            .fan_out(|n| async move {
                sleep(ms(10)).await;
                Ok::<_, std::convert::Infallible>(n)
            })
            .clock(Clock::tokio())
            .name(&name);
        // Woken at 10 ms; the runtime is busy with something else until 50 ms.
        let busy = async {
            sleep(ms(10)).await;
            tokio::time::advance(ms(40)).await;
        };
        let _ = if in_task {
            tokio::join!(biased; busy, items.in_task().collect()).1
        } else {
            tokio::join!(biased; busy, items.collect()).1
        };
        let snapshot = registry.snapshot();
        let delays = snapshot
            .histogram(&floodway_metrics::catalogue::fan_out::WAKE_DELAY, &["slow"])
            .expect("it is there");
        assert_eq!(delays.count(), 3, "in task {in_task}");
        assert!(delays.sum >= 0.01, "in task {in_task}: {} s", delays.sum);
    }
}
