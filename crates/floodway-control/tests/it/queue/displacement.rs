//! Who makes room in a full queue.

use super::*;

/// A full queue of ten, by the letters of `waiting` in order of arrival: c, h, n and l for the
/// priority, upper case in the second partition.
fn full(discipline: Discipline, shares: [f64; 4], parts: &[f64], waiting: &str) -> Line {
    let config = QueueConfig { capacity: 10, guarantees: shares, discipline, ..CONFIG };
    let mut line = Line::new(config, parts, 1);
    for (letter, name) in waiting.chars().zip(ARRIVALS) {
        let priority = match letter.to_ascii_lowercase() {
            'c' => Critical,
            'h' => High,
            'n' => Normal,
            _ => Low,
        };
        line.join(0, name, ask(u16::from(letter.is_uppercase()), priority, 1));
    }
    assert_eq!(line.queue.len(), 10);
    line
}

const ARRIVALS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

/// Which arrival has to make room for a newcomer.
#[track_caller]
fn check(line: &Line, partition: u16, priority: Priority, loser: Option<usize>) {
    let request = ask(partition, priority, 1);
    let displaced = line.queue.displaced_by(ms(200), request.class);
    let displaced = displaced.map(|ticket| *line.queue.payload(ticket));
    assert_eq!(displaced, loser.map(|index| ARRIVALS[index]));
    let refused = loser.is_none().then_some(Refusal::Full);
    assert_eq!(line.queue.refusal(ms(200), &request), refused);
}

const NONE: [f64; 4] = [0.0; 4];

#[test]
fn the_newest_of_the_lowest_priority_makes_room_for_a_higher_one() {
    let line = full(Discipline::Fifo, NONE, &[], "nlnnlhhnnn");
    check(&line, 0, Critical, Some(4));
    check(&line, 0, Normal, Some(4));
    check(&line, 0, Low, None);
    let line = full(Discipline::Fifo, NONE, &[], "nnnnnhhnnn");
    check(&line, 0, High, Some(9));
    check(&line, 0, Normal, None);
}

#[test]
fn who_is_served_last_makes_room_where_the_newest_is_served_first() {
    for discipline in [Discipline::Lifo, ADAPTIVE] {
        let line = full(discipline, NONE, &[], "nlnnlhhnnn");
        check(&line, 0, Critical, Some(1));
        check(&line, 0, Low, Some(1));
        let line = full(discipline, NONE, &[], "hnnnnnnnnn");
        check(&line, 0, Normal, Some(1));
        check(&line, 0, Low, None);
        check(&line, 0, High, Some(1));
    }
}

#[test]
fn a_priority_keeps_its_guaranteed_places() {
    let shares = [0.0, 0.0, 0.0, 0.2];
    check(&full(Discipline::Fifo, shares, &[], "llhhhhhhhh"), 0, Critical, Some(9));
    check(&full(Discipline::Fifo, shares, &[], "lllhhhhhhh"), 0, Critical, Some(2));
    // It has one of two: the newest above it makes room.
    check(&full(Discipline::Fifo, shares, &[], "lhhhhhhhhh"), 0, Low, Some(9));
    check(&full(Discipline::Fifo, shares, &[], "llhhhhhhhh"), 0, Low, None);
}

/// Less than one guaranteed place would be none, and nobody would wait until their share is due.
#[test]
fn a_share_is_one_place_at_least() {
    let shares = [0.0, 0.05, 0.05, 0.05];
    check(&full(Discipline::Fifo, shares, &[], "lhhhhhhhhh"), 0, Critical, Some(9));
    check(&full(Discipline::Fifo, shares, &[], "hhhhhhhhhh"), 0, Low, Some(9));
    check(&full(Discipline::Fifo, shares, &[], "lhhhhhhhhh"), 0, High, None);
    // But in a queue with hardly any places the higher priority does count.
    let config = QueueConfig { capacity: 1, guarantees: shares, ..CONFIG };
    let mut line = Line::new(config, &[], 1);
    line.join(0, "low", ask(0, Low, 1));
    assert!(line.queue.displaced_by(ms(0), ask(0, High, 1).class).is_some());
}

#[test]
fn a_partition_keeps_its_guaranteed_places() {
    let parts = [0.5, 0.5];
    // The second has eight of its five places: its lowest and newest makes room for the first.
    check(&full(Discipline::Fifo, NONE, &parts, "nnHHHHNNHH"), 0, Low, Some(7));
    check(&full(Discipline::Fifo, NONE, &parts, "nnHHHHNNHH"), 0, Critical, Some(7));
    // Its own newcomers displace their own kind, never the first partition's few.
    check(&full(Discipline::Fifo, NONE, &parts, "llHHHHNNHH"), 1, Critical, Some(7));
    check(&full(Discipline::Fifo, NONE, &parts, "llHHHHHHHH"), 1, High, None);
    // Who has more than its part is displaced by priority as everywhere.
    check(&full(Discipline::Fifo, NONE, &parts, "lllllllHHH"), 1, High, Some(6));
    check(&full(Discipline::Fifo, NONE, &parts, "nnnnnNNNNN"), 1, Normal, None);
}
