//! Who gets through an overload.

use std::{cell::RefCell, rc::Rc};

use floodway::{Acquire, Discipline, Limiter, Priority, Queue};
use floodway_metrics::catalogue::limiter as metrics;
use tokio::{
    task::{LocalSet, spawn_local},
    time::{Instant, sleep, sleep_until},
};

use crate::support::{Bench, ms};

/// On average: from 5 to 15 ms, so that permits do not come back all at once.
const HOLD: u64 = 10;
const LIMIT: u32 = 10;

#[derive(Clone, Copy, Debug, Default)]
struct Class {
    offered: u32,
    admitted: u32,
    /// Of those, while the load lasted.
    under_load: u32,
}

impl Class {
    fn admit(&mut self, loaded: bool) {
        self.admitted += 1;
        self.under_load += u32::from(loaded);
    }
}

/// Sends callers of each priority at a steady rate, per thousand of what the limiter can do, for
/// `seconds`; what became of each priority.
async fn overload(queue: Queue, seconds: u64, load: [u32; 4]) -> (Bench, [Class; 4]) {
    let bench = Bench::new(|b| b.limit(LIMIT).queue(queue));
    let classes = Rc::new(RefCell::new([Class::default(); 4]));
    let local = LocalSet::new();
    let started = Instant::now();
    local
        .run_until(async {
            let mut tasks = Vec::new();
            for priority in Priority::ALL {
                let (limiter, classes) = (bench.limiter.clone(), Rc::clone(&classes));
                let load = load[priority.index()];
                tasks.push(spawn_local(arrivals(limiter, priority, load, seconds, classes)));
            }
            for task in tasks {
                task.await.expect("no panic");
            }
            sleep_until(started + ms(seconds * 1_000 + 5_000)).await;
        })
        .await;
    drop(local);
    let classes = *classes.borrow();
    (bench, classes)
}

async fn arrivals(
    limiter: Limiter,
    priority: Priority,
    load: u32,
    seconds: u64,
    classes: Rc<RefCell<[Class; 4]>>,
) {
    let started = Instant::now();
    let per_second = LIMIT * 1_000 / HOLD as u32 * load / 1_000;
    for nth in 0..u64::from(per_second) * seconds {
        sleep_until(started + ms(nth * 1_000 / u64::from(per_second))).await;
        classes.borrow_mut()[priority.index()].offered += 1;
        let (limiter, classes) = (limiter.clone(), Rc::clone(&classes));
        spawn_local(async move {
            if let Ok(permit) = limiter.acquire_with(Acquire::new().priority(priority)).await {
                let loaded = Instant::now() < started + ms(seconds * 1_000);
                classes.borrow_mut()[priority.index()].admit(loaded);
                sleep(ms(HOLD - 5 + nth * 7 % 11)).await;
                drop(permit);
            }
        });
    }
}

#[track_caller]
fn check(queue: Queue, classes: [Class; 4], least: [f64; 4]) {
    let admitted: u32 = classes.iter().map(|class| class.under_load).sum();
    let top = classes.iter().position(|class| class.offered > 0).expect("somebody came");
    let of_top = f64::from(classes[top].admitted) / f64::from(classes[top].offered);
    assert!(of_top >= 0.994, "{of_top} of the top class: {classes:?}, {queue:?}");
    for (class, least) in classes.iter().zip(least) {
        let share = f64::from(class.under_load) / f64::from(admitted);
        assert!(
            share >= least,
            "{share} of the grants is less than {least}: {classes:?}, {queue:?}"
        );
    }
}

/// Three times what the limiter can do, the highest priority at half of it.
const THREEFOLD: [u32; 4] = [500, 1_000, 0, 1_500];

#[tokio::test(start_paused = true)]
async fn under_threefold_load_the_highest_passes_and_the_lowest_has_its_share() {
    // Longer than permits are apart at worst, or the highest runs out of time, too.
    let adaptive = Discipline::AdaptiveLifo { interval: ms(100), max_wait: ms(20) };
    // Of a short queue one place is the lowest's, and it earns nothing while nobody is in it.
    for (queue, lowest) in [
        (Queue::fifo(), 0.05),
        (Queue::fifo().capacity(40), 0.05),
        (Queue::fifo().capacity(10), 0.045),
        (Queue::lifo().capacity(40), 0.05),
        (Queue::fifo().discipline(adaptive), 0.045),
        (Queue::codel(), 0.05),
        (Queue::fifo().capacity(400).max_wait(ms(100)), 0.05),
    ] {
        let (bench, classes) = overload(queue, 4, THREEFOLD).await;
        check(queue, classes, [0.48, 0.05, 0.0, lowest]);
        bench.check(LIMIT, 0, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_larger_share_is_given_too() {
    let queue = Queue::fifo().capacity(100).guarantee(Priority::Low, 0.3);
    let (bench, classes) = overload(queue, 4, THREEFOLD).await;
    check(queue, classes, [0.48, 0.05, 0.0, 0.3]);
    let displaced = bench.number(&metrics::REJECTED, &["displaced", "critical"]);
    assert_eq!(displaced, 0.0);
}

#[tokio::test(start_paused = true)]
async fn without_an_overload_priorities_make_no_difference() {
    let (_, classes) = overload(Queue::fifo(), 2, [100, 200, 300, 200]).await;
    assert!(classes.iter().all(|class| class.admitted == class.offered), "{classes:?}");
}
