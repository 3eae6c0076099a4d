//! How long it takes until the service is itself again.

use std::time::Duration;

use crate::load::Measured;

/// Recovered means: good for this long.
const WINDOW: Duration = Duration::from_secs(1);

const STEP: Duration = Duration::from_millis(100);

/// The share of requests that must succeed in time.
const SHARE: f64 = 0.95;

/// In time is within so many times the steady p99,
const LATENCY_FACTOR: f64 = 2.0;

/// but at least this: twice a few milliseconds is within the noise of a busy machine.
const LATENCY_FLOOR_S: f64 = 0.1;

/// Seconds from the beginning of `recovery` (which is the end of the overload) to the first of
/// those instants, in steps of 0.1 s, from which for one second at least 95 % of the arriving
/// requests succeed in time; `None` if there is none.
pub(super) fn recovered_after(recovery: &Measured, steady_p99_s: f64) -> Option<f64> {
    let in_time = (LATENCY_FACTOR * steady_p99_s).max(LATENCY_FLOOR_S);
    let good_from = |from: &Duration| {
        let window = *from..*from + WINDOW;
        let (mut arrived, mut good) = (0_u32, 0_u32);
        for request in &recovery.requests {
            if window.contains(&request.due) {
                arrived += 1;
                let latency = request.success_latency();
                good += u32::from(latency.is_some_and(|latency| latency.as_secs_f64() <= in_time));
            }
        }
        // A second without requests shows nothing.
        arrived > 0 && f64::from(good) >= SHARE * f64::from(arrived)
    };
    (0..)
        .map(|step| STEP * step)
        .take_while(|from| *from + WINDOW <= recovery.lasted)
        .find(good_from)
        .map(|from| from.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        load::{Answer, Answered, Phase, Request},
        report::RECOVERY,
    };

    /// 100 requests per second for `seconds`, whose latency in milliseconds is `latency` of their
    /// arrival in milliseconds; `None` is a failure.
    fn check(
        seconds: u64,
        latency: impl Fn(u64) -> Option<u64>,
        steady_p99_s: f64,
        expected: Option<f64>,
    ) {
        let requests = (0..seconds * 100)
            .map(|index| index * 10)
            .map(|due| {
                let (after, answer) = match latency(due) {
                    Some(after) => (after, Answer::Success),
                    None => (1, Answer::Failed),
                };
                Request {
                    due: Duration::from_millis(due),
                    answered: Some(Answered { at: Duration::from_millis(due + after), answer }),
                }
            })
            .collect();
        let duration = Duration::from_secs(seconds);
        let recovery = Measured {
            phase: Phase { name: RECOVERY, duration, rate: 100.0 },
            lasted: duration,
            requests,
        };
        assert_eq!(recovered_after(&recovery, steady_p99_s), expected);
    }

    #[test]
    fn at_once_if_never_disturbed() {
        check(3, |_| Some(20), 0.02, Some(0.0));
    }

    #[test]
    fn after_the_failures_save_five_percent() {
        // Of those that arrive in [0.7, 1.7) s, the five of [0.7, 0.75) s fail.
        check(4, |due| (due >= 750).then_some(20), 0.02, Some(0.7));
    }

    #[test]
    fn slow_successes_do_not_count() {
        let slow_for_a_second = |due| Some(if due < 1_000 { 150 } else { 20 });
        check(4, slow_for_a_second, 0.02, Some(1.0));
        check(4, slow_for_a_second, 0.08, Some(0.0));
    }

    #[test]
    fn never_if_no_whole_second_is_good() {
        check(4, |due| (due % 1_000 >= 100).then_some(20), 0.02, None);
        check(3, |due| (due >= 2_500).then_some(20), 0.02, None);
    }

    #[test]
    fn a_second_must_have_passed() {
        check(1, |_| Some(20), 0.02, Some(0.0));
        check(0, |_| Some(20), 0.02, None);
    }
}
