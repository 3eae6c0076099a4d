//! The queue against a naive model, under any sequence of operations.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Join { partition: u16, priority: usize, weight: u32, wait: u64 },
    Grant,
    Leave(usize),
    Free(usize),
    Expire,
    Configure(usize),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let join =
        (0u16..2, 0usize..4, 1u32..4, 1u64..300).prop_map(|(partition, priority, weight, wait)| {
            Step::Join { partition, priority, weight, wait }
        });
    prop_oneof![
        6 => join,
        3 => Just(Step::Grant),
        1 => any::<usize>().prop_map(Step::Leave),
        1 => any::<usize>().prop_map(Step::Free),
        1 => Just(Step::Expire),
        1 => (0usize..3).prop_map(Step::Configure),
        2 => (1u64..60).prop_map(Step::Pass),
    ]
}

#[derive(Clone, Copy, Debug)]
struct Waiter {
    class: Class,
    deadline: Duration,
    arrival: usize,
}

const DISCIPLINES: [Discipline; 3] = [Discipline::Fifo, Discipline::Lifo, ADAPTIVE];

proptest! {
    #[test]
    fn any_sequence_agrees_with_the_model(steps in prop::collection::vec(step(), 1..300)) {
        let config = QueueConfig {
            capacity: 12, max_wait: ms(200), guarantees: [0.0, 0.1, 0.1, 0.1], ..CONFIG
        };
        let mut queue: WaitQueue<usize> = WaitQueue::new(config, &[0.5, 0.5]);
        // Those who wait, and those who have left their line and kept the ticket.
        let mut waiting: BTreeMap<Ticket, Waiter> = BTreeMap::new();
        let mut left: Vec<(Ticket, usize)> = Vec::new();
        let mut now = Duration::ZERO;
        let mut freed = vec![];
        let mut filled = None;
        let mut arrival = 0;
        for step in steps {
            match step {
                Step::Join { partition, priority, weight, wait } => {
                    let class = Class { partition, priority: Priority::ALL[priority] };
                    let request = WaitRequest { class, weight, deadline: Some(now + ms(wait)) };
                    match queue.refusal(now, &request) {
                        Some(Refusal::Full) => {
                            prop_assert!(queue.len() >= config.capacity);
                            prop_assert_eq!(queue.displaced_by(now, class), None);
                            continue;
                        }
                        Some(Refusal::Unmeetable) => {
                            prop_assert!(!waiting.is_empty(), "alone it may wait");
                            continue;
                        }
                        None if queue.len() >= config.capacity => {
                            let loser = queue.displaced_by(now, class).expect("makes room");
                            let gone = waiting.remove(&loser).expect("the displaced waited");
                            queue.leave(loser);
                            left.push((loser, gone.arrival));
                        }
                        None => {}
                    }
                    if waiting.is_empty() {
                        filled = Some(now);
                    }
                    let deadline = queue.deadline(now, request.deadline);
                    prop_assert!(deadline <= now + ms(wait).min(config.max_wait));
                    let ticket = queue.join(now, &request, arrival);
                    let taken = waiting.insert(ticket, Waiter { class, deadline, arrival });
                    prop_assert!(taken.is_none(), "a ticket that is in use was given again");
                    prop_assert!(left.iter().all(|(kept, _)| *kept != ticket));
                    arrival += 1;
                }
                Step::Grant => {
                    let Some(next) = queue.next(now, 4, |_| 1) else {
                        prop_assert!(waiting.is_empty());
                        continue;
                    };
                    let served = waiting.remove(&next.ticket).expect("who is next waits");
                    let rivals = waiting.values().filter(|other| other.class == served.class);
                    let newest_first = match queue.config().discipline {
                        Discipline::Fifo => false,
                        Discipline::Lifo => true,
                        _ => filled.is_some_and(|since| now - since >= ms(100)),
                    };
                    for rival in rivals {
                        prop_assert_eq!(rival.arrival < served.arrival, newest_first);
                    }
                    queue.grant(now, next.ticket);
                    left.push((next.ticket, served.arrival));
                }
                Step::Leave(nth) if !waiting.is_empty() => {
                    let ticket = *waiting.keys().nth(nth % waiting.len()).expect("in range");
                    queue.leave(ticket);
                    queue.leave(ticket);
                    left.push((ticket, waiting.remove(&ticket).expect("waits").arrival));
                }
                Step::Free(nth) if !waiting.is_empty() || !left.is_empty() => {
                    let nth = nth % (waiting.len() + left.len());
                    let (ticket, payload) = match nth.checked_sub(waiting.len()) {
                        Some(nth) => left.swap_remove(nth),
                        None => {
                            let ticket = *waiting.keys().nth(nth).expect("in range");
                            (ticket, waiting.remove(&ticket).expect("waits").arrival)
                        }
                    };
                    prop_assert_eq!(queue.free(ticket), payload);
                    freed.push(payload);
                }
                Step::Expire => while let Some((deadline, ticket)) = queue.first_deadline() {
                    if deadline > now {
                        break;
                    }
                    queue.leave(ticket);
                    left.push((ticket, waiting.remove(&ticket).expect("waits").arrival));
                },
                Step::Configure(nth) => {
                    queue.configure(QueueConfig { discipline: DISCIPLINES[nth], ..config });
                }
                Step::Pass(millis) => now += ms(millis),
                _ => {}
            }
            if waiting.is_empty() {
                filled = None;
            }
            prop_assert_eq!(queue.len(), waiting.len());
            let mut visited = 0;
            queue.for_each_waiting(|_| visited += 1);
            prop_assert_eq!(visited, waiting.len());
            let first = waiting.values().map(|waiter| waiter.deadline).min();
            prop_assert_eq!(queue.first_deadline().map(|(deadline, _)| deadline), first);
            prop_assert_eq!(queue.any().is_some(), !waiting.is_empty());
        }
        let rest = waiting.keys().copied().chain(left.iter().map(|(ticket, _)| *ticket));
        freed.extend(rest.map(|ticket| queue.free(ticket)).collect::<Vec<_>>());
        freed.sort_unstable();
        prop_assert_eq!(freed, (0..arrival).collect::<Vec<_>>(), "every ticket is freed once");
    }
}

/// Deadlines of those who have left are swept out, and the one that stays is not.
#[test]
fn the_first_deadline_survives_any_number_of_waiters_who_have_left() {
    let mut line = Line::of(Discipline::Fifo);
    let kept = WaitRequest { deadline: Some(ms(900)), ..ask(0, Normal, 1) };
    let kept = line.join(0, "kept", kept);
    for wait in 0..1_000 {
        let soon = WaitRequest { deadline: Some(ms(1 + wait % 900)), ..ask(0, Normal, 1) };
        let ticket = line.join(0, "gone", soon);
        line.queue.free(ticket);
    }
    assert_eq!(line.queue.first_deadline(), Some((ms(900), kept)));
}
