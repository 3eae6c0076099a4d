//! Parts of a limit: guaranteed, borrowed, and shared where they are fractions.

use super::*;

/// Each of `waiting` (partition and priority) joins twice a grant, so that all always wait; each
/// grant is held for as long as `limit` grants take. How many grants each had of 1,000.
fn grants(parts: &[f64], limit: u32, waiting: &[(u16, Priority)]) -> Vec<u32> {
    let mut line = Line::new(CONFIG, parts, limit);
    for (partition, priority) in waiting {
        line.join(0, "a", ask(*partition, *priority, 1));
        line.join(0, "a", ask(*partition, *priority, 1));
    }
    let mut granted = vec![0; parts.len()];
    let mut out = std::collections::VecDeque::new();
    for _ in 0..1_000 {
        let next = {
            let in_use = line.in_use.clone();
            line.queue.next(ms(0), limit, |i| in_use[i]).expect("all wait")
        };
        line.serve(0);
        line.join(0, "a", WaitRequest { class: next.class, ..ask(0, Normal, 1) });
        granted[usize::from(next.class.partition)] += 1;
        out.push_back(usize::from(next.class.partition));
        if out.len() == limit as usize {
            line.in_use[out.pop_front().expect("not empty")] -= 1;
        }
    }
    granted
}

#[track_caller]
fn check(parts: &[f64], limit: u32, waiting: &[(u16, Priority)], shares: &[f64]) {
    let granted = grants(parts, limit, waiting);
    for (share, granted) in shares.iter().zip(&granted) {
        let got = f64::from(*granted) / 1_000.0;
        assert!((got - share).abs() <= 0.02, "{granted:?} of 1000 is not {shares:?}, {parts:?}");
    }
}

#[test]
fn each_gets_its_part_whatever_the_others_priority() {
    check(&[0.5, 0.5], 10, &[(0, Critical), (1, Low)], &[0.5, 0.5]);
    check(&[0.2, 0.3, 0.5], 10, &[(0, Low), (1, High), (2, Normal)], &[0.2, 0.3, 0.5]);
}

#[test]
fn what_is_idle_is_lent() {
    check(&[0.2, 0.8], 10, &[(0, Low)], &[1.0, 0.0]);
    // The spare part goes by priority, then to who uses least of its own.
    check(&[0.2, 0.2, 0.6], 10, &[(0, Low), (1, High)], &[0.2, 0.8, 0.0]);
    check(&[0.2, 0.2, 0.6], 10, &[(0, Low), (1, Low)], &[0.5, 0.5, 0.0]);
}

#[test]
fn what_was_lent_comes_back_first() {
    let mut line = Line::new(CONFIG, &[0.5, 0.5], 4);
    line.in_use = vec![4, 0];
    line.join(0, "borrower", ask(0, Critical, 1));
    line.join(1, "owner", ask(1, Low, 1));
    line.check(1, &["owner", "borrower"]);
}

/// 1 - 0.9 is a little less than 0.1 in binary fractions, and one of ten permits is one permit.
#[test]
fn a_part_is_not_lost_in_rounding() {
    check(&[1.0 - 0.9, 0.9], 10, &[(0, Low), (1, Critical)], &[0.1, 0.9]);
    check(&[0.29, 0.71], 100, &[(0, Low), (1, Critical)], &[0.29, 0.71]);
}

/// At a limit that gives nobody a whole permit, parts are shares of the grants.
#[test]
fn a_part_of_less_than_one_permit_is_served_in_turns() {
    check(&[0.5, 0.5], 1, &[(0, Normal), (1, Normal)], &[0.5, 0.5]);
    check(&[0.4, 0.6], 1, &[(0, Normal), (1, Normal)], &[0.4, 0.6]);
    check(&[0.4, 0.6], 1, &[(0, Low), (1, Critical)], &[0.4, 0.6]);
    check(&[0.1, 0.9], 4, &[(0, Low), (1, Critical)], &[0.1, 0.9]);
}

/// A guarantee of nothing is nothing, but what others leave is for everybody.
#[test]
fn without_a_guarantee_one_gets_what_is_left() {
    check(&[0.0, 0.5], 4, &[(0, Normal), (1, Normal)], &[0.0, 1.0]);
    check(&[0.0, 0.5], 4, &[(0, High), (1, Normal)], &[0.5, 0.5]);
}

#[test]
fn a_heavy_waiter_of_a_part_it_does_not_fit_into_is_not_starved() {
    let mut line = Line::new(CONFIG, &[0.4, 0.6], 4);
    line.join(0, "heavy", ask(0, Low, 3));
    for _ in 0..20 {
        line.join(0, "light", ask(1, Critical, 1));
    }
    let served: Vec<_> = (0..10)
        .map(|_| {
            line.in_use = vec![0, 3];
            line.serve(0)
        })
        .collect();
    assert_eq!(served.iter().position(|name| *name == "heavy"), Some(8), "after 8 × 0.4 > 3");
}
