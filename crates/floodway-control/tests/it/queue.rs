//! Who of those who wait goes first, and who is turned away.

mod displacement;
mod model;
mod partition;
mod unmeetable;

use std::time::Duration;

use floodway_control::{
    Class, Discipline, Priority, QueueConfig, Refusal, Ticket, Verdict, WaitQueue, WaitRequest,
};

use Priority::{Critical, High, Low, Normal};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const CONFIG: QueueConfig = QueueConfig {
    capacity: 100,
    max_wait: ms(10_000),
    discipline: Discipline::Fifo,
    guarantees: [0.0; Priority::COUNT],
};

const ADAPTIVE: Discipline = Discipline::AdaptiveLifo { interval: ms(100), max_wait: ms(5) };

fn ask(partition: u16, priority: Priority, weight: u32) -> WaitRequest {
    WaitRequest { class: Class { partition, priority }, weight, deadline: None }
}

/// A queue of names, under a limit.
struct Line {
    queue: WaitQueue<&'static str>,
    limit: u32,
    in_use: Vec<u32>,
}

impl Line {
    fn new(config: QueueConfig, partitions: &[f64], limit: u32) -> Self {
        let in_use = vec![0; partitions.len().max(1)];
        Self { queue: WaitQueue::new(config, partitions), limit, in_use }
    }

    fn of(discipline: Discipline) -> Self {
        Self::new(QueueConfig { discipline, ..CONFIG }, &[], 1)
    }

    fn join(&mut self, at: u64, name: &'static str, request: WaitRequest) -> Ticket {
        self.queue.join(ms(at), &request, name)
    }

    fn normal(&mut self, at: u64, names: &[&'static str]) -> Vec<Ticket> {
        names.iter().map(|name| self.join(at, name, ask(0, Normal, 1))).collect()
    }

    /// Grants to whoever's turn it is, whether or not there is room.
    fn serve(&mut self, at: u64) -> &'static str {
        let in_use = self.in_use.clone();
        let next = self.queue.next(ms(at), self.limit, |i| in_use[i]).expect("somebody waits");
        self.in_use[usize::from(next.class.partition)] += next.weight;
        self.queue.grant(ms(at), next.ticket);
        self.queue.free(next.ticket)
    }

    /// Serves everybody at `at` and compares the order.
    #[track_caller]
    fn check(&mut self, at: u64, order: &[&str]) {
        let served: Vec<_> = (0..self.queue.len()).map(|_| self.serve(at)).collect();
        assert_eq!(served, order);
        assert!(self.queue.is_empty());
    }
}

#[test]
fn each_discipline_has_its_order() {
    let codel = Discipline::CoDel { target: ms(5), interval: ms(100) };
    for (discipline, order) in [
        (Discipline::Fifo, ["a", "b", "c"]),
        (Discipline::Lifo, ["c", "b", "a"]),
        (ADAPTIVE, ["a", "b", "c"]),
        (codel, ["a", "b", "c"]),
    ] {
        let mut line = Line::of(discipline);
        line.normal(0, &["a", "b", "c"]);
        line.check(50, &order);
    }
}

#[test]
fn adaptive_lifo_turns_round_after_the_interval_and_back_once_empty() {
    let mut line = Line::of(ADAPTIVE);
    line.normal(0, &["a", "b", "c"]);
    assert_eq!(line.serve(99), "a");
    assert_eq!(line.queue.deadline(ms(99), None), ms(99) + CONFIG.max_wait);
    // Not empty for 100 ms: the newest first, and newcomers wait for 5 ms at most.
    assert_eq!(line.queue.deadline(ms(100), None), ms(105));
    assert_eq!(line.queue.deadline(ms(100), Some(ms(103))), ms(103));
    let late = line.join(100, "d", ask(0, Normal, 1));
    assert_eq!(line.queue.first_deadline(), Some((ms(105), late)));
    line.check(101, &["d", "c", "b"]);
    line.normal(102, &["e", "f"]);
    line.check(201, &["e", "f"]);
}

/// The schedule of `folly::Codel` by hand, with a target of 5 ms and an interval of 100 ms.
#[test]
fn codel_sheds_from_a_queue_that_stands_and_not_from_a_burst() {
    let mut line = Line::of(Discipline::CoDel { target: ms(5), interval: ms(100) });
    for (now, waited, verdict) in [
        // The first interval, to 100: one look is not enough to shed, whatever the wait.
        (0, 0, Verdict::Admit),
        (20, 20, Verdict::Admit),
        (99, 50, Verdict::Admit),
        // The shortest was 0: no standing queue until 200.
        (100, 60, Verdict::Admit),
        (150, 70, Verdict::Admit),
        (199, 6, Verdict::Admit),
        // The shortest was 6: it stands. The first of an interval is never shed.
        (200, 80, Verdict::Admit),
        (210, 11, Verdict::Shed),
        (211, 10, Verdict::Admit),
        (212, 90, Verdict::Shed),
        // The shortest was 10: it still stands, until somebody waited 5 ms.
        (300, 30, Verdict::Admit),
        (301, 30, Verdict::Shed),
        (302, 5, Verdict::Admit),
        (303, 30, Verdict::Shed),
        (400, 30, Verdict::Admit),
        (401, 30, Verdict::Admit),
    ] {
        let ticket = line.join(now - waited, "a", ask(0, Normal, 1));
        assert_eq!(line.queue.judge(ms(now), ticket), verdict, "at {now} after {waited}");
        line.queue.free(ticket);
    }
    let config = QueueConfig { max_wait: ms(10), ..CONFIG };
    line.queue.configure(config);
    let ticket = line.join(500, "late", ask(0, Normal, 1));
    assert_eq!(line.queue.judge(ms(510), ticket), Verdict::Late);
}

#[test]
fn a_higher_priority_goes_first() {
    let mut line = Line::of(Discipline::Fifo);
    for (name, priority) in
        [("l", Low), ("n", Normal), ("h", High), ("c", Critical), ("m", Normal), ("d", Critical)]
    {
        line.join(0, name, ask(0, priority, 1));
    }
    line.check(0, &["c", "d", "h", "n", "m", "l"]);
}

/// Serves `grants` permits' worth with both classes always waiting; the part that `low` got.
fn share_of_low(share: f64, (high, low): (u32, u32)) -> f64 {
    let guarantees = [0.0, 0.0, 0.0, share];
    let mut line = Line::new(QueueConfig { guarantees, ..CONFIG }, &[], 10);
    for _ in 0..2 {
        line.join(0, "high", ask(0, High, high));
        line.join(0, "low", ask(0, Low, low));
    }
    let mut served = [0; 2];
    while served[0] + served[1] < 10_000 {
        match line.serve(0) {
            "high" => (served[0] += high, line.join(0, "high", ask(0, High, high))).1,
            _ => (served[1] += low, line.join(0, "low", ask(0, Low, low))).1,
        };
    }
    f64::from(served[1]) / f64::from(served[0] + served[1])
}

#[test]
fn a_lower_priority_gets_its_guaranteed_share_of_the_permits_and_no_more() {
    for (share, weights) in [(0.05, (1, 1)), (0.25, (1, 1)), (0.2, (3, 1)), (0.1, (1, 5))] {
        let got = share_of_low(share, weights);
        assert!((share - 0.001..share + 0.01).contains(&got), "{got} of {share}, {weights:?}");
    }
}

#[test]
fn nothing_is_earned_while_nobody_waits() {
    let guarantees = [0.0, 0.0, 0.0, 0.5];
    let mut line = Line::new(QueueConfig { guarantees, ..CONFIG }, &[], 10);
    for _ in 0..20 {
        line.join(0, "high", ask(0, High, 1));
        line.serve(0);
    }
    for _ in 0..3 {
        line.join(0, "high", ask(0, High, 1));
        line.join(0, "low", ask(0, Low, 1));
    }
    // Two grants earn the first turn, not the twenty before.
    line.check(0, &["high", "high", "low", "high", "low", "low"]);
}

#[test]
fn those_who_leave_after_a_moment_earn_their_level_one_turn_together() {
    let guarantees = [0.0, 0.0, 0.0, 0.25];
    let mut line = Line::new(QueueConfig { guarantees, ..CONFIG }, &[], 10);
    for _ in 0..2 {
        let ticket = line.join(0, "low", ask(0, Low, 1));
        for _ in 0..2 {
            line.join(0, "high", ask(0, High, 1));
            assert_eq!(line.serve(0), "high");
        }
        line.queue.free(ticket);
    }
    line.join(0, "high", ask(0, High, 1));
    line.join(0, "low", ask(0, Low, 1));
    line.check(0, &["low", "high"]);
}

#[test]
fn what_a_heavy_one_has_earned_is_not_for_those_after_it() {
    let guarantees = [0.0, 0.0, 0.0, 0.5];
    let mut line = Line::new(QueueConfig { guarantees, ..CONFIG }, &[], 10);
    let heavy = line.join(0, "heavy", ask(0, Low, 10));
    for _ in 0..12 {
        line.join(0, "high", ask(0, High, 1));
        assert_eq!(line.serve(0), "high");
    }
    line.queue.free(heavy);
    for _ in 0..3 {
        line.join(0, "high", ask(0, High, 1));
        line.join(0, "low", ask(0, Low, 1));
    }
    line.check(0, &["low", "high", "low", "high", "low", "high"]);
}

#[test]
fn a_heavy_waiter_is_not_overtaken_by_lighter_ones_of_its_class() {
    let mut line = Line::of(Discipline::Fifo);
    let heavy = line.join(0, "heavy", ask(0, Normal, 5));
    line.join(0, "light", ask(0, Normal, 1));
    let next = line.queue.next(ms(0), 10, |_| 9).expect("two wait");
    assert_eq!((next.ticket, next.weight), (heavy, 5));
    // A higher priority does go first.
    line.join(0, "urgent", ask(0, High, 1));
    line.check(0, &["urgent", "heavy", "light"]);
}
