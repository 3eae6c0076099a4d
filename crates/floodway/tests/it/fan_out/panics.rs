//! Foreign code that panics: an outcome or a stop, and never a hang.

use std::num::NonZeroU32;

use floodway::fan_out::{FanOutExt, ItemError, Retry, StopReason};
use tokio::time::sleep;

use super::kit::{R, ends, nz};
use crate::support::ms;

struct PanickyHint;
impl Iterator for PanickyHint {
    type Item = u32;
    fn next(&mut self) -> Option<u32> {
        None
    }
    fn size_hint(&self) -> (usize, Option<usize>) {
        panic!("hint")
    }
}

#[derive(Debug)]
struct PanickyClone(u32);
impl Clone for PanickyClone {
    fn clone(&self) -> Self {
        assert!(self.0 != 3, "clone");
        Self(self.0)
    }
}

#[tokio::test(start_paused = true)]
async fn in_a_size_hint() {
    let r = ends(PanickyHint.fan_out(|n| async move { R::Ok(n) }).collect()).await;
    assert!(r.outcomes.is_empty());
}

#[tokio::test(start_paused = true)]
async fn in_a_predicate_of_retries() {
    for in_task in [false, true] {
        let retry = Retry::up_to(NonZeroU32::new(3).unwrap())
            .when(|n: &u32| if *n == 3 { panic!("predicate") } else { false });
        let f = (0..6_u32)
            .fan_out(|n| async move {
                sleep(ms(1)).await;
                Err::<(), _>(n)
            })
            .attempts(retry)
            .concurrency(nz(1));
        let r = if in_task { ends(f.in_task().collect()).await } else { ends(f.collect()).await };
        assert_eq!(r.stop, StopReason::Completed);
        assert!(matches!(r.outcomes[3].result, Err(ItemError::Panicked(_))), "{:?}", r.outcomes[3]);
    }
}

#[tokio::test(start_paused = true)]
async fn in_the_clone_of_an_item() {
    for in_task in [false, true] {
        let retry = Retry::up_to(NonZeroU32::new(3).unwrap());
        let f = (0..6_u32)
            .map(PanickyClone)
            .fan_out(|n| async move {
                sleep(ms(1)).await;
                R::Ok(n.0)
            })
            .attempts(retry)
            .concurrency(nz(1));
        let r = if in_task { ends(f.in_task().collect()).await } else { ends(f.collect()).await };
        assert_eq!(r.outcomes.len(), 6);
        assert!(matches!(r.outcomes[3].result, Err(ItemError::Panicked(_))), "{:?}", r.outcomes[3]);
    }
}

#[tokio::test(start_paused = true)]
async fn in_what_cancels() {
    for in_task in [false, true] {
        let f = (0..4_u32)
            .fan_out(|n| async move {
                sleep(ms(100)).await;
                R::Ok(n)
            })
            .cancel_on(async {
                sleep(ms(1)).await;
                panic!("cancel")
            })
            .timeout(ms(50));
        let r = if in_task { ends(f.in_task().collect()).await } else { ends(f.collect()).await };
        assert_ne!(r.stop, StopReason::Completed);
    }
}

#[tokio::test(start_paused = true)]
async fn in_the_hash_of_a_key() {
    #[derive(Clone, PartialEq, Eq)]
    struct K(u32);
    impl std::hash::Hash for K {
        fn hash<H: std::hash::Hasher>(&self, h: &mut H) {
            assert!(self.0 != 2, "hash");
            self.0.hash(h)
        }
    }
    for in_task in [false, true] {
        let f = (0..4_u32)
            .fan_out(|n| async move {
                sleep(ms(1)).await;
                R::Ok(n)
            })
            .group_by_key(|n| K(*n))
            .concurrency(nz(2));
        let r = if in_task { ends(f.in_task().collect()).await } else { ends(f.collect()).await };
        assert_eq!(r.outcomes.len(), 4);
        assert_eq!(r.stats.counts.panicked, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn in_the_drop_of_a_source() {
    struct D(u32);
    impl Iterator for D {
        type Item = u32;
        fn next(&mut self) -> Option<u32> {
            self.0 += 1;
            (self.0 < 4).then_some(self.0)
        }
    }
    impl Drop for D {
        fn drop(&mut self) {
            panic!("drop")
        }
    }
    for in_task in [false, true] {
        let f = D(0).fan_out(|n| async move {
            sleep(ms(1)).await;
            R::Ok(n)
        });
        let r = if in_task { ends(f.in_task().collect()).await } else { ends(f.collect()).await };
        assert_eq!(r.outcomes.len(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn in_the_drop_of_a_future() {
    struct D(bool);
    impl Drop for D {
        fn drop(&mut self) {
            if self.0 {
                panic!("drop")
            }
        }
    }
    for mode in 0..3 {
        for timed in [false, true] {
            let f = (0..6_u32)
                .fan_out(|n| async move {
                    let _d = D(n == 2);
                    sleep(ms(if n == 3 { 1000 } else { 1 })).await;
                    R::Ok(n)
                })
                .concurrency(nz(2));
            let f = if timed { f.item_timeout(ms(0)) } else { f };
            let r = match mode {
                0 => ends(f.in_task().collect()).await,
                1 => ends(f.collect()).await,
                _ => ends(f.spawn_each().collect()).await,
            };
            assert_eq!(r.outcomes.len(), 6);
            if mode < 2 {
                assert!(
                    matches!(r.outcomes[2].result, Err(ItemError::Panicked(_))),
                    "{:?}",
                    r.outcomes[2]
                );
            }
        }
    }
}

/// `?` takes errors into boxes that want all of this.
#[test]
fn errors_that_may_hold_a_payload_go_anywhere() {
    fn goes_anywhere<E: std::error::Error + Send + Sync + 'static>() {}
    goes_anywhere::<floodway::fan_out::FanOutError<u32, std::io::Error>>();
    goes_anywhere::<ItemError<std::io::Error>>();
}
