//! Parts of a limit that callers can count on.

use floodway::{Acquire, Limiter, LimiterBuilder, Priority, Queue, Registry, RejectReason};
use tokio::time::sleep;

use crate::support::{Bench, is_pending, ms, outcome, ready};

fn web_and_batch(b: LimiterBuilder) -> LimiterBuilder {
    b.limit(10).partition("web", 0.6).partition("batch", 0.2)
}

fn partition(bench: &Bench, name: &str) -> Limiter {
    bench.limiter.partition(name).expect("it was described")
}

#[tokio::test(start_paused = true)]
async fn a_guaranteed_part_is_there_under_a_flood_from_another() {
    let bench = Bench::new(web_and_batch);
    let (web, batch) = (partition(&bench, "web"), partition(&bench, "batch"));
    // What came back is not in use.
    for _ in 0..20 {
        drop(web.try_acquire().unwrap());
    }
    let critical = Acquire::new().priority(Priority::Critical);
    let mut flood: Vec<_> = (0..100).map(|_| batch.acquire_with(critical)).collect();
    let mut held = Vec::new();
    for waiter in &mut flood {
        held.extend(outcome(waiter).await.map(Result::unwrap));
    }
    assert_eq!(held.len(), 10, "what is idle is lent");
    let mut owners: Vec<_> = (0..8).map(|_| web.acquire()).collect();
    for waiter in &mut owners {
        assert!(is_pending(waiter).await);
    }
    // Six of the next permits are its own, whatever the priority of the others.
    for owner in &mut owners[..6] {
        drop(held.pop());
        held.insert(0, ready(owner).await.unwrap());
    }
    assert!(is_pending(&mut owners[6]).await);
    drop(held.pop());
    assert!(is_pending(&mut owners[6]).await, "more only by priority");
    bench.check(10, 10, 91);
    drop((owners, flood, held));
    bench.check(10, 0, 0);
}

/// At a limit of 1 nobody has a whole permit; they take turns.
#[tokio::test(start_paused = true)]
async fn parts_of_a_limit_of_one_are_turns() {
    let queue = Queue::fifo().max_wait(ms(60_000));
    let bench = Bench::new(|b| b.limit(1).queue(queue).partition("a", 0.5).partition("b", 0.5));
    let held = bench.take();
    let mut tasks = tokio::task::JoinSet::new();
    for name in ["a", "b"] {
        for _ in 0..50 {
            let limiter = partition(&bench, name);
            tasks.spawn(async move {
                limiter.run(sleep(ms(10))).await.expect("waits for as long as it takes");
                name
            });
        }
    }
    sleep(ms(1)).await;
    bench.check(1, 1, 100);
    drop(held);
    let mut of_a = 0;
    for _ in 0..40 {
        let name = tasks.join_next().await.expect("a task").expect("no panic");
        of_a += u32::from(name == "a");
    }
    assert!((18..=22).contains(&of_a), "{of_a} of 40");
}

#[tokio::test(start_paused = true)]
async fn permits_are_booked_to_the_partition_and_come_back_from_it() {
    let bench = Bench::new(web_and_batch);
    let web = partition(&bench, "web");
    let names = |limiter: &Limiter| limiter.partition_name().map(str::to_owned);
    assert_eq!(names(&bench.limiter).as_deref(), Some("default"));
    assert_eq!(names(&web).as_deref(), Some("web"));
    assert_eq!(names(&web.clone()).as_deref(), Some("web"));
    assert_eq!(names(&web.partition("batch").unwrap()).as_deref(), Some("batch"));
    let heavy = Acquire::new().weight(10);
    for _ in 0..3 {
        let permit = web.try_acquire_with(heavy).unwrap();
        bench.check(10, 10, 0);
        drop(permit);
    }
    bench.check(10, 0, 0);
    let whole = Bench::new(|b| b.limit(1));
    assert_eq!(whole.limiter.partition_name(), None);
}

/// A flood of one cannot fill the places in the queue that another can count on.
#[tokio::test(start_paused = true)]
async fn a_part_of_the_queue_is_there_too() {
    let bench = Bench::new(|b| web_and_batch(b).queue(Queue::fifo().capacity(10)));
    let (web, batch) = (partition(&bench, "web"), partition(&bench, "batch"));
    let _all = batch.try_acquire_with(Acquire::new().weight(10)).unwrap();
    let critical = Acquire::new().priority(Priority::Critical);
    let mut flood: Vec<_> = (0..10).map(|_| batch.acquire_with(critical)).collect();
    for waiter in &mut flood {
        assert!(is_pending(waiter).await);
    }
    let mut owners: Vec<_> = (0..7).map(|_| web.acquire()).collect();
    for owner in &mut owners[..6] {
        assert!(is_pending(owner).await);
    }
    let seventh = outcome(&mut owners[6]).await.unwrap().unwrap_err();
    assert_eq!(seventh.reason, RejectReason::QueueFull);
    let mut displaced = 0;
    for waiter in &mut flood {
        if let Some(answer) = outcome(waiter).await {
            assert_eq!(answer.unwrap_err().reason, RejectReason::Displaced);
            displaced += 1;
        }
    }
    assert_eq!(displaced, 6);
    // However much they matter, callers of the flood take none of those six.
    let mut more = batch.acquire_with(critical);
    let refused = outcome(&mut more).await.unwrap().unwrap_err();
    assert_eq!(refused.reason, RejectReason::QueueFull);
    bench.check(10, 10, 10);
}

#[test]
fn an_unknown_partition_is_an_error_that_names_the_known_ones() {
    let bench = Bench::new(web_and_batch);
    let error = bench.limiter.partition("wbe").unwrap_err();
    assert_eq!((error.limiter.as_str(), error.name.as_str()), ("test", "wbe"));
    assert_eq!(error.known, ["default", "web", "batch"]);
    assert_eq!(
        error.to_string(),
        r#"limiter "test" has no partition "wbe", expected one of ["default", "web", "batch"]"#
    );
    assert!(Bench::new(|b| b.limit(1)).limiter.partition("default").is_err());
}

#[test]
fn a_guarantee_that_cannot_be_given_is_refused_when_building() {
    let registry = Registry::new();
    let builder = || Limiter::builder("x").limit(10).registry(&registry);
    for (parts, name, guarantee) in [
        (vec![("a", -0.1)], "a", "-0.1"),
        (vec![("a", 1.1)], "a", "1.1"),
        (vec![("a", f64::NAN)], "a", "NaN"),
        (vec![("a", 0.6), ("b", 0.5)], "b", "0.5"),
        (vec![("a", 0.1), ("a", 0.1)], "a", "0.1"),
        (vec![("default", 0.1)], "default", "0.1"),
    ] {
        let described = parts.iter().fold(builder(), |b, (name, part)| b.partition(*name, *part));
        assert_eq!(
            described.build().expect_err("refused").to_string(),
            format!(
                "partition {name:?}: a guarantee of {guarantee} cannot be given, expected a new \
                 name, 0 to 1, and at most 1 in sum"
            )
        );
    }
    let thirds = (0..10).fold(builder(), |b, nth| b.partition(format!("p{nth}"), 0.1));
    assert!(thirds.build().is_ok(), "ten times 0.1 is 1");
}
