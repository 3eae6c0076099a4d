//! Who is refused on arrival, because the queue is too long for its deadline.

use super::*;

/// Three grants, 100 ms apart, so that the mean interval is known; two still wait.
fn measured(discipline: Discipline) -> Line {
    let guarantees = [0.0, 0.0, 0.0, 0.25];
    let config = QueueConfig { discipline, guarantees, max_wait: ms(1_000), ..CONFIG };
    let mut line = Line::new(config, &[], 1);
    line.normal(0, &["a", "b", "c", "d", "e"]);
    for n in 1..=3 {
        line.serve(n * 100);
    }
    assert_eq!(line.queue.interval(), Some(ms(100)));
    line
}

#[test]
fn a_deadline_that_cannot_be_met_is_refused_on_arrival() {
    let line = measured(Discipline::Fifo);
    let refusal = |wait: u64, priority| {
        let request = WaitRequest { deadline: Some(ms(300 + wait)), ..ask(0, priority, 1) };
        line.queue.refusal(ms(300), &request)
    };
    // Two are ahead: its turn comes in 300 ms.
    assert_eq!(refusal(300, Normal), None);
    assert_eq!(refusal(299, Normal), Some(Refusal::Unmeetable));
    // Alone in its class nobody of the others is ahead of a higher priority.
    assert_eq!(refusal(1, High), None);
    // The first with a guaranteed share may wait for it, which is how it is earned.
    assert_eq!(refusal(1, Low), None);
    let lifo = measured(Discipline::Lifo);
    let request = WaitRequest { deadline: Some(ms(301)), ..ask(0, Normal, 1) };
    assert_eq!(lifo.queue.refusal(ms(300), &request), None, "it would be the next");
}

/// Whoever has a guaranteed share does not wait for everybody of a higher priority.
#[test]
fn a_guaranteed_share_is_not_refused_because_of_those_who_do_not_count_against_it() {
    let mut line = measured(Discipline::Fifo);
    (0..7).for_each(|_| drop(line.normal(300, &["more"])));
    // The first may always wait. The second has ten ahead, but one in four grants is its own.
    assert_eq!(line.queue.refusal(ms(300), &ask(0, Low, 1)), None);
    line.join(300, "low", ask(0, Low, 1));
    assert_eq!(line.queue.refusal(ms(300), &ask(0, Normal, 1)), None);
    assert_eq!(line.queue.ahead_of(ms(300), ask(0, Low, 1).class), 8);
    line.normal(300, &["one too many"]);
    assert_eq!(line.queue.refusal(ms(300), &ask(0, Normal, 1)), Some(Refusal::Unmeetable));
    assert_eq!(line.queue.refusal(ms(300), &ask(0, Low, 1)), None);
}

/// A bad time leaves a mean interval behind with which only one may wait; that one corrects it.
#[test]
fn an_estimate_from_a_bad_time_is_corrected_even_if_only_one_may_wait() {
    let mut line = Line::new(QueueConfig { max_wait: ms(1_000), ..CONFIG }, &[], 1);
    line.normal(0, &["a", "b", "c"]);
    for n in 1..=3 {
        line.serve(n * 900);
    }
    line.normal(3_000, &["alone"]);
    assert_eq!(line.queue.refusal(ms(3_000), &ask(0, Normal, 1)), Some(Refusal::Unmeetable));
    line.check(3_001, &["alone"]);
    let mut at = 3_001;
    let admitted = (0..64).any(|_| {
        assert_eq!(line.queue.refusal(ms(at), &ask(0, Normal, 1)), None, "alone it may wait");
        line.normal(at, &["alone"]);
        let second = line.queue.refusal(ms(at), &ask(0, Normal, 1));
        at += 1;
        line.check(at, &["alone"]);
        second.is_none()
    });
    assert!(admitted, "the service is well again, and still only one may wait");
}
